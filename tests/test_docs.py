"""The documents say what is so: keys, defaults, tables, links, sessions, docstrings, comments.

What a document says of a plugin is looked at where that plugin is installed.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from prefrun import hookspecs
from prefrun.cli import COMMANDS
from prefrun.commands.fields import Key, keys_of
from prefrun.component import GROUPS, Component
from prefrun.paths import conf_dir
from prefrun.plugins import plugin_manager, registered
from prefrun.schema import RunConfig
from prefrun.testing.context import RandomContext

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
PLUGIN_READMES = sorted(ROOT.glob("plugins/*/README.md"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))
MADE = ROOT / "docs/reference"  # as the site is built, which checks links to them
DOCUMENTS = [README, CONTRIBUTING, *PAGES, *PLUGIN_READMES]
PLUGINS = {path.parent.name for path in PLUGIN_READMES}
INSTALLED = {plugin.distribution for plugin in plugin_manager()[1]}
ABSENT = ", ".join(sorted(PLUGINS - INSTALLED))
HYDRAS_OWN = {"hydra/launcher": {"joblib"}}
OF_HYDRA = {path: OmegaConf.load(path) for path in ROOT.glob("plugins/*/conf/hydra/**/*.yaml")}
EXPERIMENTS = {path.stem: path for path in ROOT.glob("plugins/*/conf/experiment/*.yaml")}
COMPONENTS = [
    entry.component
    for entry in registered().values()
    if entry.plugin.distribution in {"prefrun", *PLUGINS}
]

FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NESTED = re.compile(r"\b([a-z]+)@((?:algo|reward)\.[\w.]+)=(\w+)")
"""A component inside another one: group, place and name."""
SETTING = re.compile(r"(?<![\w.@])(?<!-sc )([a-z_]+(?:[./][a-z_]+)*)=([^\s|`]*)")
CHECK = re.compile(r"(prefrun check \S+).*")  # after the name keys stand without their prefix
READERS_OWN = re.compile(rf"prefrun new \w+ (\w+)|(?:{'|'.join(GROUPS)})/(\w+)\.yaml")
"""How a document names a component that the reader makes."""
KEY_ROW = re.compile(r"^\| `(\w+(?:\.\w+)+)` \| (`[^`]*`|required) \|", re.MULTILINE)


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def distribution(component: Component) -> str:
    return registered()[component.group, component.name].plugin.distribution


def choices_of(group: str, document: Path) -> list[Component]:
    """Those that DOCUMENT may mean: where its plugin has some, these and others that it names."""
    choices = [each for each in COMPONENTS if each.group == group]
    near = ("prefrun", document.parent.name)
    if any(distribution(each) == near[1] for each in choices):
        text = document.read_text()
        return [e for e in choices if distribution(e) in near or f"{group}={e.name}" in text]
    return choices


def settings_in(document: Path) -> Iterator[tuple[str, str]]:
    """Every `key=value` a reader may type: of shell blocks and inline code, not of Python."""
    text = document.read_text()
    blocks = [body for language, body in FENCED.findall(text) if language in ("", "bash")]
    typed = "\n".join([*blocks, *CODE.findall(FENCED.sub("", text))])
    found = SETTING.findall(CHECK.sub(r"\1", typed))
    yield from (word for word in found if not word[1].startswith('"'))


def is_known(path: str, value: str, document: Path) -> bool:
    """Whether PATH is a key; where it is a group, whether VALUE names choices of it."""
    if path == "experiment":
        return value in EXPERIMENTS or value.isupper()
    if path.startswith("hydra/"):
        return value in HYDRAS_OWN.get(path, ()) or any(
            file.match(f"conf/{path}/{value}.yaml") for file in OF_HYDRA
        )
    if path.startswith("hydra."):
        return any(has_key(file, path) for file in OF_HYDRA)
    made = {"".join(names) for names in READERS_OWN.findall(document.read_text())}
    for group, place, _ in NESTED.findall(document.read_text()):
        if path == place:
            return is_known(group, value, document)
        if path.startswith(f"{place}."):
            return bool(find_keys(path.replace(place, group, 1), document))
    if path not in GROUPS:
        return bool(find_keys(path, document)) or bool(made & set(path.split(".")))
    names = {name for name in re.split(r"[\[\],']", value) if name and not name.isupper()}
    names = {name for name in names - made - {"..."} if not name.endswith(".py")}  # loss files
    return {(path, name) for name in names} <= set(registered())


def has_key(file: Path, path: str) -> bool:
    """Whether the Hydra choice in FILE has the key at PATH, or takes any key there."""
    group = file.parent.as_posix().partition("/conf/")[2].replace("/", ".")
    names = path.removeprefix(f"{group}.").split(".")
    if not path.startswith(f"{group}.") or names[0] not in OF_HYDRA[file]:
        return False
    return len(names) == 1 or OF_HYDRA[file][names[0]] == {}


def hydra_defaults(path: str) -> list[str]:
    """What the files of Hydra's choices give the key at PATH."""
    key = path.rpartition(".")[2]
    found = [OF_HYDRA[file][key] for file in OF_HYDRA if has_key(file, path)]
    return ["null" if value is None else str(value).lower() for value in found]


def find_keys(path: str, document: Path) -> list[Key]:
    """The keys at PATH, such as 'seed', 'algo.beta' or 'evaluator.win_rate.tie_margin'.

    Several components of a group may have a key of that name, with defaults of their own.
    """
    group, _, rest = path.partition(".")
    if group not in GROUPS:
        return list(filter(None, [descend(RunConfig, path)]))
    choices = choices_of(group, document)
    if group == "evaluator":
        name, _, rest = rest.partition(".")
        choices = [each for each in choices if each.name == name]
    return list(filter(None, (descend(each.config, rest) for each in choices)))


def descend(schema: type, path: str) -> Key | None:
    """The key at PATH of a dataclass, through the dataclasses and mappings inside it."""
    name, _, rest = path.partition(".")
    key = next((key for key in keys_of(schema) if key.name == name), None)
    if key is None or not rest:
        return key
    inner = {field.name: field.default_factory for field in dataclasses.fields(schema)}[name]
    if inner is dict:
        return key
    return descend(inner, rest) if isinstance(inner, type) else None


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_key_and_choice_exists(document):
    unknown = [word for word in settings_in(document) if not is_known(*word, document)]
    of_plugins = [word for word in unknown if word[0].partition(".")[0] in GROUPS]
    assert unknown == (of_plugins if ABSENT else [])
    if unknown:
        pytest.skip(f"{ABSENT} not installed, so not looked at: {len(unknown)} words")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_component_inside_another_exists(document):
    text = document.read_text()
    made = {"".join(names) for names in READERS_OWN.findall(text)}
    named = {(group, name) for group, _, name in NESTED.findall(text)}
    known = {(group, name) for group, name in named if name in made or name.isupper()}
    if not ABSENT:
        assert named - known <= set(registered())


@pytest.mark.parametrize("document", PLUGIN_READMES, ids=name_of)
def test_a_plugins_table_holds_every_key_and_its_default(document):
    if document.parent.name not in INSTALLED:
        pytest.skip(f"{document.parent.name} is not installed")
    rows = [
        (path, ("required", "null") if default == "required" else (default.strip("`"),))
        for path, default in KEY_ROW.findall(document.read_text())
    ]
    for path, allowed in rows:
        defaults = [key.default.lower() for key in find_keys(path, document)]
        if path.startswith("hydra."):
            defaults = hydra_defaults(path)
        assert any(default in allowed for default in defaults), f"{path}: {defaults}"
    for component in COMPONENTS:
        if distribution(component) == document.parent.name:
            for key in keys_of(component.config):
                path = f"{component.prefix}.{key.name}"
                listed = any(
                    (row == path and key.default.lower() in allowed) or row.startswith(f"{path}.")
                    for row, allowed in rows
                )
                assert listed, f"{path}={key.default} of {component.group}={component.name}"


CHOICES_OF_HYDRA = [file for file in OF_HYDRA if file.parents[1].name == "hydra"]


@pytest.mark.parametrize("file", CHOICES_OF_HYDRA, ids=lambda file: file.stem)
def test_every_key_of_a_launcher_or_sweeper_has_a_comment_and_a_row(file):
    readme = file.parents[3] / "README.md"
    listed = {path for path, _ in KEY_ROW.findall(readme.read_text())}
    commented = set(re.findall(r"^(\w+):.*#", file.read_text(), re.MULTILINE))
    keys = set(map(str, OF_HYDRA[file])) - {"defaults"}
    assert keys <= commented
    assert {f"hydra.{file.parent.name}.{key}" for key in keys} <= listed


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_named_in_its_plugins_readme(name):
    readme = EXPERIMENTS[name].parents[2] / "README.md"
    assert f"+experiment={name}" in readme.read_text()


def test_the_box_table_lists_every_choice_with_its_distribution():
    listed = set()
    for line in README.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[2].startswith("prefrun") and cells[2] in INSTALLED:
            group = ""
            for word in CODE.findall(cells[0]):
                before, _, name = word.rpartition("=")
                group = before or group
                listed.add((group, name, cells[2]))
    assert listed == {
        (each.group, each.name, distribution(each)) for each in COMPONENTS if each.name != "none"
    }


def test_the_commands_in_the_readme_are_those_of_the_program():
    assert set(re.findall(r"`prefrun ([a-z]+)(?= |`)", README.read_text())) == set(COMMANDS)


def test_the_sessions_in_contributing_exist():
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named = re.findall(r'nox -s "?(\w+)(?:\((.*?)\))?', CONTRIBUTING.read_text())
    assert named
    assert {name for name, _ in named} <= functions
    assert {parameter for _, parameter in named if parameter} <= PLUGINS


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_to_files_lead_somewhere(document):
    links = [link for link in LINK.findall(document.read_text()) if "://" not in link]
    files = [(document.parent / link.partition("#")[0]).resolve() for link in links]
    assert not [file for file in files if not file.exists() and MADE not in file.parents]


HOOKS = [value for name, value in vars(hookspecs).items() if name.startswith("prefrun_")]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_says_when_it_is_called_and_what_it_returns(hook):
    text = inspect.getdoc(hook) or ""
    assert "When: " in text
    assert "Return: " in text


def shipped_yaml(component: Component) -> Path:
    package = component.config.__module__.partition(".")[0]
    return conf_dir(package) / component.group / f"{component.name}.yaml"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: f"{each.group}={each.name}")
def test_every_key_is_explained_by_a_docstring_or_a_comment(component):
    text = shipped_yaml(component).read_text()
    commented = set(re.findall(r"^\s*(\w+):.*#", text, re.MULTILINE))
    assert not [key for key in unexplained(component.config) if key not in commented]


def unexplained(schema: type) -> Iterator[str]:
    inner = {field.name: field.default_factory for field in dataclasses.fields(schema)}
    for key in keys_of(schema):
        if dataclasses.is_dataclass(inner[key.name]):
            yield from unexplained(inner[key.name])
        elif not key.text:
            yield key.name


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: f"{each.group}={each.name}")
def test_a_shipped_file_gives_the_defaults_that_help_shows(component):
    schema = OmegaConf.structured(component.config)
    given = OmegaConf.load(shipped_yaml(component))
    given.pop("defaults")
    given = given.get(component.group, given)  # a file that sets keys of other sections, too
    assert OmegaConf.merge(schema, given) == schema


def test_evaluator_guide_samples_several_completions() -> None:
    guide = (ROOT / "docs/guides/evaluator.md").read_text()
    (code,) = (code for _, code in FENCED.findall(guide) if "policy.sample(" in code)
    known: dict[str, Any] = {}
    exec(compile(code, "evaluator.md", "exec"), known)
    found = known["found_by_one_of_four"](RandomContext(5))
    assert len(found) == 5
    assert set(found) <= {0.0, 1.0}
