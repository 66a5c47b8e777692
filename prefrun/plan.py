"""From a composed configuration to checked settings and ready components. No torch here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prefrun.algorithm import Algorithm
from prefrun.builtin.config import NoModelConfig
from prefrun.component import Component
from prefrun.config_paths import absolute_paths
from prefrun.errors import ConfigError
from prefrun.nesting import PARTS, Nested, nested_in, stored_nested
from prefrun.path_keys import PathKey
from prefrun.plugins import check_usable, component_of, components
from prefrun.processes.checks import count_devices
from prefrun.schema import (
    CacheConfig,
    EvaluationConfig,
    LaunchConfig,
    RunConfig,
    SweepConfig,
    TrainerConfig,
    check_seed,
)

SINGLE_GROUPS = ("algo", "data", "model", "reward", "tracker")
SECTIONS = ("trainer", "evaluation", "cache", "sweep", "launch")
COSMETIC_KEYS = ("output_dir", "tracker", "cache", "sweep", "trust_code")
"""Keys that change no result, so they are no part of a run's identity."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs, checked, before data or models are touched."""

    seed: int
    trainer: TrainerConfig
    evaluation: EvaluationConfig
    cache: CacheConfig
    sweep: SweepConfig
    launch: LaunchConfig
    chosen: Mapping[str, Component]
    """The component of each single-choice group."""
    settings: Mapping[str, Any]
    """The validated config dataclass of each single-choice group."""
    evaluators: Mapping[str, tuple[Component, Any]]
    """Component and settings by evaluator name."""
    nested: tuple[Nested, ...]
    """The components inside the settings of others; an outer one before those inside it."""
    plain: Mapping[str, Any]
    """The resolved configuration as plain containers."""
    paths: tuple[PathKey, ...]
    """The keys of it that name files, folders and models."""

    def build(self, group: str) -> Any:
        """Import the component of GROUP and call it with its settings. See `Component.make`."""
        return self.chosen[group].make(self.settings[group])

    def algorithm(self) -> Algorithm:
        """Build the algorithm. Raises ConfigError where the class is no Algorithm."""
        algorithm = self.build("algo")
        if not isinstance(algorithm, Algorithm):
            raise ConfigError(f"{self.chosen['algo'].factory} is not a prefrun.algorithm.Algorithm")
        return algorithm

    @property
    def length_limits(self) -> tuple[Any, ...]:
        """What decides, beside the model, how a record becomes token ids."""
        return self.trainer.max_length, self.trainer.max_prompt_length, self.trainer.truncation

    def key(self, *sections: str) -> str:
        """Return what decides about SECTIONS of the configuration: their choices and values."""
        names = self.component_names()
        parts = {
            name: [
                names.get(name),
                [each for each in names["nested"] if each[0].partition(".")[0] == name],
                self.plain[name],
            ]
            for name in sections
        }
        return json.dumps(parts, sort_keys=True, default=str)

    def configuration_digest(self) -> str:
        """12 hex digits of all that changes a result, but for what is at the configuration's paths.

        What is there counts by its content, wherever it lies: see `prefrun.jobs.identity`.
        """
        config = {key: value for key, value in self.plain.items() if key not in COSMETIC_KEYS}
        names = self._names_by_result()
        for path in self.inputs:
            config = _replaced(config, path.name.split("."), path.holds.name)
        text = json.dumps([config, names], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def inputs(self) -> tuple[PathKey, ...]:
        """The path keys at which a result depends on what is there."""
        return tuple(key for key in self.paths if key.name.split(".")[0] not in COSMETIC_KEYS)

    def component_names(self) -> dict[str, Any]:
        """What a resumed run needs to give the plain configuration its types back."""
        names: dict[str, Any] = {group: item.name for group, item in self.chosen.items()}
        names["evaluator"] = {name: item.name for name, (item, _) in self.evaluators.items()}
        names["nested"] = [
            [each.path, each.component.group, each.component.name] for each in self.nested
        ]
        return names

    def _names_by_result(self) -> dict[str, Any]:
        """The component names that change a result, in a form that keeps the ids of older runs:
        there rewards in `reward.parts` have an entry of their own."""
        names = {k: v for k, v in self.component_names().items() if k not in COSMETIC_KEYS}
        parts, others = {}, []
        for path, group, name in names.pop("nested"):
            where, _, part = path.rpartition(".")
            if (where, group) == (PARTS, "reward"):
                parts[part] = name
            elif path.partition(".")[0] not in COSMETIC_KEYS:
                others.append([path, group, name])
        names["reward_parts"] = parts
        return {**names, "nested": others} if others else names


def make_plan(config: DictConfig) -> Plan:
    """Check every key and build the settings. Raises ConfigError naming the key and the remedy."""
    check_seed(config.seed)
    count_devices(config)
    paths = absolute_paths(config)
    inside = tuple(_nested(config))
    sections = {name: to_object(config[name], name) for name in SECTIONS}
    chosen, settings = {}, {}
    for group in SINGLE_GROUPS:
        settings[group] = _settings(config, group)
        chosen[group] = component_of(settings[group])
    evaluators = {}
    for name in config.evaluator or {}:
        value = to_object(config.evaluator[name], f"evaluator.{name}")
        evaluators[str(name)] = (component_of(value), value)
    plain = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(plain, dict)
    plain.pop("output_dir", None)
    return Plan(
        seed=config.seed,
        **sections,
        chosen=chosen,
        settings=settings,
        evaluators=evaluators,
        nested=inside,
        plain={str(key): value for key, value in plain.items()},
        paths=paths,
    )


def _nested(config: DictConfig) -> Iterator[Nested]:
    """Yield the components inside others. Raises ConfigError, naming the place, for a bad one."""
    roots = {group: config.get(group) for group in SINGLE_GROUPS}
    roots |= {f"evaluator.{name}": node for name, node in (config.evaluator or {}).items()}
    for path, node in roots.items():
        if isinstance(node, DictConfig):
            found = list(nested_in(node, path))
            for each in reversed(found):  # the inner ones first: they are a part of the outer
                _check_nested(config, each)
            yield from found


def _check_nested(config: DictConfig, each: Nested) -> None:
    try:
        to_object(OmegaConf.select(config, each.path), each.path)
    except ConfigError as error:
        what = f"{each.component.group}={each.component.name}"
        raise ConfigError(f"in {each.path}, {what}: {error}") from error


def _replaced(config: Mapping[str, Any], names: Sequence[str], value: str) -> dict[str, Any]:
    """Return CONFIG with VALUE under the nested NAMES."""
    first, *rest = names
    return {**config, first: _replaced(config[first], rest, value) if rest else value}


def retyped(plain: Mapping[str, Any], names: Mapping[str, Any]) -> DictConfig:
    """Give a stored configuration its schemas back. NAMES is `Plan.component_names()`."""
    config: Any = OmegaConf.merge(OmegaConf.structured(RunConfig), _without(plain, SINGLE_GROUPS))
    for group in SINGLE_GROUPS:
        schema = _schema(group, names[group])
        config[group] = OmegaConf.merge(OmegaConf.structured(schema), plain[group] or {})
    for name, component in names["evaluator"].items():
        schema = OmegaConf.structured(_schema("evaluator", component))
        config.evaluator[name] = OmegaConf.merge(schema, plain["evaluator"][name] or {})
    for path, group, name in stored_nested(names):  # an outer one before those inside it
        given = OmegaConf.select(config, path)
        typed = OmegaConf.merge(OmegaConf.structured(_schema(group, name)), given or {})
        OmegaConf.update(config, path, typed, merge=False)
    retyped_config: DictConfig = config
    return retyped_config


def _without(plain: Mapping[str, Any], groups: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key not in (*groups, "evaluator")}


def _schema(group: str, name: str) -> type:
    check_usable(group, name)
    if (group, name) not in components():
        raise ConfigError(f"the run used {group}={name}, which is not installed here")
    return components()[group, name].config


def _settings(config: DictConfig, group: str) -> Any:
    node = config.get(group)
    if node is None or OmegaConf.get_type(node) is dict:
        if group == "model":  # some algorithms need none; for others it is missed later
            return NoModelConfig()
        raise missing_choice(group)
    return to_object(node, group)


def missing_choice(group: str) -> ConfigError:
    """Return the error for a GROUP in which nothing is chosen."""
    names = [name for owner, name in components() if owner == group and name != "none"]
    return ConfigError(
        f"choose {group}=NAME. Installed: {', '.join(names) or 'none'}\n"
        "  remedy: for example `prefrun algo=lipo data=ultrafeedback`"
    )


def to_object(node: DictConfig, where: str) -> Any:
    """Return the dataclass of NODE, found at WHERE. Raises ConfigError naming key and remedy."""
    try:
        value = OmegaConf.to_object(node)
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{where}: {first}") from error
    known = {field.name for field in dataclasses.fields(value)}  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in node if str(key) not in known)
    if unknown:  # Hydra's '+key=value' gets past the schema, and would be ignored in silence
        raise ConfigError(f"{where} has no key {', '.join(unknown)}. Keys: {', '.join(known)}")
    return value
