"""Configuration names no code, files of weights run none, models bring none, secrets stay out."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefrun.plugins import OWN_DISTRIBUTIONS

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for part in ("prefrun", "plugins", "tests", "benchmarks", "docs")
    for path in sorted((ROOT / part).rglob("*.py"))
]
REFUSED = "no class of prefrun or an installed plugin"
PLANT = "pathlib.Path('planted').touch()"
PLANTING = """
from pathlib import Path

def plant(**words):
    Path("planted").touch()
"""


def calls(path: Path, name: str) -> Iterator[ast.Call]:
    """Calls in the file at PATH whose function ends in NAME, such as 'torch.load'."""
    text = path.read_text(encoding="utf-8")
    if name.rpartition(".")[2] in text:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and re.search(rf"\b{name}$", ast.unparse(node.func)):
                yield node


def keyword(call: ast.Call, name: str) -> object:
    """The literal that CALL passes as NAME; None where it passes none."""
    values = [each.value for each in call.keywords if each.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


@pytest.mark.parametrize(
    "words",
    [
        ["+hydra.callbacks.x._target_=planting.plant"],
        ["-m", "seed=1,2", "+hydra.callbacks.x._target_=planting.plant"],
        ["-m", "seed=1,2", "hydra.sweeper._target_=planting.plant"],
        ["-m", "seed=1,2", "hydra.launcher._target_=planting.plant"],
        ["+hydra.callbacks.x._target_=prefrun.sweep.os.system", "+hydra.callbacks.x.command=true"],
        ["+hydra.callbacks.x._target_=hydra.utils.get_method", "+hydra.callbacks.x.path=os.system"],
        ["+algo._target_=planting.plant"],
        ["+evaluator.x._target_=planting.plant"],
    ],
)
@pytest.mark.usefixtures("demo")
def test_a_target_on_the_command_line_is_refused(prefrun, plugin_folder, tmp_path, words):
    (plugin_folder / "planting.py").write_text(PLANTING)
    done = prefrun(*words, "algo=demo")
    assert done.returncode == 2, done.stdout + done.stderr
    assert REFUSED in done.stderr
    assert "trust_code=true" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    "text",
    [
        "hydra:\n  callbacks:\n    x:\n      _target_: planting.plant\n",
        "hydra:\n  callbacks:\n    x: ${oc.create:'{_target_:planting.plant}'}\n",
        "evaluator:\n  make: create\nhydra:\n  callbacks:\n"
        "    x: ${oc.${evaluator.make}:'{_target_:planting.plant}'}\n",
        "hydra:\n  callbacks:\n    x: ${evaluator.word}\n"
        "evaluator:\n  word:\n    _target_: planting.plant\n",
        "hydra:\n  job_logging:\n    version: 1\n    formatters:\n      x:\n"
        "        (): planting.plant\n",
    ],
)
@pytest.mark.usefixtures("demo")
def test_a_target_in_a_file_is_refused_even_where_the_file_trusts_itself(
    prefrun, plugin_folder, tmp_path, text
):
    (plugin_folder / "planting.py").write_text(PLANTING)
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text(f"# @package _global_\ntrust_code: true\n{text}")
    words = ["--config-dir", "mine", "algo=demo", "+experiment=bad"]
    done = prefrun(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "is refused" in done.stderr
    assert not (tmp_path / "planted").exists()


@pytest.mark.usefixtures("demo")
def test_a_target_that_the_user_trusts_is_called(prefrun, plugin_folder, tmp_path):
    (plugin_folder / "planting.py").write_text(PLANTING)
    words = ("algo=demo", "+hydra.callbacks.x._target_=planting.plant")
    assert prefrun(*words).returncode == 2
    assert not (tmp_path / "planted").exists()
    prefrun(*words, "trust_code=true")
    assert (tmp_path / "planted").exists()


STRANGERS = {
    "runs code": (
        "hydra: {job_logging: {version: 1, root: {handlers: [x]},"
        " handlers: {x: {class: planting.plant}}}}"
    ),
    "truncates a file": (
        "hydra: {job_logging: {version: 1, root: {handlers: [x]},"
        " handlers: {x: {class: logging.FileHandler, filename: keep.txt, mode: w}}}}"
    ),
    "sends a key": "hydra: {job: {env_set: {WANDB_BASE_URL: 'http://127.0.0.1:18099'}}}",
}


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("text", STRANGERS.values(), ids=STRANGERS)
def test_a_strangers_file_does_none_of_what_its_logging_and_variables_ask(
    prefrun, plugin_folder, tmp_path, text
):
    (plugin_folder / "planting.py").write_text(PLANTING)
    (tmp_path / "keep.txt").write_text("kept")
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "paper.yaml").write_text(f"# @package _global_\n{text}\n")
    done = prefrun("--config-dir", "mine", "+experiment=paper", "algo=demo")
    assert done.returncode == 2
    assert "experiment/paper.yaml sets hydra." in done.stderr
    assert (tmp_path / "keep.txt").read_text() == "kept"
    assert not (tmp_path / "planted").exists()


@pytest.mark.usefixtures("demo")
def test_the_users_own_logging_and_variables_are_used(prefrun, tmp_path):
    (tmp_path / "keep.txt").write_text("kept")
    handler = "class: logging.FileHandler, filename: keep.txt, mode: w"
    logging = f"{{version: 1, root: {{handlers: [x]}}, handlers: {{x: {{{handler}}}}}}}"
    prefrun("algo=demo", f"++hydra.job_logging={logging}")
    assert (tmp_path / "keep.txt").read_text() == ""


@pytest.mark.parametrize("word", ["hydra.output_subdir=.hydra", "++hydra.output_subdir=x"])
def test_hydras_copy_of_the_configuration_is_refused(prefrun, word):
    done = prefrun("algo=lipo", word)
    assert done.returncode == 2
    assert "would hold its secrets" in done.stderr


@pytest.mark.usefixtures("demo")
def test_targets_of_hydra_and_of_plugins_need_no_trust(prefrun, plugin_folder):
    code = "\nfrom hydra.experimental.callback import Callback\n\nclass Mine(Callback):\n    pass\n"
    (plugin_folder / "prefrun_demo" / "mine.py").write_text(code)
    done = prefrun("algo=demo", "+hydra.callbacks.x._target_=prefrun_demo.mine.Mine")
    assert "choose data=NAME" in done.stderr
    target = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
    done = prefrun("-m", "algo=demo", "seed=1,2", f"hydra.launcher._target_={target}")
    assert "choose data=NAME" in done.stderr


@pytest.mark.parametrize("word", ["--experimental-rerun", "--experimental-rerun=x", "--exp"])
def test_no_pickled_configuration_is_read(prefrun, tmp_path, word):
    (tmp_path / "x").write_bytes(b"cos\nsystem\n(S'touch planted'\ntR.")
    done = prefrun(word, *([] if "=" in word else ["x"]))
    assert done.returncode == 2
    assert "no pickled configuration" in done.stderr
    assert not (tmp_path / "planted").exists()


THE_USERS_OWN_FILE = "prefrun/loss_file/reading.py"
"""Runs the file that `algo=./my_loss.py` names, as importing a plugin would."""


def test_nothing_here_evaluates_text():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile")
        and path not in (Path(__file__), ROOT / THE_USERS_OWN_FILE)
        and "tests" not in path.parts
    ]
    assert found == []


def test_weights_are_loaded_without_running_code():
    loads = [(path, call) for path in SOURCES for call in calls(path, "torch.load")]
    assert loads
    for path, call in loads:
        assert keyword(call, "weights_only") is True, f"{path}:{call.lineno}"


def test_transformers_loads_our_checkpoints_without_running_code():
    import transformers.trainer

    loads = list(calls(Path(transformers.trainer.__file__), "torch.load"))
    assert len(loads) > 5, "RNG state, optimizer, scheduler, scaler, weights"
    assert all(keyword(call, "weights_only") is True for call in loads)


def test_code_from_the_hub_is_off_everywhere():
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert ast.unparse(node.value) == "False", path
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                        assert ast.unparse(value) == "False", path


@pytest.mark.parametrize("kind", ["model", "reward"])
def test_a_model_that_brings_code_is_refused_before_the_code_runs(tmp_path, monkeypatch, kind):
    from prefrun.builtin.classifier import ClassifierReward
    from prefrun.builtin.config import ClassifierRewardConfig, HFModelConfig
    from prefrun.builtin.model import HFModel
    from prefrun.errors import ConfigError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    folder = tmp_path / "strange"
    folder.mkdir()
    names = ("AutoConfig", "AutoModelForCausalLM", "AutoModelForSequenceClassification")
    settings = {"model_type": "strange", "auto_map": {name: "code.Strange" for name in names}}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").touch()
    (folder / "code.py").write_text(f"import pathlib\n{PLANT}\nclass Strange: pass\n")
    loads = {
        "model": lambda: HFModel(HFModelConfig(name=str(folder))).load(),
        "reward": lambda: ClassifierReward(ClassifierRewardConfig(path=str(folder))),
    }
    with pytest.raises(ConfigError, match="cannot be loaded"):
        loads[kind]()
    assert not (tmp_path / "planted").exists()


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2"]])
def test_a_strangers_plugin_is_named_before_it_runs(prefrun, words):
    done = prefrun(*words, "algo=demo")
    assert done.stdout.count("plugin demo: prefrun-demo 1.2.3 (prefrun_demo)\n") == 1
    assert "prefrun-lipo" not in done.stdout


def test_plugins_of_this_project_are_known_by_name():
    files = [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    names = {tomllib.loads(file.read_text())["project"]["name"] for file in files}
    assert names == OWN_DISTRIBUTIONS
