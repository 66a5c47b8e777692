"""`prefrun new KIND NAME`: a small plugin that installs, passes its test and runs as it stands."""

from __future__ import annotations

import keyword
import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from prefrun.errors import ConfigError, closest
from prefrun.hookspecs import API
from prefrun.plugins import plugin_manager, registered

TEMPLATES = Path(__file__).parents[1] / "templates"
"""`common`, and a folder per kind; NAME in a path is the plugin's name, `.txt` is taken off."""
VALID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
USAGE = "usage: prefrun new algorithm|data|reward|evaluator NAME [--output DIR]"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the common templates say of one kind of plugin."""

    group: str
    module: str
    summary: str
    example: str
    """A command that uses it."""
    more: str = ""
    """Further dependencies, as in pyproject.toml."""
    row: str = ""
    """Of a further file, for the README's table."""


KINDS = {
    "algorithm": Kind(
        "algo",
        "algo",
        "logistic loss of every ordered pair of a list",
        "prefrun algo=$name data=ultrafeedback",
        ', "torch>=2.6"',
        "| `$package/loss.py` | the formula |\n",
    ),
    "data": Kind(
        "data",
        "source",
        "generated sums, each with a right and a wrong answer",
        "prefrun algo=dpo data=$name",
    ),
    "reward": Kind(
        "reward",
        "judge",
        "prefers answers of a certain length",
        "prefrun algo=dpo data=ultrafeedback reward=$name",
    ),
    "evaluator": Kind(
        "evaluator",
        "measure",
        "share of distinct words in sampled answers",
        "prefrun algo=dpo data=ultrafeedback 'evaluator=[$name]'",
    ),
}


def new(arguments: list[str]) -> int:
    """Write the package and print what to do next. Returns 0.

    KIND is algorithm, data, reward or evaluator. --output DIR: the folder, default prefrun-NAME.
    Raises ConfigError for a bad or taken name, or a folder that exists or cannot be written.
    """
    kind, name, output = _read(arguments)
    _check_name(KINDS[kind].group, name)
    folder = Path(output or f"prefrun-{name.replace('_', '-')}")
    try:
        folder.mkdir(parents=True)
        files = _write(kind, name, folder)
    except FileExistsError:
        raise ConfigError(f"{folder} exists: choose another folder with --output DIR") from None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror or error}") from error
    print(f"{folder}:")
    for file in files:
        print(f"  {file}")
    example = Template(KINDS[kind].example).substitute(name=name)
    place = shlex.quote(str(folder))
    print(f"\nnext:\n  pip install -e {place}\n  prefrun check {name}\n  {example}")
    print(f"\n{folder / 'README.md'} says what each file is for, and how to publish it")
    return 0


def _read(arguments: list[str]) -> tuple[str, str, str | None]:
    """Return kind, name and output folder."""
    words, output = list(arguments), None
    if "--output" in words:
        place = words.index("--output")
        if place + 1 == len(words):
            raise ConfigError(f"--output needs a folder. {USAGE}")
        output = words[place + 1]
        del words[place : place + 2]
    if len(words) != 2 or any(word.startswith("-") for word in words):
        raise ConfigError(USAGE)
    kind, name = words
    if kind not in KINDS:
        raise ConfigError(f"there is no kind '{kind}'.{closest(kind, list(KINDS))} {USAGE}")
    return kind, name, output


def _is_name(name: str) -> bool:
    return bool(VALID.fullmatch(name)) and not keyword.iskeyword(name)


def _check_name(group: str, name: str) -> None:
    if not _is_name(name):
        near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        raise ConfigError(
            f"'{name}' cannot be a name: use lower-case letters, digits and single underscores, "
            "beginning with a letter, and no word of Python's own; such as "
            f"{near if _is_name(near) else 'my_loss'}"
        )
    if (group, name) in registered():
        plugin = registered()[group, name].plugin
        raise ConfigError(
            f"{group}={name} is taken by {plugin.distribution} {plugin.version}: choose another"
        )
    package = f"prefrun_{name}"
    if name in {plugin.name for plugin in plugin_manager()[1]} or find_spec(package):
        raise ConfigError(f"a plugin '{name}' ({package}) is installed already: choose another")


def _write(kind: str, name: str, folder: Path) -> list[str]:
    """Render the templates of KIND into FOLDER; return the files' paths in it."""
    chosen = KINDS[kind]
    values = {
        "kind": kind,
        "name": name,
        "title": "".join(part.capitalize() for part in name.split("_")),
        "group": chosen.group,
        "module": chosen.module,
        "package": f"prefrun_{name}",
        "distribution": f"prefrun-{name.replace('_', '-')}",
        "summary": chosen.summary,
        "choice": f"evaluator=[{name}]" if kind == "evaluator" else f"{chosen.group}={name}",
        "example": Template(chosen.example).substitute(name=name),
        "row": Template(chosen.row).substitute(package=f"prefrun_{name}"),
        "more": chosen.more,
        "api": str(API),
    }
    written = []
    for part in ("common", kind):
        for source in sorted((TEMPLATES / part).rglob("*.txt")):
            path = source.relative_to(TEMPLATES / part).as_posix()
            path = path.removesuffix(".txt").replace("NAME", name)
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(source.read_text("utf-8")).substitute(values), "utf-8")
            written.append(path)
    return sorted(written)
