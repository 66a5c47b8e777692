"""A configuration file sets what a run computes, and nothing that reaches beyond the run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from prefrun.cli import main
from prefrun.errors import ConfigError
from prefrun.file_settings import FOLDERS, FREE, GUARDED, PARAMS, check_file, is_allowed

Show = Callable[..., "tuple[int, str, str]"]
GUIDE = Path(__file__).parents[2] / "docs" / "explanation" / "trust.md"
ALGO = "algo=lipo"


@pytest.fixture
def show(tmp_path: Path, monkeypatch, capsys) -> Show:
    """Compose what a file says, in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prefrun"])

    def run(text: str, *words: str) -> tuple[int, str, str]:
        folder = tmp_path / "mine" / "experiment"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "paper.yaml").write_text(f"# @package _global_\n{text}\n")
        code = main(["--config-dir", "mine", "+experiment=paper", ALGO, *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


REACHES_OUT = {
    "hydra.job.env_set.WANDB_BASE_URL": "hydra: {job: {env_set: {WANDB_BASE_URL: http://x}}}",
    "hydra.job.env_copy": "hydra: {job: {env_copy: [HF_TOKEN]}}",
    "hydra.job.name": "hydra: {job: {name: ../../x}}",
    "hydra.job.chdir": "hydra: {job: {chdir: true}}",
    "hydra.job.config.override_dirname.kv_sep": (
        "hydra: {job: {config: {override_dirname: {kv_sep: /}}}}"
    ),
    "hydra.job_logging.handlers.x.filename": (
        "hydra: {job_logging: {handlers: {x: {filename: keep, class: logging.FileHandler}}}}"
    ),
    "hydra.job_logging.handlers.x.stream": (
        "hydra: {job_logging: {handlers: {x: {stream: 'ext://os.environ'}}}}"
    ),
    "hydra.job_logging.formatters.x.()": "hydra: {job_logging: {formatters: {x: {(): os.system}}}}",
    "hydra.job_logging": "hydra: {job_logging: '${algo}'}",
    "hydra.hydra_logging.formatters.x.class": (
        "hydra: {hydra_logging: {formatters: {x: {class: planting.plant}}}}"
    ),
    "hydra.hydra_logging.handlers.x.mode": "hydra: {hydra_logging: {handlers: {x: {mode: w}}}}",
    "hydra.launcher.setup": "hydra: {launcher: {setup: [touch planted]}}",
    "hydra.launcher.sbatch.wrap": "hydra: {launcher: {sbatch: {wrap: touch planted}}}",
    "hydra.launcher.python": "hydra: {launcher: {python: ./python}}",
    "hydra.launcher.srun_args": "hydra: {launcher: {srun_args: [--export=ALL]}}",
    "hydra.launcher.additional_parameters.x": (
        "hydra: {launcher: {additional_parameters: {x: 1}}}"
    ),
    "hydra.launcher.address": "hydra: {launcher: {address: stranger:6379}}",
    "hydra.launcher.pre_dispatch": "hydra: {launcher: {pre_dispatch: exit()}}",
    "hydra.launcher._target_": "hydra: {launcher: {_target_: planting.plant}}",
    "hydra.sweeper._target_": "hydra: {sweeper: {_target_: planting.plant}}",
    "hydra.sweeper.sampler._target_": "hydra: {sweeper: {sampler: {_target_: planting.plant}}}",
    "hydra.sweeper.storage": "hydra: {sweeper: {storage: 'postgresql://stranger/x'}}",
    "hydra.sweeper.custom_search_space": "hydra: {sweeper: {custom_search_space: a.b}}",
    "hydra.sweeper.params": "hydra: {sweeper: {params: '${algo}'}}",
    "hydra.callbacks.x.path": "hydra: {callbacks: {x: {path: /}}}",
    "hydra.searchpath": "hydra: {searchpath: ['pkg://planting']}",
    "hydra.output_subdir": "hydra: {output_subdir: ../x}",
    "hydra.sweep.subdir": "hydra: {sweep: {subdir: ../x}}",
    "hydra.overrides.hydra": "hydra: {overrides: {hydra: [hydra.job.env_set.X=1]}}",
    "hydra.overrides.task": "hydra: {overrides: {task: [seed=1]}}",
    "hydra.runtime.output_dir": "hydra: {runtime: {output_dir: /}}",
    "hydra.help.template": "hydra: {help: {template: x}}",
    "hydra.hydra_help.template": "hydra: {hydra_help: {template: x}}",
    "hydra.mode": "hydra: {mode: MULTIRUN}",
    "hydra.env": "hydra: {env: x}",
    "hydra": "hydra: null",
    "trust_code": "trust_code: true",
}


@pytest.mark.parametrize("key", REACHES_OUT)
def test_a_key_that_reaches_out_is_refused_from_a_file(key):
    with pytest.raises(ConfigError) as caught:
        check_file(OmegaConf.create(REACHES_OUT[key]), "paper.yaml")
    assert str(caught.value).startswith(f"paper.yaml sets {key}=")
    assert "trust_code=true" in str(caught.value)


@pytest.mark.parametrize(
    ("param", "key"),
    [
        ("+hydra.job.env_set.X: 1", "hydra.job.env_set.X"),
        ("++hydra.launcher.setup: '[x]'", "hydra.launcher.setup"),
        ("'hydra.job.env_set.A=x': y", "hydra.job.env_set.A"),
        ("' hydra.job.name': y", "hydra.job.name"),
        ("'hydra[job].name': y", "hydra[job].name"),
        ("~hydra.callbacks: null", "hydra.callbacks"),
        ("hydra/launcher: x", "hydra.launcher"),
        ("experiment@hydra.job: x", "hydra.job"),
        ("trust_code: true", "trust_code"),
    ],
)
def test_a_file_reaches_no_further_by_the_overrides_of_a_sweep(param, key):
    text = f"hydra: {{sweeper: {{params: {{{param}}}}}}}"
    with pytest.raises(ConfigError, match=re.escape(f"sets {key}=")):
        check_file(OmegaConf.create(text), "paper.yaml")


@pytest.mark.parametrize("key", ["hydra.job.env_set.WANDB_BASE_URL", "hydra.launcher.setup"])
@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2"], ["--cfg", "job"]])
def test_the_command_ends_before_anything_is_done(show, tmp_path, key, words):
    code, out, error = show(REACHES_OUT[key], *words)
    assert (code, out) == (2, "")
    assert f"mine/experiment/paper.yaml sets {key}=" in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "text",
    [
        "output_dir: /elsewhere",
        "output_dir: a/../../x",
        "cache: {dir: ~/x}",
        "hydra: {run: {dir: '${oc.env:HOME}/x'}}",
        "hydra: {sweep: {dir: ../x}}",
    ],
)
def test_a_file_puts_nothing_outside_the_working_folder(show, text):
    code, _, error = show(text)
    assert code == 2
    assert "outside the working folder" in error
    assert "trust_code=true" in error


def test_a_link_leads_no_file_out_of_the_working_folder(show, tmp_path):
    (tmp_path / "link").symlink_to("/")
    assert show("output_dir: link/x")[0] == 2


def test_folders_inside_the_working_folder_are_a_files_to_choose(show):
    text = (
        "output_dir: runs/${now:%Y}-${algo.beta}\nhydra: {sweep: {dir: 'runs/${hydra.job.name}'}}"
    )
    code, _, error = show(text, "--cfg", "job")
    assert code == 0, error


def test_what_the_command_line_sets_is_not_the_files(show):
    assert show("output_dir: runs/x", "output_dir=/elsewhere", "--cfg", "job")[0] == 0


@pytest.mark.parametrize(
    "value",
    ["${oc.env:HF_TOKEN}", "x ${oc.env:AWS_SECRET_ACCESS_KEY,none}", "${oc.env:${algo.beta}}"],
)
def test_a_file_copies_no_secret_of_the_environment(show, value):
    code, _, error = show(f"model: {{name: '{value}'}}", "model=hf")
    assert code == 2
    assert "a secret of the environment" in error


def test_the_rest_of_a_configuration_is_a_files_to_set(show):
    text = (
        "seed: 3\ntrainer: {max_steps: 7}\nmodel: {name: '${oc.env:HOME}/x'}\n"
        "hydra: {verbose: false, sweeper: {params: {seed: '1,2', +data.path: x}}}"
    )
    code, out, error = show(text, "model=hf", "--cfg", "job")
    assert code == 0, error
    assert "max_steps: 7" in out


def test_what_cfg_printed_is_a_file_that_works(show, tmp_path):
    (tmp_path / "mine").mkdir()
    printed = show("seed: 3", "--cfg", "job")[1]
    code, out, error = show(printed, "--cfg", "job")
    assert code == 0, error
    assert out == printed


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.job.env_set.WANDB_BASE_URL=http://x",
        "hydra.run.dir=/elsewhere",
        "output_dir=/elsewhere",
        "+hydra.launcher.setup=[true]",
        "+hydra.job_logging.handlers.x.class=planting.plant",
        "hydra.job.name=mine",
    ],
)
def test_on_the_command_line_they_are_the_users_own(show, word):
    code, out, error = show("seed: 1", word, "--cfg", "all")
    assert code == 0, error
    assert word.partition("=")[2].strip("[]") in out


def test_a_file_that_the_user_trusts_may_set_them(show):
    text = f"output_dir: /elsewhere\n{REACHES_OUT['hydra.job.env_set.WANDB_BASE_URL']}"
    code, out, error = show(text, "trust_code=true", "--cfg", "all")
    assert code == 0, error
    assert "WANDB_BASE_URL: http://x" in out
    assert "output_dir: /elsewhere" in out


@pytest.mark.parametrize("words", [["--config-name", "whole"], ["--config-path", "{mine}"]])
def test_a_primary_configuration_of_another_is_a_file_like_any_other(show, tmp_path, words):
    (tmp_path / "mine").mkdir()
    for name in ("whole", "config"):
        text = "defaults: [{algo: lipo}]\nhydra: {searchpath: ['pkg://planting']}\n"
        (tmp_path / "mine" / f"{name}.yaml").write_text(text)
    (tmp_path / "planting").mkdir()
    (tmp_path / "planting" / "__init__.py").write_text("raise SystemExit('imported')")
    code, _, error = show("seed: 1", *(word.format(mine=tmp_path / "mine") for word in words))
    assert code == 2
    assert "sets hydra.searchpath=" in error


def test_files_on_the_search_path_of_the_command_line_are_no_more_trusted(show, tmp_path):
    (tmp_path / "theirs" / "more").mkdir(parents=True)
    file = tmp_path / "theirs" / "more" / "bad.yaml"
    file.write_text("# @package hydra.job.env_set\nX: y\n")
    code, _, error = show("seed: 1", f"hydra.searchpath=[file://{file.parents[1]}]", "+more=bad")
    assert code == 2
    assert "more/bad.yaml sets hydra.job.env_set.X=y" in error


def test_a_value_that_names_a_secret_is_not_shown(show):
    _, _, error = show("hydra: {job: {env_set: {OPENAI_KEY: topsecret}}}")
    assert "topsecret" not in error


def test_the_guide_lists_what_the_code_allows():
    text = GUIDE.read_text(encoding="utf-8")
    table = text[text.index("| key |") :].split("\n\n")[0]
    keys = {key for row in table.splitlines() for key in re.findall(r"`([\w.*]+)`", row)}
    assert keys >= {*FREE, *FOLDERS, PARAMS, "trust_code"}
    rows = [row.split("|")[1:4] for row in table.splitlines()[2:]]
    for names, from_file, _ in rows:
        for key in re.findall(r"`([\w.*]+)`", names):
            said = from_file.strip()
            allowed = is_allowed(key.replace(".*", ".x"))
            if key in FOLDERS:
                assert "inside the working folder" in said, key
            elif key == PARAMS:
                assert "if each of its keys" in said, key
            else:
                assert said.startswith("yes" if allowed else "no"), key
    assert {"hydra", "hydra.*", "trust_code"} == set(GUARDED)
