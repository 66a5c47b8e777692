"""manifest.json: what a run was made from. Never holds environment variables or secrets."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import prefrun
from prefrun.errors import DataError
from prefrun.plugins import plugin_manager
from prefrun.rundir.checkout import checkout_root, describe_checkout
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json
from prefrun.rundir.machine import describe_machine
from prefrun.rundir.masking import mask_arguments, mask_values
from prefrun.rundir.numerics import describe_numerics

PACKAGES = (
    "accelerate",
    "datasets",
    "hydra-core",
    "numpy",
    "omegaconf",
    "peft",
    "prefrun",
    "pyarrow",
    "safetensors",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
    "wandb",
)


def collect_manifest(
    argv: Sequence[str],
    overrides: Sequence[str],
    run_id: str,
    data: Mapping[str, Any],
    model: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Return the content of manifest.json.

    DATA holds `fingerprint`, and may hold `name`, `note`, counts and `problems` (one line per
    skipped record); MODEL holds `name` and what identifies the weights. Values of keys that name a
    secret (api_key, token, password, ...) are masked in all of them.
    """
    return {
        "run_id": run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "argv": mask_arguments(argv),
        "overrides": mask_arguments(overrides),
        "seed": seed,
        "data": mask_values(data),
        "model": mask_values(model),
        "code": _code(Path(prefrun.__file__).parent, Path.cwd()),
        "versions": _versions(),
        "hardware": describe_machine(),
        "numerics": describe_numerics(),
    }


def check_same_data(directory: RunDirectory, fingerprint: str) -> None:
    """Raise DataError where the run in DIRECTORY began with data of another FINGERPRINT."""
    began_with = read_json(directory.manifest).get("data", {}).get("fingerprint")
    if began_with != fingerprint:
        raise DataError(
            f"the data are not those the run began with (fingerprint {fingerprint}, "
            f"not {began_with})",
            file=directory.path,
            remedy="restore the data file, or begin a new run in another output_dir",
        )


@cache  # a process goes on with the code it has imported
def _code(package: Path, here: Path) -> dict[str, Any]:
    """Describe the checkout of PACKAGE, and that of the working folder where it is another."""
    code: dict[str, Any] = {"prefrun": describe_checkout(package)}
    if checkout_root(here) != checkout_root(package):
        code["working_folder"] = describe_checkout(here)
    return code


def _versions() -> dict[str, Any]:
    plugins = plugin_manager()[1]
    return {
        "python": platform.python_version(),
        "os": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "plugins": {
            plugin.name: f"{plugin.distribution} {plugin.version}"
            + (f", broken: {plugin.error}" if plugin.error else "")
            for plugin in plugins
            if plugin.distribution != "prefrun"
        },
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
