"""The conformance suite of algorithms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefrun.component import Component
from prefrun.testing import component as shared
from prefrun.testing.algorithm import contract, edges, gradients, invariance, purity
from prefrun.testing.algorithm.subject import AlgorithmSubject
from prefrun.testing.composition import find_component
from prefrun.testing.golden import known_differences
from prefrun.testing.suite import Check, Report, Suite, checks_of, settle

ANY_ALGORITHM = (*shared.PROPERTIES, *contract.ANY_ALGORITHM)
LOSS_ALGORITHM = (
    *ANY_ALGORITHM,
    *contract.PREPARATION,
    *purity.PROPERTIES,
    *gradients.PROPERTIES,
    *invariance.PROPERTIES,
    *edges.PROPERTIES,
)


def algorithm_checks(
    algorithm: str | Component,
    *,
    overrides: Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of an algorithm, one callable each, for `pytest.mark.parametrize`.

    ALGORITHM: what follows `algo=`, or a Component. OVERRIDES: 'key=value' of its settings, such as
    'loss=softmax'. EXPECTED_FAILURES: reason by check name; a failure is then shown as a skip, and
    passing is a failure. 'golden_vectors/CASE/KEY' allows one published number to differ.
    An algorithm that is no LossAlgorithm gets only the checks that need no loss.
    Raises PluginError where it is not installed, ValueError for an unknown check name.
    """
    return checks_of(suite_of(algorithm, overrides, expected_failures))


def check_algorithm(
    algorithm: str | Component,
    *,
    overrides: Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Run every check and return the verdicts. Arguments and errors as for `algorithm_checks`.

    Raises AssertionError that names every failed check with what was seen. Prints what was skipped.
    """
    return settle(suite_of(algorithm, overrides, expected_failures))


def suite_of(
    algorithm: str | Component,
    overrides: Sequence[str] = (),
    expected: Mapping[str, str] | None = None,
) -> Suite:
    """Return the checks of an algorithm, none of them judged yet."""
    component = find_component("algo", algorithm)
    subject = AlgorithmSubject(component, overrides)
    subject.known_differences = known_differences(expected or {})
    return Suite(subject, LOSS_ALGORITHM if _has_loss(component) else ANY_ALGORITHM, expected)


def _has_loss(component: Component) -> bool:
    try:
        return contract.handles_losses(component.load())
    except Exception:  # `factory_loads` reports it
        return True
