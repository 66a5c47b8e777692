"""Refuses a configuration file that would fill the memory: huge, or grown by aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from prefrun.errors import ConfigError

LARGEST_FILE = 1 << 20
"""Bytes of text."""
MOST_VALUES = 100_000
"""Of a file, after every alias was replaced by what it stands for."""
DEEPEST = 50
"""Mappings and lists inside one another."""


def check_size(file: Path) -> None:
    """Raise ConfigError where the YAML in FILE exceeds one of the limits. Expands no alias.

    What is no YAML at all is left to those who read the file.
    """
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise _too_large(file, f"is larger than {LARGEST_FILE:,} bytes")
        root = yaml.compose(file.read_bytes(), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return
    except RecursionError as error:
        raise _too_large(file, "is nested too deeply") from error
    if root is not None:
        _count(root, file, {}, 1)


def _count(node: Any, file: Path, known: dict[int, int], depth: int) -> int:
    """Return how many values NODE stands for; KNOWN holds the counts of nodes, None = in work."""
    key = id(node)
    if key in known:
        if not known[key]:
            raise _too_large(file, f"holds itself by an alias, {_place(node)}")
        return known[key]
    if depth > DEEPEST:
        raise _too_large(file, f"is nested more than {DEEPEST} deep, {_place(node)}")
    known[key] = 0
    total = 1
    for item in _items(node):
        total += _count(item, file, known, depth + 1)
        if total > MOST_VALUES:
            problem = f"holds more than {MOST_VALUES:,} values once its aliases are replaced"
            raise _too_large(file, f"{problem}, {_place(node)}")
    known[key] = total
    return total


def _items(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _place(node: Any) -> str:
    return f"line {node.start_mark.line + 1}"


def _too_large(file: Path, problem: str) -> ConfigError:
    return ConfigError(
        f"{file} {problem}: this is no configuration that a run could use\n"
        "  remedy: remove the aliases and the values that nobody reads"
    )
