"""Makes a loss file a choice like any other: `algo=./my_loss.py` becomes `algo=my_loss.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from prefrun.component import Component
from prefrun.errors import ConfigError
from prefrun.loss_file import configs
from prefrun.loss_file.algorithm import algorithm_class
from prefrun.loss_file.reading import SUFFIX, LossFile, read_loss_file
from prefrun.loss_file.signature import config_class
from prefrun.plugin_loading import Plugin
from prefrun.plugins import Registered, registered

GROUP = "algo"
ATTRIBUTE = "FileLoss"
FILES = re.compile(r"[^,()\[\]'\"]+\.py(?=\s*(?:$|[,()\[\]'\"]))")


def register_words(arguments: Sequence[str]) -> list[str]:
    """Register the loss files that `algo=` names; return ARGUMENTS with the choices' names.

    Raises ConfigError and PluginError where a file cannot be a loss.
    """
    return [_register_word(word) for word in arguments]


def _register_word(word: str) -> str:
    key, equals, value = word.partition("=")
    if key != GROUP:
        return word
    return key + equals + FILES.sub(lambda found: register_file(Path(found[0].strip())).name, value)


def register_file(path: Path) -> Component:
    """Register the loss in the file PATH as a component of this process, and return it.

    Raises ConfigError where PATH cannot be read or another file of that name is registered,
    PluginError where its content cannot be a loss.
    """
    path = path.expanduser().resolve()
    known = registered().get((GROUP, path.name))
    if known:
        other: LossFile = known.component.load().file
        if path.is_file() and path.read_bytes() == other.content:
            return known.component
        if other.path != path:
            raise ConfigError(
                f"{path} and {other.path} have the same name\n  remedy: rename one of them"
            )
    file = read_loss_file(path)
    name = configs.name_of(path)
    config = config_class(file, name, configs.__name__)
    algorithm = algorithm_class(file)
    setattr(file.module, ATTRIBUTE, algorithm)
    summary = algorithm.card.splitlines()[0]
    factory = f"{file.module.__name__}:{ATTRIBUTE}"
    component = Component(GROUP, path.name, config, factory, summary)
    plugin = Plugin(path.name, str(path), f"sha256 {file.sha256}", file.module.__name__)
    registered()[GROUP, path.name] = Registered(component, plugin)
    setattr(configs, name, config)
    return component


def is_file(name: str) -> bool:
    """Whether NAME is that of a loss file rather than of an installed choice."""
    return name.endswith(SUFFIX)
