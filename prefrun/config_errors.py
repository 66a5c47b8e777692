"""Turns Hydra's and OmegaConf's complaints into one message with the closest valid name."""

from __future__ import annotations

import dataclasses
import re
import shlex
from textwrap import shorten
from typing import get_origin

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from prefrun.component import GROUPS
from prefrun.errors import ConfigError, PrefrunError, closest
from prefrun.plugins import check_usable, components, plugin_manager, registered

HELP = "  remedy: `prefrun --help` lists commands, choices and keys"
LONGEST_LINE = 300
MANY = "evaluator"
"""The group that takes several choices."""


def config_error(error: Exception) -> Exception:
    """Return the PrefrunError for a bad command line or config file; ERROR itself otherwise."""
    if isinstance(error, PrefrunError):
        return error
    if isinstance(error, MissingConfigException):
        return _missing_choice(error)
    if isinstance(error, OverrideParseException):
        return _unreadable_word(error.override)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return ConfigError(_composition(error))
    if isinstance(error, YAMLError):  # says which file and line
        return ConfigError(" ".join(str(error).split()))
    return error


def hydra_error(error: Exception) -> Exception:
    """Return the PrefrunError for what Hydra itself raised, outside of every job."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return ConfigError(
            f"output_dir={error.filename} cannot be used: {error.strerror or error}\n"
            "  remedy: choose a folder that can be made and written to"
        )
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return ConfigError("a group takes the name of a choice, not null; such as tracker=none")
    return config_error(error)


def no_such_choice(group: str, name: str, options: list[str] | None = None) -> ConfigError:
    """Return the error for GROUP=NAME where there is no such choice."""
    check_usable(group, name)
    if (group, name) in registered():
        distribution = registered()[group, name].plugin.distribution
        return ConfigError(
            f"{group}={name} has no file {group}/{name}.yaml in the conf/ folder of {distribution}"
        )
    known = sorted(options or [other for owner, other in components() if owner == group])
    broken = [plugin.name for plugin in plugin_manager()[1] if plugin.error]
    return ConfigError(
        f"there is no {group}={name}.{closest(name, known)} Choices: {', '.join(known) or 'none'}"
        + (f"\n  not loaded: {', '.join(broken)}; `prefrun plugins` says why" if broken else "")
    )


def _missing_choice(error: MissingConfigException) -> ConfigError:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = [str(option) for option in error.options or []]
    if group in GROUPS or (group and options):
        return no_such_choice(group, name, options)
    return ConfigError(str(error).partition("\n\n")[0])  # without the search path


def _unreadable_word(word: str) -> ConfigError:
    key, equals, value = word.partition("=")
    if not equals:
        return ConfigError(f"'{word}' is no command and not KEY=VALUE.{_meant(word)}\n{HELP}")
    if re.search(r"\s[\w.]+=", value):
        return ConfigError(f"'{word}' holds several KEY=VALUE: give each as a word of its own")
    quoted = shlex.quote(f'{key}="{value}"')
    advice = "" if set(value) & set("\"'\\") else f", such as {quoted}"
    return ConfigError(
        f"{word} cannot be read\n"
        f"  remedy: quote a value with special characters, and quote it for the shell too{advice}"
    )


def _meant(word: str) -> str:
    """Return ' Did you mean ...?' for a word without '='."""
    from prefrun.cli import COMMANDS

    if word.partition(".")[0] in GROUPS:
        return f" Did you mean '{word}=VALUE'?"
    named = [f"{group}={name}" for group, name in components() if name == word]
    return f" Did you mean '{named[0]}'?" if named else closest(word, list(COMMANDS))


def _composition(error: Exception) -> str:
    message = str(error)
    cause = _omegaconf_cause(error)
    if several := re.match(r"Ambiguous value for argument '(.*)'", message):
        key, _, value = several[1].partition("=")
        return (
            f"{several[1]} holds several values\n"
            f"  remedy: add -m to run each of them{_one_value(key, value)}"
        )
    if "is not a subclass of" in message:
        first = message.splitlines()[0]
        return f"{first}\n  remedy: choose one name per group, or -m to run several"
    if cause is None:
        return "\n".join(shorten(line, LONGEST_LINE) for line in message.splitlines()[:4])
    reason = str(cause).splitlines()[0]
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.key is not None:
        advice = _advice_on_key(str(cause.full_key or cause.key), cause)
        if message.startswith("Could not override"):  # its advice, '+key=value', is no use here
            return f"there is no key {cause.full_key}.{advice}"
        return f"{_without(reason, message)}{reason}.{advice}"
    if word := re.match("Error merging override (.*)", message):
        return f"{word[1]}: {reason}{_advice_on_value(reason)}{_advice_on_list(word[1], reason)}"
    where = f"{cause.full_key}: " if cause.full_key else ""
    return f"{_without(reason, message)}{where}{reason}{_advice_on_value(reason)}"


def _without(reason: str, message: str) -> str:
    """Return the first line of MESSAGE, which names the config file, unless it is REASON."""
    first = message.splitlines()[0] if message else ""
    if file := re.match(r"In '([^']+)': \w+ raised while composing config:", first):
        return f"{file[1]}.yaml: "
    return "" if reason in first or not first else f"{first}\n"


def _omegaconf_cause(error: BaseException) -> OmegaConfBaseException | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__ or cause.__context__  # Hydra does not always say `from`
    return cause


def _advice_on_key(full_key: str, cause: OmegaConfBaseException) -> str:
    """Name the closest key, the keys there are, and the choices that would have this one."""
    owner, parent = cause.object_type, cause.parent_node
    names = [str(name) for name in parent or ()]
    if owner is not None and dataclasses.is_dataclass(owner):
        names = [field.name for field in dataclasses.fields(owner)]
    group, _, key = full_key.partition(".")
    owners = [
        f"{group}={name}"
        for (other, name), component in components().items()
        if other == group and key in {field.name for field in dataclasses.fields(component.config)}
    ]
    advice = f"{closest(str(cause.key), names)} Keys: {', '.join(names)}" if names else ""
    if get_origin(cause.ref_type) is dict and full_key.count(".") > 1:  # a mapping of any keys
        return f"{advice}\n  remedy: add it with +{full_key}=VALUE"
    return f"{advice}\n  it is a key of {' and of '.join(owners)}" if owners else advice


def _advice_on_value(reason: str) -> str:
    allowed = re.match(r"Invalid value '(.*)', expected one of \[(.*)\]", reason)
    return closest(allowed[1], allowed[2].split(", ")) if allowed else ""


def _one_value(key: str, value: str) -> str:
    """Say how KEY takes 'a,b' of the command line without -m: as a list, as text, or not at all."""
    key = key.lstrip("+")
    a_list = f"; or give a list: {shlex.quote(f'{key}=[{value}]')}"
    quoted = shlex.quote(f'{key}="{value}"')
    as_text = "" if set(value) & set("\"'\\") else f"; or quote one value with commas: {quoted}"
    if key in GROUPS:
        return a_list if key == MANY else ""
    kind = type_of(key)
    if kind is None:
        return a_list + as_text
    if "list" in kind:
        return a_list
    return as_text if "str" in kind or "Any" in kind else ""


def _advice_on_list(word: str, reason: str) -> str:
    if "is not a ListConfig, list or tuple" not in reason:
        return ""
    key, _, value = word.partition("=")
    fixed = f"{key}=[{value.strip(chr(34) + chr(39))}]"
    return f"\n  remedy: a list stands in brackets: {shlex.quote(fixed)}"


def type_of(key: str) -> str | None:
    """Return the type of the dotted KEY of a run, as its schema has it; None for an unknown one."""
    from prefrun.commands.fields import all_keys_of
    from prefrun.schema import RunConfig

    group, _, name = key.partition(".")
    configs = [item.config for (owner, _), item in components().items() if owner == group]
    found = [(each.name, each.type) for config in configs for each in all_keys_of(config)]
    found += [(f"{group}.{name}", each.type) for each in all_keys_of(RunConfig) if each.name == key]
    if group == MANY:  # evaluator.NAME.KEY
        name = name.partition(".")[2]
    return next((kind for known, kind in found if known in (name, key)), None)
