"""What a run began with, and what of it is no longer the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from prefrun.errors import ConfigError
from prefrun.jobs.code import library_versions, package_digests
from prefrun.jobs.identity import described_inputs, identify, packages
from prefrun.plan import Plan
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.masking import mask_arguments

ABSENT = "absent"
SHOWN = 12
"""Characters of a digest."""
ACCEPT = "--accept-changes"

Facts = Mapping[str, Any]


def made_from(plan: Plan, data_fingerprint: str) -> dict[str, Any]:
    """Return what the manifest says of the files, the code and the libraries behind a run."""
    return {
        "inputs": described_inputs(plan),
        "code": {
            "fingerprint": identify(plan, data_fingerprint).code,
            "packages": package_digests(packages(plan)),
            "libraries": library_versions(),
        },
    }


def check_unchanged(directory: RunDirectory, now: Facts, accept: bool) -> list[str]:
    """Return, as lines, what of NOW is not what the run in DIRECTORY began with.

    NOW is `made_from` of the same configuration. Raises ConfigError with these lines unless ACCEPT.
    """
    lines = list(changes(read_json(directory.manifest), now))
    if lines and not accept:
        listed = "\n".join(f"  {line}" for line in lines)
        raise ConfigError(
            f"{directory.path} did not begin with what is here now:\n{listed}\n"
            "  remedy: restore it, or begin a new run in another output_dir; "
            f"`prefrun resume {directory.path} {ACCEPT}` resumes all the same, and the result "
            "will say so"
        )
    return lines


def changes(manifest: Facts, now: Facts) -> Iterator[str]:
    """Yield a line, old -> new, for each input, package and library that is not the same.

    A manifest of an older prefrun says less: its code is compared as a whole.
    """
    if "inputs" in manifest:
        yield from _input_changes(manifest["inputs"], now["inputs"])
    old, new = manifest.get("code", {}), now["code"]
    if "packages" not in old:
        if old.get("fingerprint") != new["fingerprint"]:
            yield f"code: {old.get('fingerprint') or ABSENT} -> {new['fingerprint']}"
        return
    yield from _each("code of", old["packages"], new["packages"])
    yield from _each("version of", old.get("libraries", {}), new["libraries"])


def _input_changes(old: Facts, new: Facts) -> Iterator[str]:
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key, {}), new.get(key, {})
        place = after.get("path", before.get("path"))
        parts = [
            {name: value for name, value in content.items() if name != "path"}
            for content in (before, after)
        ]
        yield from _each(f"{key}={place}:", *parts)


def _each(what: str, old: Facts, new: Facts) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        before, after = (str(side.get(name) or ABSENT)[:SHOWN] for side in (old, new))
        if old.get(name) != new.get(name):
            yield f"{what} {name}: {before} -> {after}"


def record_resumption(
    directory: RunDirectory, argv: list[str], lines: list[str], accept: bool
) -> None:
    """Add to the manifest, which keeps what the run began with, that it is resumed, with LINES.

    ACCEPT: the user wants that whatever else turns out to have changed.
    """
    manifest = read_json(directory.manifest)
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "argv": mask_arguments(argv),
        "changed": lines,
        "accepts_changes": accept,
    }
    manifest["resumed"] = [*manifest.get("resumed", []), entry]
    write_json(directory.manifest, manifest)
