"""algo=tpo, data=gsm8k_trees and model=chain against the conformance kit."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks, check_algorithm, check_model
from prefrun_tpo.config import Aggregation, SimilaritySign


@pytest.mark.parametrize("check", algorithm_checks("tpo"))
def test_conformance(check):
    check()


@pytest.mark.parametrize("sign", [sign.name for sign in SimilaritySign])
@pytest.mark.parametrize("aggregation", [item.name for item in Aggregation])
def test_every_reward_conforms(sign, aggregation):
    overrides = [f"similarity_sign={sign}", f"aggregation={aggregation}"]
    check_algorithm("tpo", overrides=overrides)


def test_chain():
    check_model("chain")
