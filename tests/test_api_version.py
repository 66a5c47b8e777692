"""A plugin of the first generation works as hooks grow; one of the next says what it needs."""

from __future__ import annotations

from importlib import invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prefrun import hookspecs, plugins

FIRST = (Path(__file__).parent / "data" / "first_generation_plugin.py").read_text()
NEW_HOOK = '''

@hookspec
def prefrun_added_later(run: Run) -> None:
    """A hook of the next generation."""
'''
ARGUMENTS: dict[str, dict[str, Any]] = {
    "prefrun_run_configured": {"run": "R"},
    "prefrun_run_started": {"run": "R"},
    "prefrun_step_logged": {"run": "R", "step": 1, "metrics": {"loss": 0.5}},
    "prefrun_checkpoint_written": {"run": "R", "step": 1, "path": Path("c")},
    "prefrun_run_finished": {"run": "R", "summary": {"steps": 1}},
    "prefrun_run_failed": {"run": "R", "error": ValueError("no")},
    "prefrun_report_section": {"directory": Path("d"), "folder": Path("f")},
    "prefrun_comparison_section": {"directories": [Path("d")], "folder": Path("f")},
    "prefrun_comparison_written": {
        "comparison": "C",
        "directories": [Path("d")],
        "folder": Path("f"),
    },
}


def next_generation() -> ModuleType:
    """The hooks of today and one more, each with one more argument."""
    source = Path(hookspecs.__file__).read_text()
    for hook in ARGUMENTS:
        begin = source.index(f"def {hook}(")
        end = source.index(") -> ", begin)
        source = f"{source[:end].rstrip().rstrip(',')}, added_later: object{source[end:]}"
    grown = ModuleType("grown")
    exec(compile(source.replace("API = 1", "API = 2") + NEW_HOOK, "grown", "exec"), vars(grown))
    return grown


@pytest.fixture
def fresh_plugins(plugin_folder, monkeypatch):
    """What is in the plugin folder is found, in this process."""
    monkeypatch.syspath_prepend(str(plugin_folder))
    invalidate_caches()
    plugins.forget()
    yield
    plugins.forget()


@pytest.mark.usefixtures("fresh_plugins")
def test_a_first_generation_plugin_works_where_hooks_have_more_arguments(make_plugin, monkeypatch):
    make_plugin("first", FIRST)
    others = [point.name for point in entry_points(group="prefrun") if point.name != "first"]
    monkeypatch.setenv("PREFRUN_BLOCK", ",".join(others))
    monkeypatch.setattr(plugins, "hookspecs", next_generation())
    manager, found = plugins.plugin_manager()
    assert {plugin.name: plugin.error for plugin in found}["first"] is None
    assert plugins.components()["algo", "first"].summary == "of the first generation"
    assert manager.hook.prefrun_added_later(run="R") == []
    plugin = manager.get_plugin("first")
    assert plugin.prefrun_config_dir().name == "conf"
    for hook, arguments in ARGUMENTS.items():
        getattr(manager.hook, hook)(**arguments, added_later=object())
        assert (hook, *arguments.values()) == plugin.CALLS[-1]


def test_the_first_generation_has_every_hook_of_api_1():
    hooks = {name for name in vars(hookspecs) if name.startswith("prefrun_")}
    assert hookspecs.API > 1 or all(f"def {hook}(" in FIRST for hook in hooks)


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("text", ["", "import prefrun.made_in_the_next_version\n"])
def test_a_plugin_for_a_newer_api_is_not_loaded_and_says_what_it_needs(prefrun, make_plugin, text):
    make_plugin("newer", f"print('it runs')\n{text}prefrun_api = 2\n")
    done = prefrun("plugins")
    assert done.returncode == 0
    assert "needs prefrun API 2, this is 1: upgrade prefrun" in done.stdout
    assert "it runs" not in done.stdout
    assert "prefrun_demo.algo:Demo" in done.stdout


@pytest.mark.parametrize("declared", ["prefrun_api = 1", "prefrun_api: int = 0", ""])
def test_a_plugin_for_this_or_an_older_api_is_loaded(prefrun, make_plugin, declared):
    make_plugin("first", f"{FIRST}\n{declared}\n")
    done = prefrun("plugins")
    assert "broken: first" not in done.stdout
    assert "prefrun_first.algo:First" in done.stdout


@pytest.mark.parametrize("declared", ["'1'", "1.0", "True", "max(1, 2)"])
def test_a_declaration_that_is_no_number_is_refused(prefrun, make_plugin, declared):
    make_plugin("odd", f"prefrun_api = {declared}\n")
    assert "prefrun_api must be a plain whole number, such as 1" in prefrun("plugins").stdout
