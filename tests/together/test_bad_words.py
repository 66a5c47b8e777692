"""A mistyped command line: one readable message, the closest valid word, exit code 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from prefrun.cli import main
from tests.together.conftest import Workplace

RUN = ("algo=lipo", "data=ultrafeedback", "output_dir=out")
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch, capsys) -> Refused:
    """Run words that must be refused in an empty folder; return the message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prefrun"])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def run(*words: str) -> str:
        code = main(words)
        shown = capsys.readouterr()
        assert code == 2, shown
        assert shown.out == ""
        assert shown.err.startswith("prefrun: ")
        assert "Traceback" not in shown.err
        assert "Error executing job" not in shown.err
        assert not list(tmp_path.rglob("out*")), "a refused run left its folder"
        return shown.err

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["algo=lip"], "there is no algo=lip. Did you mean 'lipo'? Choices: "),
        (["data=ultrafeedbak"], "Did you mean 'ultrafeedback'?"),
        (["model=tyni"], "there is no model=tyni. Did you mean 'tiny'?"),
        (["reward=clasifier"], "Did you mean 'classifier'?"),
        (["tracker=wandbb"], "Did you mean 'wandb'?"),
        (["evaluator=[winrate]"], "there is no evaluator=winrate. Did you mean 'win_rate'?"),
        (["evaluator=typo"], "there is no evaluator=typo. Choices: "),
        (["algo=[lipo,dpo]"], "choose one name per group, or -m"),
        (["model=null"], "a group takes the name of a choice, not null"),
    ],
)
def test_a_wrong_choice(refused, words, said):
    assert said in refused(*RUN, *words)


@pytest.mark.parametrize("group", ["algo", "data", "model"])
def test_a_choice_left_out(refused, group):
    assert f"choose {group}=NAME. Installed: " in refused(*RUN, f"{group}=none")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("algo.betta=1", "there is no key algo.betta. Did you mean 'beta'? Keys: loss, beta"),
        ("trainer.max_step=1", "there is no key trainer.max_step. Did you mean 'max_steps'?"),
        ("model.lora.rnk=1", "there is no key model.lora.rnk. Did you mean 'rank'?"),
        ("evaluator.winrate.tie_margin=1", "Did you mean 'win_rate'?"),
        ("model.name=gpt2", "it is a key of model=hf"),
        ("foo=1", "there is no key foo. Keys: output_dir, seed"),
        ("+foo=1", "there is no key foo. Keys: output_dir, seed"),
        ("++model.lora.rnk=1", "model.lora has no key rnk. Did you mean 'rank'?"),
        ("trainer={max_step: 3}", "Did you mean 'max_steps'?"),
    ],
)
def test_a_wrong_key(refused, word, said):
    message = refused(*RUN, word)
    assert said in message
    assert "To append to your config" not in message  # Hydra's advice would be refused too


@pytest.mark.parametrize("key", ["algo.extra_losses.sft", "+algo.extra_losses.sft"])
def test_a_key_of_a_mapping_needs_no_plus(key, capsys):
    assert main([*RUN, "algo=dpo", f"{key}=1.0", "--cfg", "job"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["algo"]["extra_losses"] == {"sft": 1.0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["algo.beta=abc"], "algo.beta=abc: Value 'abc' of type 'str' could not be converted"),
        (["algo.beta="], "algo.beta=: Value ''"),
        (["algo.beta=-1"], "algo.beta=-1.0 must be above 0"),
        (["trainer.max_steps=1.5"], "trainer.max_steps=1.5: "),
        (["algo.loss=lamda"], "Did you mean 'lambda'?"),
        (["data.on_bad_record=skipp"], "Did you mean 'skip'?"),
        (["data.max_records=1"], "data.max_records=1 must be at least 2"),
        (["tracker=wandb", "tracker.mode=ofline"], "Did you mean 'offline'?"),
        (["reward=classifier"], "reward=classifier needs reward.path=VALUE"),
        (["model=hf"], "model=hf needs model.name=VALUE"),
        (["data=hh"], "data=hh needs data.path=FILE"),
        (["data.path=${nothing}.jsonl"], "data.path: Interpolation key 'nothing' not found"),
    ],
)
def test_a_wrong_or_missing_value(refused, words, said):
    assert said in refused(*RUN, *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lipo"], "Did you mean 'algo=lipo'?"),
        (["explan", "lipo"], "Did you mean 'explain'?"),
        ([*RUN, "algo.beta"], "Did you mean 'algo.beta=VALUE'?"),
        (["help"], "`prefrun --help` lists"),
        (["algo=lipo data=ultrafeedback"], "give each as a word of its own"),
        ([*RUN, "data.path=my (file).jsonl"], "such as 'data.path=\"my (file).jsonl\"'"),
        ([*RUN, "data.path='x"], "cannot be read"),
        ([*RUN, "data.path=a,b.jsonl"], "with commas: 'data.path=\"a,b.jsonl\"'"),
        (["algo=lipo,dpo"], "add -m to run each of them\n"),
        (["evaluator=win_rate,kl"], "or give a list: 'evaluator=[win_rate,kl]'\n"),
        (["trainer.max_steps=1,2"], "add -m to run each of them\n"),
        ([*RUN, "--foo"], "there is no option --foo"),
        ([*RUN, "--multirn", "seed=1,2"], "Did you mean '--multirun'?"),
        ([*RUN, "-m", "seed=1,2", "--cfg", "job"], "-m and --cfg exclude each other"),
        ([*RUN, "--info", "seed=1"], "invalid choice: 'seed=1'"),
        ([*RUN, "--resolve"], "add --cfg job"),
        ([*RUN, "--cfg"], "expected one argument"),
        (["explain", "lippo"], "Did you mean 'lipo'?"),
        (["report", "nowhere"], "nowhere"),
        (["diff", "one"], "usage: prefrun diff RUN_A RUN_B"),
        (["resume", "nowhere"], "nowhere"),
    ],
)
def test_words_that_cannot_be_read(refused, words, said):
    assert said in refused(*words)


def test_the_advice_on_quotes_works(refused):
    assert "my (file).jsonl: no such file" in refused(*RUN, 'data.path="my (file).jsonl"')


@pytest.mark.parametrize("mode", [[], ["-m", "seed=1,2"]])
@pytest.mark.parametrize("folder", ["taken", "taken/below"])
def test_an_output_folder_that_cannot_be_made(refused, tmp_path, mode, folder):
    (tmp_path / "taken").write_text("a file")
    assert f"output_dir={folder}" in refused(*mode, *RUN[:2], f"output_dir={folder}")


def test_an_output_folder_with_other_things_in_it(refused, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("keep me")
    assert "is not empty and holds no run" in refused(*RUN[:2], "output_dir=full")
    assert (tmp_path / "full" / "notes.txt").exists()


@pytest.mark.parametrize("word", ["algo=lipp,dpo", "algo.betta=1,2"])
def test_a_sweep_that_cannot_be_composed_leaves_no_folder(refused, word):
    assert "Did you mean" in refused("-m", *RUN, word)


def test_a_folder_that_holds_no_run(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    for command in (["report", "empty"], ["resume", "empty"], ["diff", "empty", "empty"]):
        assert "empty" in refused(*command)


def test_a_traceback_is_shown_to_who_asks_for_it(workplace: Workplace):
    workplace.environment["HYDRA_FULL_ERROR"] = "1"
    done = workplace.run(*RUN, "algo.beta=-1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.rstrip().endswith("algo.beta=-1.0 must be above 0, and finite")


@pytest.mark.parametrize("word", ["q_proj,v_proj", "q_proj", '"q_proj,v_proj"'])
def test_the_remedy_for_a_list_is_a_word_that_works(refused, capsys, word):
    key = "model.lora.target_modules"
    message = refused("algo=dpo", "model=hf", "model.name=x", f"{key}={word}")
    fixed = re.findall(rf"'({key}=\[.*\])'", message)
    assert fixed == [f"{key}=[{word.strip(chr(34))}]"]
    assert main(["algo=dpo", "model=hf", "model.name=x", *fixed, "--cfg", "job"]) == 0
    assert "- q_proj" in capsys.readouterr().out


def test_the_remedy_for_evaluators_is_a_word_that_works(refused, capsys):
    [fixed] = re.findall(r"'(evaluator=\[.*\])'", refused(*RUN, "evaluator=win_rate,kl"))
    assert main([*RUN, fixed, "--cfg", "job"]) == 0
    assert "win_rate:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [*RUN, "--cfg", "job", "trainer.max_steps=3"],
        ["--cfg", "job", *RUN, "trainer.max_steps=3"],
        [RUN[0], "-c", "job", *RUN[1:], "trainer.max_steps=3"],
        [*RUN, "--package", "trainer", "trainer.max_steps=3", "--cfg=job"],
    ],
)
def test_options_stand_anywhere_and_stdout_is_yaml(refused, capsys, words):
    assert main(words) == 0
    shown = capsys.readouterr().out
    config = yaml.safe_load(shown)
    assert config.get("trainer", config)["max_steps"] == 3
