"""algo=lcpo against the conformance kit, every base loss."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks, check_algorithm, check_data
from prefrun_robust.lcpo.bases import BASES


@pytest.mark.parametrize("check", algorithm_checks("lcpo"))
def test_conformance(check):
    check()


@pytest.mark.parametrize("base", BASES)
def test_every_base_conforms(base):
    check_algorithm("lcpo", overrides=[f"base={base}"])


@pytest.mark.parametrize("option", ["pairs=best_vs_worst", "m_step=loss_mix"])
def test_options_conform(option):
    check_algorithm("lcpo", overrides=[option, "base=simpo"])


@pytest.mark.parametrize("option", ["warmup_steps=10", "eta0=1.0"])
def test_the_gradient_is_exact_where_w_is_a_constant(option):
    check_algorithm("lcpo", overrides=[option])


def test_the_generated_data_conform():
    check_data("noisy_annotators", overrides=["records=40", "test_records=20"])
