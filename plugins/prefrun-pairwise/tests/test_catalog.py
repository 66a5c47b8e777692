"""Options without a meaning for the chosen losses are refused, and the message says what to do."""

from __future__ import annotations

import pytest

from prefrun_pairwise import catalog, divergence
from prefrun_pairwise.catalog import check_losses


def test_divergences_are_those_that_exist() -> None:
    assert tuple(divergence.DIVERGENCES) == catalog.DIVERGENCES


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (["sigmoid"], {}),
        (["cdpo"], {"label_smoothing": 0.1}),
        (["sigmoid", "robust"], {"label_smoothing": 0.1}),
        (["exo_pair"], {"label_smoothing": 1e-3}),
        (["ipo", "sft"], {"divergence": "forward_kl"}),
        (["dpo_gamma", "sft"], {"gamma": 0.5}),
        (["bco_pair"], {"weighting": True}),
    ],
)
def test_meaningful_options_pass(names: list[str], options: dict) -> None:
    check_losses(names, **options)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "choose from sigmoid"),
        (["sigmoid", "dpo"], {}, "loss=dpo: choose from sigmoid"),
        (["sigmoid"], {"label_smoothing": 0.1}, "not read by sigmoid; these read it: cdpo"),
        (["robust"], {"label_smoothing": 0.5}, r"must be in \[0, 0.5\)"),
        (["robust"], {"label_smoothing": -0.1}, r"must be in \[0, 0.5\)"),
        (["exo_pair"], {}, "exo_pair needs it above 0"),
        (["sigmoid"], {"divergence": "kl"}, "choose one of reverse_kl"),
        (["sigmoid", "apo_zero"], {"divergence": "forward_kl"}, "not defined for apo_zero"),
        (["sigmoid"], {"gamma": 0.0}, "only the loss dpo_gamma reads it"),
        (["aot"], {"weighting": True}, "aot sorts over the batch"),
    ],
)
def test_meaningless_options_are_refused(names: list[str], options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_losses(names, **options)
