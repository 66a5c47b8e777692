"""The conformance suite of algorithms."""

from __future__ import annotations

from collections.abc import Sequence

from prefrun.component import Component
from prefrun.testing import component as shared
from prefrun.testing.algorithm import (
    contract,
    device,
    edges,
    gradients,
    host_reads,
    invariance,
    purity,
    saving,
)
from prefrun.testing.algorithm.subject import AlgorithmSubject
from prefrun.testing.composition import find_component
from prefrun.testing.suite import Check, Report, Suite, checks_of, settle

ANY_ALGORITHM = (*shared.PROPERTIES, *contract.ANY_ALGORITHM)
LOSS_ALGORITHM = (
    *ANY_ALGORITHM,
    *contract.PREPARATION,
    *purity.PROPERTIES,
    *gradients.PROPERTIES,
    *invariance.PROPERTIES,
    *edges.PROPERTIES,
    *device.PROPERTIES,
    *host_reads.PROPERTIES,
    *saving.PROPERTIES,
)


def algorithm_checks(
    algorithm: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> list[Check]:
    """Return the checks of an algorithm, one callable each, for `pytest.mark.parametrize`.

    ALGORITHM: what follows `algo=`, or a Component. OVERRIDES: 'key=value' of its settings, such as
    'loss=softmax'. What the algorithm lists in `expected_failures` is shown as a skip where it
    fails, and is a failure where it passes. An algorithm that is no LossAlgorithm gets only the
    checks that need no loss. Raises PluginError where it is not installed.
    """
    return checks_of(suite_of(algorithm, overrides))


def check_algorithm(
    algorithm: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> Report:
    """Run every check and return the verdicts. Arguments and errors as for `algorithm_checks`.

    Raises AssertionError that names every failed check with what was seen. Prints what was skipped.
    """
    return settle(suite_of(algorithm, overrides))


def suite_of(
    algorithm: str | Component,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return the checks of an algorithm, none of them judged yet."""
    component = find_component("algo", algorithm)
    subject = AlgorithmSubject(component, overrides)
    return Suite(subject, LOSS_ALGORITHM if _has_loss(component) else ANY_ALGORITHM)


def _has_loss(component: Component) -> bool:
    try:
        return contract.handles_losses(component.load())
    except Exception:  # `factory_loads` reports it
        return True
