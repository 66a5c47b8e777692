"""`prefrun --help`: usage, commands and choices, without importing Hydra or torch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from textwrap import shorten

from prefrun.commands.fields import all_keys_of
from prefrun.component import GROUPS, Component
from prefrun.errors import ConfigError, closest
from prefrun.escaping import visible
from prefrun.loss_file.registering import register_words
from prefrun.plugins import check_usable, components, plugin_manager
from prefrun.schema import RunConfig

LONGEST_TEXT = 110
USAGE = """\
usage: prefrun algo=NAME data=NAME [key=value ...]      train, evaluate and report one run
       prefrun -m algo=A,B seed=1,2,3 data=NAME         a sweep that ends in a comparison
       prefrun COMMAND ...

prefrun runs preference-learning experiments. Every key below can be set as key=value.
"""
KEYS = """\
keys of a choice that scripts rely on:
  data.path=FILE|DIR  data.max_records=N  data.on_bad_record=error|skip  model.name=NAME|DIR
  algo.beta=X  algo.loss=NAME  tracker.mode=offline|online|disabled
more: `prefrun COMMAND --help` says more of a command, `prefrun GROUP=NAME --help` lists the keys of
a choice; `prefrun algo=... --cfg job` prints the whole configuration, `prefrun --info defaults`
explains it; `eval "$(prefrun -sc install=bash)"` completes names in the shell."""


def print_help(arguments: Sequence[str], commands: Mapping[str, str]) -> int:
    """Print the general help, or the keys of each `group=name` among ARGUMENTS. Returns 0."""
    arguments = register_words(arguments)
    chosen = [_find(word) for word in arguments if _is_choice(word)]
    if chosen:
        for component in chosen:
            print(visible("\n".join(_component_lines(component))))
        return 0
    print(USAGE)
    print("commands:")
    for word, line in commands.items():
        print(f"  {word:<10} {line}")
    for group in GROUPS:
        print(f"\n{group}=")
        for (owner, name), component in components().items():
            if owner == group:
                print(visible(f"  {name:<18} {component.summary}"))
    print("\n" + "\n".join(_run_lines()))
    broken = [plugin for plugin in plugin_manager()[1] if plugin.error]
    for plugin in broken:
        print(visible(f"\nbroken plugin {plugin.name} ({plugin.distribution}): {plugin.error}"))
    print(f"\n{KEYS}")
    return 0


def command_help(command: Callable[[list[str]], int]) -> str:
    """Return what `prefrun COMMAND --help` prints: the first line of its module, its docstring."""
    usage = (sys.modules[command.__module__].__doc__ or "").partition("\n")[0]
    return f"{usage}\n\n{inspect.getdoc(command)}"


def _is_choice(word: str) -> bool:
    return word.partition("=")[0] in GROUPS and "=" in word


def _find(word: str) -> Component:
    group, _, name = word.partition("=")
    names = [other for owner, other in components() if owner == group]
    check_usable(group, name)
    if (group, name) not in components():
        raise ConfigError(
            f"there is no {group}={name}.{closest(name, names)} Choices: {', '.join(names)}"
        )
    return components()[group, name]


def _component_lines(component: Component) -> list[str]:
    lines = [f"{component.group}={component.name}: {component.summary}"]
    for key in all_keys_of(component.config):
        lines.append(f"  {component.prefix}.{key.name}={key.default}   ({key.type}) {key.text}")
    return lines


def _run_lines() -> list[str]:
    """The keys that every run has, whatever is chosen, with their defaults."""
    lines = ["keys of every run (key=default):"]
    for key in all_keys_of(RunConfig):
        if key.name not in GROUPS:
            default = "DIR" if key.default == "required" else key.default
            shown = f"{key.name}={default}"
            lines.append(f"  {shown:<36} {shorten(key.text, LONGEST_TEXT, placeholder=' ...')}")
    return lines
