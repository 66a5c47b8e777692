"""What makes two jobs the same: configuration, data, the files it names, and code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from prefrun.digest import joint_digest
from prefrun.jobs.code import code_fingerprint
from prefrun.jobs.contents import Content, content_of, digest_of
from prefrun.path_keys import Holds, PathKey
from prefrun.plan import COSMETIC_KEYS, Plan
from prefrun.records.split import uses_seed


@dataclass(frozen=True, slots=True)
class Identity:
    """Equal for jobs that would give the same numbers."""

    config: str
    """Of the resolved configuration without cosmetic keys and paths, and of the components."""
    data: str
    """Of the records."""
    code: str
    """Of the host, the plugins at work and the libraries."""
    inputs: str = ""
    """Of what is at the configuration's paths: models and other files; not of where they lie."""

    @property
    def run_id(self) -> str:
        """12 hex digits of all but the code."""
        text = joint_digest([self.config, self.data, self.inputs])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def identify(plan: Plan, data_fingerprint: str) -> Identity:
    """Return the identity of the job that PLAN describes."""
    digests = [f"{name}={digest_of(content)}" for name, content in contents(plan).items()]
    return Identity(
        plan.configuration_digest(),
        data_fingerprint,
        code_fingerprint(packages(plan)),
        joint_digest(digests),
    )


def contents(plan: Plan) -> dict[str, Content]:
    """Return what is at the paths of PLAN, by key.

    Records count by their files, too, unless the data's fingerprint says it all.
    """
    kept_in = _digests_folder(plan)
    found: dict[str, Content] = {}
    for key in plan.inputs:
        content = dict(content_of(key, kept_in))
        if key.holds is Holds.records and not _fingerprint_says_all(plan, key):
            content |= content_of(replace(key, holds=Holds.files), kept_in)
        found[key.name] = content
    return found


def _fingerprint_says_all(plan: Plan, key: PathKey) -> bool:
    """Whether the data's fingerprint, which may be that of one seed only, covers KEY's records."""
    of_data = key.name.partition(".")[0] == "data"
    return of_data and not uses_seed(plan.chosen["data"].load())


def _digests_folder(plan: Plan) -> Path | None:
    from prefrun.policy.cache_store import cache_folder  # needs numpy

    return cache_folder(plan.cache.dir) / "digests" if plan.cache.enabled else None


def described_inputs(plan: Plan) -> dict[str, Mapping[str, str]]:
    """Return what the manifest says of the paths of PLAN: by key the path, and its content."""
    paths = {key.name: key.value for key in plan.inputs}
    return {name: {"path": paths[name], **content} for name, content in contents(plan).items()}


def path_digests(plan: Plan) -> dict[str, str]:
    """Return the digest of what is at each of the paths of PLAN."""
    found = contents(plan)
    return {key.value: digest_of(found[key.name]) for key in plan.inputs}


def packages(plan: Plan) -> set[str]:
    """Return the packages of the components that change a result of PLAN."""
    return {factory.partition(":")[0].partition(".")[0] for factory in _factories(plan)}


def _factories(plan: Plan) -> Iterator[str]:
    for group, component in plan.chosen.items():
        if group not in COSMETIC_KEYS:
            yield component.factory
    for component, _ in plan.evaluators.values():
        yield component.factory
    for each in plan.nested:
        if each.path.partition(".")[0] not in COSMETIC_KEYS:
            yield each.component.factory
