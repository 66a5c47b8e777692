"""An environment full of careless plugins: each is told, with its place; nothing else stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DEMO, DEMO_YAML, Run, command, install_plugin

TWO_LINES = "defaults:\n  - /schema/algo/{0}@_here_\n  - _self_\n"
HEAD = """
from dataclasses import dataclass
from prefrun import Component, conf_dir, hookimpl


@dataclass
class Config:
    beta: float = 0.1


"""


def listing(expression: str, more: str = "") -> str:
    """A plugin whose components are EXPRESSION."""
    return f"{HEAD}{more}@hookimpl\ndef prefrun_components():\n    return {expression}\n"


def one(name: str, config: str = "Config", factory: str = "prefrun_odd:Odd") -> str:
    return f"[Component('algo', '{name}', {config}, '{factory}', 'a summary')]"


def config_dir(name: str) -> str:
    return f"\n@hookimpl\ndef prefrun_config_dir():\n    return conf_dir('prefrun_{name}')\n"


CARELESS = {
    "raises": "import os\n\nraise RuntimeError('out of cheese')",
    "exits": "import sys\n\nsys.exit('no licence')",
    "nothing": listing("None"),
    "numbers": listing("[1]"),
    "groupless": listing("[Component('alg', 'groupless', Config, 'a:b', 'c')]"),
    "plainclass": listing(one("plainclass", "dict")),
    "factoryless": listing(one("factoryless", factory="somewhere")),
    "chatty": "import sys\n\nprint('hello from chatty')\nsys.stdout.buffer.write(b'and bytes')",
    "heavy": "import sys\n\nimport scipy",
    "folderless": listing(one("folderless")) + config_dir("folderless"),
    "signature": HEAD + "@hookimpl\ndef prefrun_step_logged(run, stepp):\n    pass\n",
    "wrapper": HEAD + "@hookimpl(hookwrapper=True)\ndef prefrun_run_started(run):\n    yield\n",
    "thief": listing(one("dpo")) + config_dir("thief"),
    "odd": listing(one("odd", factory="prefrun_odd.nowhere:Odd")) + config_dir("odd"),
    "typo": listing(one("typo", factory="prefrun_typo:Typpo"), "class Typo:\n    pass\n\n\n")
    + config_dir("typo"),
    "unloadable": listing(one("unloadable", factory="prefrun_unloadable.algo:Algo"))
    + config_dir("unloadable"),
    "borrower": listing(
        one("borrower", "DpoConfig"), "from prefrun_pairwise.config import DpoConfig\n\n\n"
    )
    + config_dir("borrower"),
    "schemaless": listing(
        one("schemaless", "Bad"), "@dataclass\nclass Bad:\n    x: complex = 1j\n\n\n"
    )
    + config_dir("schemaless"),
    "onename": listing(one("onename")),
}
FILES = {
    name: {f"algo/{name}.yaml": TWO_LINES.format(name)}
    for name in ("odd", "typo", "unloadable", "borrower", "schemaless")
}
FILES["thief"] = {"algo/dpo.yaml": TWO_LINES.format("dpo")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, and a good one."""
    folder = tmp_path_factory.mktemp("site")
    install_plugin(folder, "demo", DEMO, {"algo/demo.yaml": DEMO_YAML})
    for name, code in CARELESS.items():
        install_plugin(folder, name, code, FILES.get(name))
    (folder / "prefrun_unloadable/algo.py").write_text("import os\n\nos.no_such_thing\n")
    same = "[prefrun]\nonename = prefrun_samename\n"
    install_plugin(folder, "samename", listing(one("samename")), entry=same)
    install_plugin(folder, "valueless", "", entry="[prefrun]\nvalueless = not a module!\n")
    install_plugin(folder, "nameless", "")
    (folder / "prefrun_nameless-1.2.3.dist-info/METADATA").unlink()
    return folder


@pytest.fixture(scope="module")
def careless(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The command among them."""
    return command(site, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def listed(careless: Run):
    """What `prefrun plugins` says."""
    return careless("plugins")


TOLD = {
    "raises": ("broken", "RuntimeError: out of cheese (", "/prefrun_raises/__init__.py:3)"),
    "exits": ("broken", "SystemExit: no licence", "/prefrun_exits/__init__.py:3)"),
    "nothing": ("broken", "must return a list of Component, not NoneType", "__init__.py:11)"),
    "numbers": ("broken", "1 is a int, no Component", "/prefrun_numbers/__init__.py:11)"),
    "groupless": ("broken", "unknown group 'alg'", "/prefrun_groupless/__init__.py:11)"),
    "plainclass": ("broken", "its config must be a dataclass, not <class 'dict'>", ":11)"),
    "factoryless": ("broken", "its factory must be 'module:attribute', not 'somewhere'", ":11)"),
    "chatty": ("warning", "prints as it is listed", "/prefrun_chatty/__init__.py:3)"),
    "heavy": ("warning", "scipy as it is listed", "/prefrun_heavy/__init__.py:3)"),
    "folderless": ("warning", "has no configuration files", "'prefrun_folderless' has no conf/"),
    "signature": ("broken", "stepp", "prefrun_step_logged"),
    "wrapper": ("broken", "must be no wrapper", "/prefrun_wrapper/__init__.py:11)"),
    "valueless": ("broken", "entry_points.txt cannot be read", "prefrun_valueless-1.2.3"),
}


@pytest.mark.parametrize("name", TOLD)
def test_each_is_told_with_what_is_wrong_and_where(listed, name):
    kind, reason, place = TOLD[name]
    found = [part for part in listed.stdout.split("\n\n") if part.startswith(f"{kind}: ")]
    (told,) = [part for part in found if f"prefrun-{name}" in part]
    assert reason in told
    assert place in told
    assert "PREFRUN_BLOCK=" in told


def test_names_that_are_claimed_twice_are_told_with_both(listed):
    for claim in ("algo=dpo is claimed twice", "algo/dpo.yaml is shipped twice"):
        assert f"broken: {claim}: by prefrun-pairwise" in listed.stdout
    assert "and by prefrun-thief 1.2.3 (prefrun_thief)" in listed.stdout
    assert "algo=borrower of prefrun-borrower 1.2.3 (prefrun_borrower) has the config class of" in (
        listed.stdout
    )


def test_the_list_is_whole_and_clean(listed):
    assert listed.returncode == 0
    assert "Traceback" not in listed.stdout + listed.stderr
    rows = [line.split() for line in listed.stdout.partition("\n\n")[0].splitlines()]
    names = {row[0] for row in rows}
    assert rows[0][0] == "name"
    assert {"demo", "lipo", "dpo", "folderless", "onename", "samename"} <= names
    assert next(row for row in rows if row[:2] == ["dpo", "algo"])[3] == "prefrun-pairwise"
    assert "hello from chatty" not in listed.stdout
    assert "plugin chatty printed" in listed.stderr


def test_help_shows_the_others(careless):
    done = careless("--help")
    assert done.returncode == 0
    assert "a demonstration" in done.stdout
    assert "hello from chatty" not in done.stdout


def test_the_configuration_of_another_algorithm_is_printed_and_nothing_else(careless):
    done = careless("algo=demo", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    first, *_ = done.stdout.splitlines()
    assert first == "output_dir: ???"
    assert "hello" not in done.stdout


def test_a_name_of_this_project_stays_its_own_and_says_who_else_wants_it(careless):
    done = careless("algo=dpo", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "loss_type" in done.stdout or "label_smoothing" in done.stdout
    assert done.stderr.count("prefrun-thief") == 2


CHOSEN = {
    "odd": "there is no module 'prefrun_odd.nowhere'",
    "typo": "/prefrun_typo/__init__.py has no 'Typpo'. Did you mean 'Typo'?",
    "unloadable": "/prefrun_unloadable/algo.py:3)",
    "borrower": "give it a dataclass of its own",
    "schemaless": "is no schema for Hydra",
    "folderless": "has no file algo/folderless.yaml in the conf/ folder of prefrun-folderless",
}


@pytest.mark.parametrize("name", CHOSEN)
def test_who_chooses_one_is_told_why_not(careless, name):
    done = careless(f"algo={name}", "data=ultrafeedback", "data.max_records=8")
    assert done.returncode == 2, done.stderr
    assert CHOSEN[name] in done.stderr
    assert f"algo={name}" in done.stderr
    assert "Traceback" not in done.stderr


def test_metadata_that_break_every_look_for_entry_points_cost_no_list(prefrun, make_plugin):
    """They stop torch, too; so that the list must say whose they are."""
    make_plugin("pairless", "", entry="[prefrun]\nno equals sign\n")
    done = prefrun("plugins")
    assert done.returncode == 0, done.stderr
    assert "entry_points.txt cannot be read" in done.stdout
    assert "prefrun_pairless-1.2.3.dist-info" in done.stdout
    assert "prefrun_lipo.algo" in done.stdout
