"""`prefrun explain NAME|FILE`: what a component computes, its keys and its source."""

from __future__ import annotations

import inspect

from prefrun.commands.fields import all_keys_of
from prefrun.commands.named import components_called
from prefrun.component import Component
from prefrun.errors import ConfigError
from prefrun.escaping import visible


def explain(arguments: list[str]) -> int:
    """Print the card, keys and origin of every component called NAME, or of a loss file. Returns 0.

    Raises ConfigError, with the closest name, where no component has that name.
    """
    if len(arguments) != 1:
        raise ConfigError("usage: prefrun explain NAME|FILE, such as `prefrun explain lipo`")
    for entry in components_called(arguments[0].rpartition("=")[2]):
        component, plugin = entry.component, entry.plugin
        print(visible(f"{component.group}={component.name}: {component.summary}"))
        print(f"from {plugin.distribution} {plugin.version} ({component.factory})\n")
        print(visible(card_of(component)))
        print("\nkeys (value = default):")
        for key in all_keys_of(component.config):
            print(visible(f"  {component.prefix}.{key.name}={key.default}  ({key.type})"))
            if key.text:
                print(visible(f"      {key.text}"))
            if key.nested:
                name = f"{component.prefix}.{key.name}{'.KEY' if key.default == '{}' else ''}"
                print(visible(f"      takes a {key.nested} component: '+{key.nested}@{name}=NAME'"))
    return 0


def card_of(component: Component) -> str:
    """Return what COMPONENT says of itself: its `card`, else its docstring. Imports its factory."""
    factory = component.load()
    card = getattr(factory, "card", "") or inspect.getdoc(factory) or "(no description)"
    return inspect.cleandoc(str(card))
