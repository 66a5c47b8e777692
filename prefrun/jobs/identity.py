"""What makes two jobs the same: configuration, data and code."""

from __future__ import annotations

from dataclasses import dataclass

from prefrun.jobs.code import code_fingerprint
from prefrun.plan import Plan


@dataclass(frozen=True, slots=True)
class Identity:
    """Equal for jobs that would give the same numbers."""

    config: str
    """Of the resolved configuration without cosmetic keys, and of the chosen components."""
    data: str
    """Of the records."""
    code: str
    """Of the host, the plugins at work and the libraries."""


def identify(plan: Plan, data_fingerprint: str) -> Identity:
    """Return the identity of the job that PLAN describes."""
    components = [*plan.chosen.values(), *(item for item, _ in plan.evaluators.values())]
    packages = {item.factory.partition(":")[0].partition(".")[0] for item in components}
    return Identity(plan.run_id(""), data_fingerprint, code_fingerprint(packages))
