"""Pareto front and hypervolume."""

from __future__ import annotations

import itertools
import random

import pytest

from prefrun_orchestrator.pareto import hypervolume, on_front


def counted(points, size):
    """Share of unit cells of a SIZE^K box that some point dominates, by looking at each cell."""
    cells = list(itertools.product(range(size), repeat=len(points[0])))
    inside = [
        any(all(cell[k] < point[k] for k in range(len(cell))) for point in points) for cell in cells
    ]
    return sum(inside) / len(cells)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_volume_is_that_of_all_dominated_cells(objectives):
    draw = random.Random(objectives)
    points = [[draw.randint(0, 5) for _ in range(objectives)] for _ in range(6)]
    box = [0.0] * objectives, [5.0] * objectives
    assert hypervolume(points, *box) == pytest.approx(counted(points, 5))


def test_points_below_the_box_add_nothing():
    assert hypervolume([[2.0, -1.0], [0.5, 0.5]], [0.0, 0.0], [1.0, 1.0]) == pytest.approx(0.25)
    assert hypervolume([[2.0, -1.0]], [0.0, 0.0], [1.0, 1.0]) == 0.0


def test_an_objective_without_range_is_left_out():
    assert hypervolume([[0.5, 3.0]], [0.0, 3.0], [1.0, 3.0]) == pytest.approx(0.5)
    assert hypervolume([[3.0]], [3.0], [3.0]) == 0.0


def test_the_front_holds_what_nothing_dominates():
    assert on_front([[1, 2], [2, 1], [1, 1], [0, 3]]) == [True, True, False, True]
