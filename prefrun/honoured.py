"""A key of `trainer` that the user sets counts, or is refused: no run ignores one in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from prefrun.algorithm import TRAINER_KEYS
from prefrun.config_files import config_folders
from prefrun.errors import ConfigError
from prefrun.schema import TrainerConfig

if TYPE_CHECKING:
    from pathlib import Path

    from prefrun.algorithm import Algorithm
    from prefrun.plan import Plan

SECTION = "trainer"
DEFAULTS = TrainerConfig()
GLOBAL = "@package _global_"
"""In a comment of a component's file that sets keys of other sections, too."""


def check_honoured(plan: Plan, algorithm: Algorithm, words: Sequence[str]) -> None:
    """Raise ConfigError if the user sets a key of `trainer` that ALGORITHM's run does not read.

    WORDS: those of the command line. A key that they or a file of settings, such as an experiment,
    set counts as set by the user; not one that the file of a component, such as model/NAME.yaml,
    sets for all runs with it.
    """
    said, steps = named(words), plan.trainer.max_steps
    differing = {
        key for key in TRAINER_KEYS if getattr(plan.trainer, key) != getattr(DEFAULTS, key)
    }
    given = said | differing
    ignored = given - algorithm.trainer_keys
    if ignored - said:
        ignored -= set_by_components(plan) - said
    if ignored:
        raise _refusal(plan, algorithm, sorted(ignored))
    outvoted = "max_steps" in said and "epochs" not in said
    if "epochs" in given and steps != -1 and not outvoted:
        raise ConfigError(
            f"trainer.epochs={plan.trainer.epochs:g} does nothing with trainer.max_steps={steps}\n"
            "  remedy: add trainer.max_steps=-1, or leave trainer.epochs out"
        )


def named(words: Iterable[str]) -> set[str]:
    """Return the keys of `trainer` that WORDS of the command line name."""
    keys = (word.partition("=")[0].lstrip("+~") for word in words)
    return {key.removeprefix(f"{SECTION}.") for key in keys if key.startswith(f"{SECTION}.")}


def set_by_components(plan: Plan) -> set[str]:
    """Return the keys of `trainer` that the own files of PLAN's components set."""
    files = [
        folder / component.group / f"{component.name}.yaml"
        for component in plan.chosen.values()
        for folder in config_folders().values()
    ]
    return {key for file in files if file.exists() for key in _trainer_keys(file)}


def _trainer_keys(file: Path) -> Collection[str]:
    if GLOBAL not in file.read_text(encoding="utf-8"):
        return ()
    section = OmegaConf.select(OmegaConf.load(file), SECTION)
    return set(section) if isinstance(section, DictConfig) else ()


def _refusal(plan: Plan, algorithm: Algorithm, keys: Sequence[str]) -> ConfigError:
    given = ", ".join(f"{SECTION}.{key}={getattr(plan.trainer, key)}" for key in keys)
    do = "does" if len(keys) == 1 else "do"
    remedies = [
        f"set {algorithm.instead[key]} instead of {SECTION}.{key}"
        for key in keys
        if key in algorithm.instead
    ]
    others = [f"{SECTION}.{key}" for key in keys if key not in algorithm.instead]
    if others:
        remedies.append(f"leave out {', '.join(others)}")
    return ConfigError(
        f"{given} {do} nothing with algo={plan.chosen['algo'].name} as it is set\n"
        f"  remedy: {'; '.join(remedies)}"
    )
