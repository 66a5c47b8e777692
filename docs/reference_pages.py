"""Makes the site's reference from the program itself as mkdocs builds; the pages are not committed.

They list what is installed. mkdocs calls `on_files`.
"""

from __future__ import annotations

import dataclasses
import re
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from prefrun.cli import COMMANDS, INTERRUPTED, load_command, main
from prefrun.commands.explain import card_of
from prefrun.commands.fields import Key, all_keys_of
from prefrun.commands.help import command_help
from prefrun.component import GROUPS
from prefrun.errors import ConfigError, PrefrunError
from prefrun.paths import conf_dir
from prefrun.plugins import OWN_DISTRIBUTIONS, Registered, registered
from prefrun.schema import RunConfig

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

API = (
    "prefrun",
    "prefrun.hookspecs",
    "prefrun.component",
    "prefrun.errors",
    "prefrun.algorithm",
    "prefrun.needs",
    "prefrun.models.kind",
    "prefrun.training.step_loop",
    "prefrun.nesting",
    "prefrun.policy.batch",
    "prefrun.policy.policy",
    "prefrun.policy.standalone",
    "prefrun.records.tree",
    "prefrun.records.split",
    "prefrun.records.dataset",
    "prefrun.reward",
    "prefrun.evaluation.evaluator",
    "prefrun.evaluation.interval",
    "prefrun.tracker",
    "prefrun.training.services",
    "prefrun.testing",
)
"""The modules that a plugin may import."""
GROUP_TEXTS = {
    "algo": "What is trained, and by which loss.",
    "data": "The records: files, a data set of the hub, or a generator.",
    "model": "The policy that is trained; as it begins, it is also the reference.",
    "reward": "A judge of answers, for evaluators and for algorithms that ask for one.",
    "evaluator": "What is measured before and after, several at a time: `evaluator=[win_rate,kl]`.",
    "tracker": "What is told of a run's life, such as a logging service.",
}
EXIT_CODES = {
    0: "finished, or the answer is yes",
    PrefrunError.exit_code: "failed, or the answer of `check`, `rerun`, `cache verify` is no",
    ConfigError.exit_code: "the words, the configuration or the data cannot be used",
    INTERRUPTED: "Ctrl-C; a run has saved its state, and `prefrun resume` goes on with it",
}
HIDDEN = {
    "index.md": ["navigation"],
    "tutorial.md": ["navigation"],
    "methods.md": ["navigation", "toc"],
}
"""By page, the columns beside it that it does without."""
KEY_HEAD = ("| key | type | default | meaning |", "|---|---|---|---|")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to FILES."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, **_: Any) -> str:
    """Give the width of empty columns to the page."""
    if page.file.src_uri in HIDDEN:
        page.meta["hide"] = HIDDEN[page.file.src_uri]
    return markdown


def pages() -> dict[str, str]:
    """Return the Markdown of every page by its path in the site."""
    found = {f"reference/api/{module}.md": f"# {module}\n\n::: {module}\n" for module in API}
    found |= {f"reference/{group}.md": _group_page(group) for group in GROUPS}
    found["reference/run.md"] = _run_page()
    found["reference/command-line.md"] = _command_page()
    return found


def _command_page() -> str:
    with redirect_stdout(StringIO()) as shown:
        main(["--help"])
    lines = ["# The command line", "", "## prefrun --help", "", *_block(shown.getvalue(), "card")]
    for word in COMMANDS:
        lines += ["", f"## prefrun {word}", "", *_block(command_help(load_command(word)), "card")]
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {text} |" for code, text in EXIT_CODES.items()]
    return "\n".join(lines)


def _run_page() -> str:
    keys = [_as_chosen(key) for key in all_keys_of(RunConfig)]
    lines = [
        "# The keys of every run",
        "",
        "Each is typed as `key=value`, such as `trainer.max_steps=200`. Those of algorithms, data "
        "sets and the others are on the pages of their groups.",
        "",
        *KEY_HEAD,
        *(_row(key) for key in keys if "." not in key.name),
    ]
    for field in dataclasses.fields(RunConfig):
        schema: object = field.default_factory
        if isinstance(schema, type) and dataclasses.is_dataclass(schema):
            rows = [_row(key) for key in keys if key.name.startswith(f"{field.name}.")]
            lines += ["", f"## {field.name}", "", str(schema.__doc__), "", *KEY_HEAD, *rows]
    return "\n".join(lines)


def _as_chosen(key: Key) -> Key:
    """KEY with the default that conf/config.yaml gives it, where that chooses for it."""
    chosen = {"output_dir": "runs/..."}
    for entry in OmegaConf.load(conf_dir("prefrun") / "config.yaml").defaults:
        if isinstance(entry, DictConfig):
            chosen |= {str(group).split()[-1]: str(choice) for group, choice in entry.items()}
    return dataclasses.replace(key, default=chosen.get(key.name, key.default))


def _group_page(group: str) -> str:
    entries = [entry for (owner, _), entry in registered().items() if owner == group]
    lines = [f"# {group}", "", GROUP_TEXTS[group], ""]
    lines += ["| choice | what it is | distribution |", "|---|---|---|"]
    for entry in entries:
        name, summary = entry.component.name, _cell(entry.component.summary)
        lines.append(f"| [`{name}`](#{name}) | {summary} | {_distribution(entry)} |")
    for entry in entries:
        lines += ["", *_component(entry)]
    return "\n".join(lines)


def _component(entry: Registered) -> list[str]:
    component = entry.component
    keys = [
        dataclasses.replace(key, name=f"{component.prefix}.{key.name}")
        for key in all_keys_of(component.config)
    ]
    return [
        f"## {component.group}={component.name} {{ #{component.name} }}",
        "",
        f"From {_distribution(entry)}: {_cell(component.summary)}.",
        "",
        *_block(card_of(component), "card"),
        "",
        *([*KEY_HEAD, *map(_row, keys)] if keys else ["It has no keys."]),
    ]


def _distribution(entry: Registered) -> str:
    """The name of the plugin's distribution, with a link to its page where it has one."""
    name = entry.plugin.distribution
    has_page = name in OWN_DISTRIBUTIONS and name != "prefrun"
    return f"[{name}](../../plugins/{name}/README.md)" if has_page else name


def _row(key: Key) -> str:
    return f"| `{key.name}` | `{key.type}` | `{key.default}` | {_cell(key.text)} |"


def _cell(text: str) -> str:
    """TEXT as it stands, in a table: nothing of it is HTML, emphasis or the end of a cell."""
    parts = text.split("`")  # every other one is code
    parts[::2] = [re.sub(r"([*_|\\\[\]])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = [part.replace("&", "&amp;").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def _block(text: str, look: str = "") -> list[str]:
    classes = f"{{ .text .{look} }}" if look else "text"
    return [f"``` {classes}", text.rstrip(), "```"]
