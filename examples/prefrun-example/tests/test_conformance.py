"""The four components against the conformance kit, and other settings where they matter."""

import pytest

from prefrun.testing import check_algorithm, check_data, check_evaluator, check_reward


@pytest.mark.parametrize("penalty", [0.0, 5.0, 50.0])
def test_dpop_keeps_the_contract(penalty):
    check_algorithm("dpop", overrides=[f"penalty={penalty}"])


@pytest.mark.parametrize("settings", [[], ["terms=3", "edits=4"]])
def test_edited_sums_keep_the_contract(settings):
    check_data("edited_sums", overrides=settings)


@pytest.mark.parametrize("steps", ["true", "false"])
def test_exact_sum_keeps_the_contract(steps):
    check_reward("exact_sum", overrides=[f"steps={steps}"])


@pytest.mark.parametrize("per_token", ["true", "false"])
def test_chosen_likelihood_keeps_the_contract(per_token):
    check_evaluator("chosen_likelihood", overrides=[f"per_token={per_token}"])
