"""What every component must do, whatever its group; and the subject that such checks are run on."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from omegaconf import OmegaConf

from prefrun.component import Component
from prefrun.errors import ConfigError
from prefrun.nesting import nested_in
from prefrun.testing.composition import compose_node, compose_settings
from prefrun.testing.imports import heavy_import_of
from prefrun.testing.suite import Property

UNKNOWN_KEY = "no_such_key_of_any_plugin"


class ComponentSubject:
    """A component with the settings it is checked under."""

    def __init__(self, component: Component, overrides: Sequence[str] = ()) -> None:
        self.component = component
        self.overrides = tuple(overrides)

    def __str__(self) -> str:
        words = [f"{self.component.group}={self.component.name}", *self.overrides]
        return " ".join(words)

    @cached_property
    def settings(self) -> Any:
        """Instance of the component's dataclass."""
        return compose_settings(self.component, self.overrides)

    def build(self) -> Any:
        """Return a new instance of the component."""
        return self.component.load()(self.settings)

    @cached_property
    def expected_failures(self) -> Mapping[str, str]:
        """What the component says of itself: reason by check name. Empty where it has no say."""
        try:
            built = self.build()
        except Exception:  # `factory_loads` reports it
            return {}
        return dict(getattr(built, "expected_failures", {}))


def composes_with_defaults(subject: ComponentSubject) -> None:
    """`GROUP=NAME` composes through Hydra to the component's own dataclass."""
    seen, wanted = type(subject.settings), subject.component.config
    assert seen is wanted, f"composed to {seen.__name__}, not to {wanted.__name__}"


def unknown_key_is_rejected(subject: ComponentSubject) -> None:
    """A misspelt key is refused, so the shipped YAML file is under its schema."""
    try:
        compose_node(subject.component, [f"{UNKNOWN_KEY}=1"])
    except ConfigError:
        return
    raise AssertionError("an unknown key is accepted: base the YAML file on the schema")


def summary_is_one_line(subject: ComponentSubject) -> None:
    """The text for `prefrun plugins` is there and short."""
    summary = subject.component.summary
    assert summary.strip(), "the summary is empty"
    assert "\n" not in summary, "the summary has more than one line"


def factory_loads(subject: ComponentSubject) -> None:
    """The factory imports and takes the settings."""
    subject.build()


def config_pickles(subject: ComponentSubject) -> None:
    """Settings travel to other processes and come back equal."""
    again = pickle.loads(pickle.dumps(subject.settings))
    assert again == subject.settings, f"unpickled to {again}, was {subject.settings}"


def config_survives_yaml(subject: ComponentSubject) -> None:
    """Settings written to a run directory and read for a resume are equal."""
    schema = OmegaConf.structured(subject.component.config)
    given = OmegaConf.structured(subject.settings)
    read = OmegaConf.merge(schema, OmegaConf.create(OmegaConf.to_yaml(given)))
    for inner in nested_in(given, ""):  # a manifest keeps their names
        key = inner.path.removeprefix(".")
        own = OmegaConf.structured(inner.component.config)
        OmegaConf.update(read, key, OmegaConf.merge(own, OmegaConf.select(read, key)), merge=False)
    again = OmegaConf.to_object(read)
    assert again == subject.settings, f"read back as {again}, was {subject.settings}"


def imports_are_light(subject: ComponentSubject) -> None:
    """Listing plugins and reading configurations imports neither torch nor transformers."""
    seen = heavy_import_of(subject.component)
    assert not seen, f"{seen}: import it inside the factory, which is loaded when it is needed"


PROPERTIES = (
    Property(composes_with_defaults),
    Property(unknown_key_is_rejected, ("composes_with_defaults",)),
    Property(summary_is_one_line),
    Property(imports_are_light),
    Property(factory_loads, ("composes_with_defaults",)),
    Property(config_pickles, ("composes_with_defaults",)),
    Property(config_survives_yaml, ("composes_with_defaults",)),
)
