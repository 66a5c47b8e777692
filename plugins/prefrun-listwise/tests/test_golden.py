"""Every published number, straight from the formulas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from prefrun.testing.golden import compare_case
from prefrun_listwise import golden

FOLDER = Path(__file__).with_name("vectors")
FLOAT32 = "end_to_end_3views_stopgrad_False/grad"


def cases(file: str) -> list[dict]:
    return json.loads((FOLDER / file).read_text())


@pytest.mark.parametrize("case", cases("pro_ranking.json"), ids=lambda case: case["name"])
def test_pro_ranking(case):
    assert compare_case(case, golden.pro_ranking(case["inputs"], case["hyper"], "")) == {}


@pytest.mark.parametrize("case", cases("ranklist.json"), ids=lambda case: case["name"])
def test_ranklist(case):
    assert compare_case(case, golden.ranklist(case["inputs"], case["hyper"], "")) == {}


def test_groco_and_its_views_share_the_cases():
    computed = 0
    for case in cases("groco.json"):
        arguments = case["inputs"], case["hyper"], case["name"]
        seen = [golden.groco(*arguments), golden.groco_views(*arguments)]
        (own,) = [numbers for numbers in seen if numbers is not None]
        assert set(compare_case(case, own)) <= {FLOAT32}
        computed += 1
    assert computed == len(cases("groco.json")) > 0


def test_the_float32_gradients_of_the_views_agree_to_1e_5():
    (case,) = [case for case in cases("groco.json") if "n_augs" in case["hyper"]]
    seen = golden.groco_views(case["inputs"], case["hyper"], case["name"])
    for name, expected in case["expected"]["grad"].items():
        torch.testing.assert_close(
            torch.tensor(seen["grad"][name]), torch.tensor(expected), rtol=1e-5, atol=1e-7
        )
