"""The conformance kit: one call checks any plugin. Public; for tests, so torch is imported here.

    from prefrun.testing import algorithm_checks, check_algorithm

    check_algorithm("lipo")  # raises AssertionError that names every failed check

    @pytest.mark.parametrize("check", algorithm_checks("lipo"))  # one line per check in pytest
    def test_conformance(check):
        check()

`make_batch` and `make_trees` give a plugin's own tests valid input.
"""

from prefrun.testing.algorithm import algorithm_checks, check_algorithm
from prefrun.testing.batches import make_batch
from prefrun.testing.data import check_data
from prefrun.testing.evaluator import check_evaluator
from prefrun.testing.model import check_model
from prefrun.testing.reward import check_reward
from prefrun.testing.suite import Check, Report, Verdict
from prefrun.testing.tracker import check_tracker
from prefrun.testing.trees import make_trees

__all__ = [
    "algorithm_checks",
    "check_algorithm",
    "check_data",
    "check_evaluator",
    "check_model",
    "check_reward",
    "check_tracker",
    "make_batch",
    "make_trees",
    "Check",
    "Report",
    "Verdict",
]
