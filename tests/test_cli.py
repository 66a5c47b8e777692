"""The front door: help without heavy imports, clear errors with the closest name, exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from prefrun.cli import COMMANDS

HEAVY = ("torch", "transformers", "trl", "wandb", "datasets", "numpy", "scipy", "matplotlib")


def imported_after(code: str) -> set[str]:
    """Run CODE in a fresh interpreter and return the top-level modules it imported."""
    show = f"{code}\nimport sys; print('\\n@' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.rpartition("@")[2].split()}


@pytest.mark.parametrize("words", [["--help"], ["report", "--help"], ["plugins"], []])
def test_help_and_plugins_import_neither_hydra_nor_anything_heavier(words):
    modules = imported_after(f"from prefrun.cli import main\nassert main({words!r}) == 0")
    assert not modules & {*HEAVY, "hydra", "omegaconf", "rich"}


def test_composing_a_configuration_imports_nothing_heavy():
    modules = imported_after(
        "from prefrun.compose import register_configs\n"
        "from prefrun.paths import conf_dir\n"
        "register_configs()\n"
        "import hydra\n"
        "with hydra.initialize_config_dir(str(conf_dir('prefrun')), version_base='1.3'):\n"
        "    hydra.compose('config')"
    )
    assert "hydra" in modules
    assert not modules & set(HEAVY)


@pytest.mark.usefixtures("demo")
def test_help_of_a_choice_shows_its_keys(prefrun):
    shown = prefrun("algo=demo", "--help").stdout
    assert "algo.beta=0.1" in shown
    assert "Scale, > 0." in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_its_words_and_runs_nothing(prefrun, command):
    done = prefrun(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"`prefrun {command}")
    assert len(done.stdout.splitlines()) >= 3


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("algo=dmo", "Did you mean 'demo'?"),
        ("algo.betaa=0.2", "Did you mean 'beta'?"),
        ("algo.beta=big", "could not be converted to Float"),
        ("algo.beta=-1", "algo.beta=-1.0 must be above 0"),
        ("sede=1", "Did you mean 'seed'?"),
        ("trainer.learning_rat=1", "Did you mean 'learning_rate'?"),
        ("trainer.learning_rate=0", "must be above 0"),
        ("+algo.other=1", "algo has no key other"),
        ("algo.beta=0.1,0.2", "algo.beta"),
    ],
)
def test_a_wrong_key_value_or_choice_is_refused_with_advice(prefrun, word, expected):
    words = [word] if word.startswith("algo=") else ["algo=demo", word]
    done = prefrun(*words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("demo")
def test_a_refused_run_leaves_nothing_behind(prefrun, tmp_path):
    prefrun("algo=demo", "algo.beta=-1")
    assert not list(tmp_path.glob("runs/*/*"))


def test_no_algorithm_says_what_to_type(prefrun):
    done = prefrun("seed=3")
    assert done.returncode == 2
    assert "choose algo=NAME" in done.stderr


@pytest.mark.usefixtures("demo")
def test_hydras_own_words_work(prefrun):
    assert "beta: 0.3" in prefrun("algo=demo", "--cfg", "job").stdout
    assert "plugin demo" in prefrun("--info", "searchpath").stdout
    completed = prefrun("-sc", "query=bash", COMP_LINE="prefrun algo=", COMP_POINT="13")
    assert "algo=demo" in completed.stdout


@pytest.mark.parametrize("words", [["explain"], ["explain", "nothing"], ["resume", "nowhere"]])
def test_a_command_with_wrong_words_ends_with_2(prefrun, words):
    done = prefrun(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_explain_names_the_whole_key_of_an_evaluator(prefrun):
    assert "evaluator.win_rate.tie_margin=" in prefrun("explain", "win_rate").stdout


def test_explain_names_the_keys_inside_a_key(prefrun):
    assert "\n  model.lora.rank=0  (int)\n      Rank of" in prefrun("explain", "hf").stdout


def test_explain_suggests_the_closest_name(prefrun):
    assert "Did you mean 'win_rate'?" in prefrun("explain", "winrate").stderr
