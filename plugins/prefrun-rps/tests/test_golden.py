"""Every case of vectors/rps.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prefrun.testing.golden import compare_case
from prefrun_rps.directions import (
    angle_between,
    from_angles,
    integer_weights,
    neighbourhood,
    tangent_perturb,
)
from prefrun_rps.selection import scores_of, select, win_rate

CASES = json.loads((Path(__file__).parent / "vectors" / "rps.json").read_text())


def directions(inputs, hyper):
    vectors = from_angles(inputs["angles_deg"])
    return {"vectors": vectors, "dpa_weights": [integer_weights(v) for v in vectors]}


def grid_neighbourhood(inputs, hyper):
    v = from_angles([inputs["theta_deg"]])[0]
    random = np.random.default_rng(0)
    found = neighbourhood(v, hyper["k"], hyper["theta_max_deg"], hyper["scheme"], random)
    return {"vectors": found, "angles_deg": np.rad2deg(np.arctan2(found[:, 1], found[:, 0]))}


def tangent_perturbation(inputs, hyper):
    v, noise, radians = (np.array(inputs[name]) for name in ("v", "noise", "phi_rad"))
    found = tangent_perturb(v, noise, radians)
    return {"neighbours": found, "angle_deg": [angle_between(v, each) for each in found]}


def selection(inputs, hyper):
    scores = scores_of(np.array(inputs["v_target"]), inputs["rewards"])
    return {"scores": scores, "index": select(scores)}


def wins(inputs, hyper):
    return {"win_rate": win_rate(inputs["verdicts"])}


COMPUTE = {
    "directions": directions,
    "grid_neighbourhood": grid_neighbourhood,
    "tangent_perturb": tangent_perturbation,
    "select": selection,
    "win_rate": wins,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden(case):
    assert compare_case(case, COMPUTE[case["kind"]](case["inputs"], case["hyper"])) == {}
