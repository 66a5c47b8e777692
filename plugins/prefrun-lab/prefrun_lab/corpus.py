"""The records that a model learns from, of any installed data component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prefrun.errors import ConfigError, DataError, closest
from prefrun.plugins import components
from prefrun.records.split import DataSource, DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun_lab.config import Answers


def build_source(name: str, keys: Any) -> DataSource:
    """Return the installed data component NAME with its defaults and KEYS.

    KEYS are a mapping, or the settings of another such component, which '${data}' gives.
    Raises ConfigError, naming model.data or model.data_keys, where that cannot be done.
    """
    names = [other for group, other in components() if group == "data" and other != "none"]
    if name not in names:
        raise ConfigError(
            f"model.data={name} is not installed.{closest(name, names)} "
            f"Installed: {', '.join(names) or 'none'}"
        )
    component = components()["data", name]
    try:
        given = OmegaConf.to_container(OmegaConf.create(keys))
        settings = OmegaConf.merge(OmegaConf.structured(component.config), given)
        return cast(DataSource, component.load()(OmegaConf.to_object(settings)))
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        remedy = f"`prefrun explain {name}` lists the keys of data={name}"
        raise ConfigError(f"model.data_keys: {first}\n  remedy: {remedy}") from error
    except ConfigError as error:
        raise ConfigError(f"model.data_keys: {error}") from error


def learned_trees(split: DataSplit, answers: Answers) -> list[PreferenceTree]:
    """Return the training records with only those branches that the model learns to give.

    Raises DataError where no record has an answer, or, where the best are asked for, one of
    several answers has no label.
    """
    trees = [
        tree
        if answers is Answers.all or len(tree.branches) < 2
        else _with_best(tree, split.objective)
        for tree in split.train
    ]
    if not any(tree.branches for tree in trees):
        raise DataError(
            f"no training record of {split.name} has an answer",
            remedy="choose model.data=NAME of records with answers",
        )
    return trees


def texts_of(split: DataSplit) -> Iterator[str]:
    """Yield every prompt, answer and text in metadata, held-out ones too.

    Raises DataError for a chat.
    """
    for tree in (*split.train, *split.test):
        prompts = [tree.prompt, *(branch.prompt for branch in tree.branches)]
        for prompt in prompts:
            if prompt is not None and not isinstance(prompt, str):
                raise DataError(
                    "the prompt is a chat; model=scratch has no chat template",
                    record=tree.id,
                    field="prompt",
                    remedy="choose data with plain prompts for model.data, or another model",
                )
            yield prompt or ""
        yield from (branch.text for branch in tree.branches)
        yield from _texts_in(tree.metadata)


def _texts_in(value: Any) -> Iterator[str]:
    """Rationales and the like, which algorithms add to the records."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.values() for text in _texts_in(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts_in(item))


def _with_best(tree: PreferenceTree, objective: str) -> PreferenceTree:
    ranks = tree.ranks(objective)
    best = tuple(branch for branch, rank in zip(tree.branches, ranks, strict=True) if rank == 1)
    return replace(tree, branches=best)
