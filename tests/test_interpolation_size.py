"""Interpolations that grow without end are refused before one is resolved."""

from __future__ import annotations

import pytest

from prefrun.errors import ConfigError
from prefrun.interpolation_size import check_interpolations

CHAINS = {
    "absolute": {f"a.k{n}": f"${{a.k{n + 1}}} ${{ a.k{n + 1} }}" for n in range(40)},
    "relative": {f"a.k{n}": f"${{.k{n + 1}}}${{..a.k{n + 1}}}" for n in range(40)},
    "sections": {f"s{n}.{x}": f"${{s{n + 1}}}" for n in range(40) for x in "ab"},
    "a long chain": {f"k{n}": f"${{k{n + 1}}}" for n in range(20_000)},
}


@pytest.mark.parametrize("values", CHAINS.values(), ids=CHAINS)
def test_a_chain_that_doubles_is_refused(values):
    with pytest.raises(ConfigError, match="more than 10,000 interpolations"):
        check_interpolations(values)


def test_others_pass():
    check_interpolations(
        {
            "output_dir": "runs/${algo.beta}-${now:%Y}-${hydra:runtime.choices.algo}",
            "algo.beta": "${seed}",
            "seed": 1,
            "a": "${b}",
            "b": "${a}",
            "c": "${oc.env:HOME} ${nothing}",
        }
    )
