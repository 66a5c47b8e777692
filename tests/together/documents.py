"""What documents show: fenced blocks, the commands in them, and small settings for those."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, fields
from textwrap import dedent

from prefrun.algorithm import TRAINER_KEYS
from prefrun.cli import COMMANDS
from prefrun.plugins import components
from prefrun.testing.composition import compose_settings
from tests.together.conftest import SMALL

QUICK = (*SMALL, "trainer.max_steps=2")
ONLY_SHOW = {"--cfg", "--help", "-h", "--info", "--version"}
_FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    line: int
    """Of the opening fence, from 1."""
    language: str
    title: str
    """Path of the file it shows; '' for none."""
    text: str

    def commands(self) -> Iterator[tuple[int, str]]:
        """Yield the line and text of each command; `\\` joins lines, `&&` parts commands."""
        number, joined = self.line, ""
        for line in self.text.splitlines():
            number += 1
            joined += line.removesuffix("\\")
            if not line.endswith("\\"):
                for part in joined.split(" && "):
                    if part.strip() and not part.startswith("#"):
                        yield number, part.strip()
                joined = ""


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a document that name their language."""
    found = []
    for fence in _FENCE.finditer(text):
        title = _TITLE.search(fence[3])
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(line, fence[2], title[1] if title else "", dedent(fence[4])))
    return found


def typed(text: str) -> list[str]:
    """Return the prefrun commands of a document's shell blocks."""
    shown = [block for block in blocks(text) if block.language == "bash"]
    commands = [command for block in shown for _, command in block.commands()]
    return [command for command in commands if command.startswith("prefrun ")]


def settings(words: list[str]) -> dict[str, str]:
    """Return value by key."""
    return dict(word.split("=", 1) for word in words if "=" in word)


def trains(words: list[str]) -> bool:
    """Whether `prefrun WORDS` runs jobs."""
    return bool(words) and words[0] not in COMMANDS and not ONLY_SHOW & set(words)


def small_settings(words: list[str]) -> list[str]:
    """Return what makes the jobs of `prefrun WORDS` small, without what the words set."""
    given = settings(words)
    small = settings(list(QUICK))
    data = components().get(("data", given.get("data", "")))
    if data is None or "max_records" not in {field.name for field in fields(data.config)}:
        del small["data.max_records"]
    refused = {f"trainer.{key}" for key in TRAINER_KEYS - trainer_keys(given)}
    return [f"{key}={value}" for key, value in small.items() if key not in {*given, *refused}]


def trainer_keys(given: dict[str, str]) -> frozenset[str]:
    """Return the keys of `trainer` that the algorithm of the settings GIVEN reads."""
    component = components().get(("algo", given.get("algo", "")))
    if component is None:  # several, an experiment's or a file's
        return TRAINER_KEYS
    own = [
        f"{key.removeprefix('algo.')}={value}"
        for key, value in given.items()
        if key.startswith("algo.") and "," not in value
    ]
    keys: frozenset[str] = component.make(compose_settings(component, own)).trainer_keys
    return keys


def words_of(command: str) -> list[str]:
    """Return the words after `prefrun`."""
    return shlex.split(command)[1:]
