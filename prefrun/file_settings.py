"""What a configuration file may set, and what only the command line may: see docs, "Trust"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.errors import ConfigError
from prefrun.rundir.masking import is_secret, mask_values

if TYPE_CHECKING:
    from omegaconf import DictConfig

TRUSTED = "trust_code=true"
GUARDED = ("hydra", "hydra.*", "trust_code")
"""What a file may not set, unless FREE or FOLDERS names it."""
FREE = (
    "hydra.verbose",
    "hydra.launcher.n_jobs",
    "hydra.launcher.devices",
    "hydra.launcher.num_cpus",
    "hydra.launcher.num_gpus",
    "hydra.launcher.timeout_min",
    "hydra.launcher.requeue",
    "hydra.launcher.gpus_per_node",
    "hydra.launcher.cpus_per_task",
    "hydra.launcher.mem_gb",
    "hydra.launcher.array_parallelism",
    "hydra.sweeper.direction",
    "hydra.sweeper.n_trials",
    "hydra.sweeper.n_jobs",
    "hydra.sweeper.max_batch_size",
    "hydra.sweeper.prune_on",
    "hydra.sweeper.prune_direction",
    "hydra.sweeper.sampler.*",
    "hydra.sweeper.pruner.*",
)
"""Numbers and names: nothing that they can say reaches beyond the run."""
PARAMS = "hydra.sweeper.params"
"""Overrides of each job: each of their keys is judged as if it stood in the file itself."""
FOLDERS = ("output_dir", "cache.dir", "hydra.run.dir", "hydra.sweep.dir")
"""A file may set them to a folder inside the working folder."""
SPECIAL = ("_target_", "_args_", "_partial_", "_recursive_", "_convert_", "()", "class")
"""Say what is called and how, so they are never FREE."""
ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:\s*([^,}\s]*)")


def check_file(config: Any, file: str) -> set[str]:
    """Return those of FOLDERS that CONFIG, the content of FILE at its place, sets.

    Raises ConfigError for a key that a file may not set, or a value that holds a secret of the
    environment.
    """
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config, resolve=False)
    folders: set[str] = set()
    for key, value in _settings(plain):
        if key in FOLDERS:
            folders.add(key)
        elif not is_allowed(key) and (key, value) != ("trust_code", False):
            raise refusal(file, key, value)
        _check_environment(file, key, value)
    return folders


def is_allowed(key: str) -> bool:
    """Whether a file may set the dotted KEY to anything; those of FOLDERS have a rule of their own.

    What follows a name in brackets, as in `a[b]`, is a part of the key, too.
    """
    key = key.replace("[", ".").replace("]", "")
    if not any(fnmatchcase(key, pattern) for pattern in GUARDED):
        return True
    if key.rpartition(".")[2] in SPECIAL:
        return False
    return any(key == name or fnmatchcase(key, name) for name in FREE)


def check_folders(config: DictConfig, folders: set[str]) -> None:
    """Raise ConfigError where one of FOLDERS, which files set, is outside the working folder."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    if not folders:
        return
    before = HydraConfig.instance().cfg
    copy = config.copy()  # Hydra makes what it is handed read-only
    HydraConfig.instance().set_config(copy)
    try:
        values = {key: OmegaConf.select(copy, key, throw_on_missing=False) for key in folders}
    finally:
        HydraConfig.instance().cfg = before
    here = Path.cwd().resolve()
    for key, value in sorted(values.items()):
        if value is not None and not _inside(str(value), here):
            raise ConfigError(
                f"{key}={value} is refused: a configuration file sets it, and it is outside the "
                f"working folder {here}\n  remedy: give it on the command line; or, if you wrote "
                f"the file, or trust who did, add {TRUSTED} to the command"
            )


def _inside(folder: str, here: Path) -> bool:
    try:
        return (here / Path(folder).expanduser()).resolve().is_relative_to(here)
    except (OSError, RuntimeError, ValueError):  # no such user, a circle of links, a null byte
        return False


def refusal(file: str, key: str, value: object) -> ConfigError:
    """Return the error for KEY, which FILE sets to VALUE and may not."""
    shown = mask_values(value, key)
    if key == "trust_code":
        return ConfigError(
            f"{file} sets {key}={shown}, which is refused: it counts on the command line only\n"
            f"  remedy: remove it; if you wrote the file, or trust who did, add {TRUSTED} there"
        )
    return ConfigError(
        f"{file} sets {key}={shown}, which is refused: from a file it could reach beyond the run\n"
        "  remedy: remove it, or give it on the command line; if you wrote the file, or trust who "
        f"did, add {TRUSTED} to the command"
    )


def _check_environment(file: str, key: str, value: object) -> None:
    for name in ENVIRONMENT.findall(value) if isinstance(value, str) else ():
        if is_secret(name) or "$" in name or "'" in name or '"' in name:
            raise ConfigError(
                f"{file} sets {key}={value}, which is refused: a secret of the environment would "
                "become a value that the run writes down\n"
                f"  remedy: remove it; if you wrote the file, or trust who did, add {TRUSTED} to "
                "the command"
            )


def _settings(plain: Any, where: str = "") -> Iterator[tuple[str, object]]:
    """Every setting of nested PLAIN: dotted key, value; those of PARAMS as the keys they set."""
    if isinstance(plain, Mapping) and plain:
        for name, value in plain.items():
            key = f"{where}.{name}" if where else str(name)
            if where == PARAMS:
                yield from _of_job(str(name), value)
            elif key != "defaults":
                yield from _settings(value, key)
    elif isinstance(plain, list) and plain:
        for item in plain:  # a mapping in a list is no key that can be set
            yield from _settings(item, where) if isinstance(item, str) else [(where, str(item))]
    elif where:
        yield where, plain


def _of_job(word: str, value: object) -> Iterator[tuple[str, object]]:
    """The settings of an override that a sweeper makes of WORD and VALUE for its jobs.

    `a={b: 1}` sets a key below `a`, and `group@package` sets whatever is in the package.
    """
    key = word.partition("=")[0].strip().lstrip("+~").strip()
    group, at, package = key.partition("@")
    if at:
        yield package, f"{group}={value}"
    yield group.replace("/", "."), value
