"""RUN/model, loaded by plain transformers or peft in a new process, is the model that was measured.

An evaluator of this file notes log-probs as a run measures them. One process, which knows nothing
of prefrun but the classes of models that transformers lacks, then loads every run's model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from prefrun.algorithm import LossAlgorithm, RunAlgorithm
from prefrun.training.saving import REFUSED
from prefrun_tiny.model import WEIGHTS
from tests.together.conftest import MAIN, SMALL, Workplace
from tests.together.test_methods import ALGORITHMS

PLUGIN = '''
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl


@dataclass
class NoteConfig:
    """No keys."""


@hookimpl
def prefrun_components():
    return [Component("evaluator", "note", NoteConfig, "prefrun_noting.note:Note", "log-probs")]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_noting")
'''
YAML = "# @package evaluator.note\ndefaults:\n  - /schema/evaluator/note@_here_\n  - _self_\n"
NOTE = '''
import json

from prefrun.evaluation.evaluator import Estimate, Evaluator


class Note(Evaluator):
    """Notes log-probs and token ids of two held-out records (a test)."""

    def evaluate(self, context):
        if context.folder is not None:
            trees = context.trees[:2]
            tokens = context.policy.tokeniser.tokenise_all(trees)
            lines = [
                {"prompt": prompt, "answer": answer, "logp": logp}
                for tree, scored in zip(tokens, context.policy.logps(trees))
                for prompt, answer, logp in zip(tree.prompts, tree.branches, scored.sums)
            ]
            (context.folder / "noted.json").write_text(json.dumps(lines))
        return {"noted": Estimate(0.0)}
'''
READ = """
import json, sys, torch
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
from peft import AutoPeftModelForCausalLM

for run in map(Path, sys.argv[1:]):
    folder, loader = run / "model", AutoModelForCausalLM
    if (folder / "adapter_config.json").exists():
        loader = AutoPeftModelForCausalLM
    elif json.loads((folder / "config.json").read_text())["model_type"] == "simt":
        from prefrun_simulpl.model import SimtForCausalLM as loader
    model = loader.from_pretrained(folder, dtype=torch.float32).eval()
    assert AutoTokenizer.from_pretrained(folder).pad_token is not None
    for each in json.loads((run / "evaluation" / "noted.json").read_text()):
        ids = torch.tensor([each["prompt"] + each["answer"]])
        with torch.no_grad():
            logps = model(ids).logits[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None])
        found = float(logps[len(each["prompt"]) - 1 :].sum())
        if not abs(found - each["logp"]) < 1e-3:
            print(run, each["logp"], found)
"""
WITHOUT_DATA = [word for word in SMALL if not word.startswith("data.")]
QUICK = (*WITHOUT_DATA, "trainer.max_steps=2", "evaluator=[note]")
RUNS = {
    "sparsepo": ["algo=sparsepo", "data=ultrafeedback", "data.max_records=24"],
    "apo_momentum": ["algo=apo_momentum", "data=ultrafeedback", "data.max_records=24"],
    "orchestrator": [
        "algo=orchestrator",
        "data=ultrafeedback",
        "data.max_records=24",
        "algo.stage2=offline",
    ],
    "curry_dpo": ["algo=curry_dpo", "data=ultrafeedback", "data.max_records=24"],
    "simulpl": [
        *(
            "algo=simulpl",
            "data=multi30k",
            "data.max_records=24",
            "model.hidden_size=16",
            "model.layers=1",
        ),
        *("model.heads=2", "algo.supervised.steps=2", "algo.preference.steps=2"),
    ],
    "scratch": [
        *("algo=dpo", "data=attribute_words", "data.train=20", "data.test=8", "model=scratch"),
        "model.data=attribute_words",
        "model.steps=2",
    ],
    "chain": ["algo=dpo", "data=chain_arithmetic", "data.records=24", "model=chain"],
    "lora": ["algo=dpo", "data=ultrafeedback", "data.max_records=24", "model.lora.rank=4"],
}
"""Algorithms that own their run, and every kind of model."""


@pytest.fixture
def noting(make_plugin, plugin_folder, workplace) -> Workplace:
    """A workplace with the evaluator."""
    make_plugin(
        "noting",
        PLUGIN,
        {"evaluator/note.yaml": YAML},
    )
    (plugin_folder / "prefrun_noting" / "note.py").write_text(NOTE)
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
    return workplace


def check(place: Workplace, *runs: Path | str) -> None:
    """Load RUNS' models in a new process and compare log-probs with those noted."""
    folders = [str(place.folder / run) for run in runs]
    words = [sys.executable, "-c", READ, *folders]
    done = subprocess.run(words, env=place.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def run(place: Workplace, output: str, *words: str) -> None:
    own_steps = "algo=simulpl" in words  # which refuses the trainer's
    refused = ("trainer.max_steps", "trainer.batch_size") if own_steps else ()
    quick = [word for word in QUICK if not word.startswith(refused)]
    done = place.run(*words, *quick, f"output_dir={output}")
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.slow
def test_every_kind_of_run_saves_what_was_measured(noting):
    owners = [name for name, owner in ALGORITHMS.items() if issubclass(owner, RunAlgorithm)]
    trained = {name for name in owners if ALGORITHMS[name].uses_model} - {"grow_trees"}
    assert trained <= set(RUNS)
    for name, words in RUNS.items():
        run(noting, name, *words)
    check(noting, *RUNS)


@pytest.mark.slow
def test_every_loss_saves_what_was_measured(noting):
    names = [name for name, owner in ALGORITHMS.items() if issubclass(owner, LossAlgorithm)]
    names.remove("rationales")  # its records are its own
    words = [
        "-m",
        f"algo={','.join(names)}",
        "data=ultrafeedback",
        "data.max_records=24",
        *QUICK,
        "output_dir=sweep",
    ]
    done = noting.run(*words)
    assert done.returncode == 0, done.stderr
    folders = [path.parent for path in (noting.folder / "sweep").glob("*/summary.json")]
    assert len(folders) == len(names)
    check(noting, *folders)


def test_adapters_on_adapters_are_saved_whole(noting):
    words = ("algo=dpo", "data=ultrafeedback", "data.max_records=24", "trainer.learning_rate=1e-2")
    run(noting, "one", *words, "model.lora.rank=2")
    run(noting, "two", *words, "model=hf", "model.name=one/model", "model.lora.rank=3")
    run(noting, "three", *words, "model=hf", "model.name=two/model")
    run(noting, "whole", *words, "model=hf", "model.name=three/model", "model.adapter=merge")
    check(noting, "one", "two", "three", "whole")
    settings = (noting.folder / "two" / "model" / "adapter_config.json").read_text()
    assert json.loads(settings)["r"] == 2 + 3
    assert 0 < noting.summary("whole")["weights_moved"] <= 1


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("own", ["model.lora.rank=0", "model.lora.rank=3"])
def test_an_interrupted_run_from_an_adapter_resumes_to_the_same_weights(workplace, own):
    adapter = workplace.folder / "adapter"
    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(WEIGHTS), lora)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.05)
    model.save_pretrained(adapter)
    words = ("model=hf", f"model.name={adapter}", own, "evaluator=[ranking_accuracy]")
    workplace.train("whole", *words)
    cut = workplace.start(*MAIN, *SMALL, *words, "output_dir=cut")
    cut.wait_until((workplace.folder / "cut" / "checkpoints" / "checkpoint-2").exists)
    cut.kill()
    cut.communicate()
    done = workplace.run("resume", "cut")
    assert done.returncode == 0, done.stderr
    one, other = (
        load_file(workplace.folder / name / "model" / "adapter_model.safetensors")
        for name in ("whole", "cut")
    )
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], msg=name)


SPOILT = """
import torch
from prefrun.models import text_files as saving

whole = saving.save_weights


def spoil(model, folder):
    with torch.no_grad():
        weight = next(model.parameters())
        weight.mul_(1.1)
        whole(model, folder)
        weight.div_(1.1)


saving.save_weights = spoil
"""


def test_a_model_that_is_not_what_was_measured_ends_the_run(noting, plugin_folder):
    with (plugin_folder / "prefrun_noting" / "note.py").open("a") as file:
        file.write(SPOILT)
    done = noting.run(
        "algo=dpo", "data=ultrafeedback", "data.max_records=24", *QUICK, "output_dir=run"
    )
    folder = noting.folder / "run"
    assert done.returncode == 1
    assert "the saved model is not the one that was trained and measured" in done.stderr
    assert not (folder / "model").exists()
    assert not (folder / "summary.json").exists()
    assert (folder / REFUSED).is_dir()
    assert json.loads((folder / "status.json").read_text())["status"] == "failed"
