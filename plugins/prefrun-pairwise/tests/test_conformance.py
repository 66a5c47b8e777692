"""Every algorithm against the conformance kit; algo=dpo with every loss."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks, check_algorithm
from prefrun_pairwise import ALGORITHMS
from prefrun_pairwise.catalog import PAIR_LOSSES

SMOOTHING = {"exo_pair": ["label_smoothing=0.001"]}
CHECKS = [check for name, *_ in ALGORITHMS for check in algorithm_checks(name)]
OPTIONS = [
    ("dpo", ["ld_alpha=0.5"]),
    ("dpo", ["ld_alpha=0.5", "ld_reference=false"]),
    ("dpo", ["divergence=js_divergence"]),
    ("dpo", ["loss=poly", "poly_alpha=8.0"]),
    ("dpo", ["wpo=true"]),
    ("ipo", ["normalize=sum"]),
    ("cdpo", ["unbiased=true"]),
    ("poly_dpo", ["alpha=-0.9", "normalize_init=true"]),
    ("da_dpo", ["loss=poly", "poly_alpha=8.0", "gap_mode=relu"]),
    ("da_dpo", ["loss=cdpo", "label_smoothing=0.1", "gap_mode=inverse", "difficulty=given"]),
    ("cpo", ["loss=ipo"]),
    ("cpo", ["loss=hinge", "cpo_alpha=0.0"]),
    ("simpo", ["alpha=0.25", "gamma_scale=ratio", "cpo_alpha=0.1"]),
    ("kto", ["kl=none", "threshold=0.5"]),
    ("bradley_terry", ["margin_scale=1.0", "center=0.01"]),
]


@pytest.mark.parametrize("check", CHECKS)
def test_conformance(check):
    check()


@pytest.mark.parametrize("loss", PAIR_LOSSES)
def test_every_loss_conforms(loss):
    check_algorithm("dpo", overrides=[f"loss={loss}", *SMOOTHING.get(loss, [])])


@pytest.mark.parametrize(("algorithm", "overrides"), OPTIONS)
def test_options_conform(algorithm, overrides):
    check_algorithm(algorithm, overrides=overrides)
