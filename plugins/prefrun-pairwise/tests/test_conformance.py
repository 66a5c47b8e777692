"""algo=dpo against the conformance kit, every loss."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks, check_algorithm
from prefrun_pairwise.catalog import PAIR_LOSSES

SMOOTHING = {"exo_pair": ["label_smoothing=0.001"]}


@pytest.mark.parametrize("check", algorithm_checks("dpo"))
def test_conformance(check):
    check()


@pytest.mark.parametrize("loss", PAIR_LOSSES)
def test_every_loss_conforms(loss):
    check_algorithm("dpo", overrides=[f"loss={loss}", *SMOOTHING.get(loss, [])])


@pytest.mark.parametrize("option", ["ld_alpha=0.5", "divergence=js_divergence"])
def test_options_conform(option):
    check_algorithm("dpo", overrides=[option])


def test_wpo_conforms_but_for_its_constant_weights():
    reason = "WPO's weights follow the policy without a gradient, finite differences see them move"
    check_algorithm(
        "dpo",
        overrides=["wpo=true"],
        expected_failures={"gradient_matches_finite_differences": reason},
    )
