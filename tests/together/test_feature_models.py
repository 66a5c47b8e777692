"""model=linear and model=mlp with every installed loss, as a user types it."""

from __future__ import annotations

import json
import signal

import pytest
import torch
from safetensors.torch import load_file

from prefrun.algorithm import LossAlgorithm
from prefrun.plugins import components
from tests.together.conftest import Workplace

pytest.importorskip("prefrun_lab", reason="prefrun-lab is not installed")

WORLD = ("data=linear_world", "data.train=48", "data.test=40", "data.dimension=5")
FEW = (
    *("trainer.max_steps=12", "trainer.batch_size=8", "trainer.logging_steps=3"),
    *("trainer.checkpoint_steps=3", "evaluation.bootstrap=20"),
)
LOSSES = sorted(
    name
    for (group, name), component in components().items()
    if group == "algo" and name != "none" and issubclass(component.load(), LossAlgorithm)
)
WORDS = {
    "cpo": ("algo.cpo_alpha=0",),
    "pro_ranking": ("algo.sft_weight=0", "algo.use_temperature=false"),
    "tpo": ("algo.labels=min_max",),
}
"""What a loss needs on feature vectors beside the data of `WORLD`."""
REFUSED = {
    "dove": "text",
    "mapl": "text",
    "orpo": "normalised",
    "rationales": "text",
    "spo": "text",
}
"""What a loss needs that no feature vector gives."""
VARIANTS = {
    ("cpo",): "normalised",
    ("pro_ranking",): "normalised",
    ("dpo", "algo.loss=sft"): "normalised",
    ("dpo", "algo.wpo=true"): "log_collision",
    ("simpo", "algo.alpha=0.5"): "normalised",
    ("simpo", "algo.cpo_alpha=1"): "normalised",
    ("lcpo", "algo.base=cpo"): "normalised",
}
"""The same of losses that can do without, under other keys."""


def train(place: Workplace, output: str, *words: str) -> dict:
    done = place.run(*words, f"output_dir={output}")
    assert done.returncode == 0, done.stderr + done.stdout
    return place.summary(output)


def weights(place: Workplace, output: str) -> dict[str, torch.Tensor]:
    return load_file(place.folder / output / "model" / "scorer.safetensors")


def test_every_loss_trains_feature_vectors_that_is_not_refused(workplace):
    plain = sorted(set(LOSSES) - set(REFUSED) - set(WORDS))
    for output, words in {"sweep": ("-m", f"algo={','.join(plain)}"), **WORDS}.items():
        choice = () if output == "sweep" else (f"algo={output}",)
        words = (*words, *choice, "model=linear", *WORLD, *FEW, f"output_dir={output}")
        done = workplace.run(*words)
        assert done.returncode == 0, done.stderr
    found = [path.parent for path in workplace.folder.glob("**/summary.json")]
    assert len(found) == len(plain) + len(WORDS)
    for folder in found:
        summary = workplace.summary(folder)
        assert set(summary["metrics"]) == {"accuracy", "kendall_tau"}
        assert summary["not_measured"] == {}
        assert summary["weights_moved"] == 1.0
        accuracy = summary["metrics"]["accuracy"]
        assert accuracy["before"] == 0.5
        assert accuracy["after"] > 0.6, folder


@pytest.mark.parametrize(
    ("words", "need"), [*(((name,), need) for name, need in REFUSED.items()), *VARIANTS.items()]
)
def test_a_loss_that_needs_more_is_refused_before_anything_loads(workplace, words, need):
    name, *keys = words
    done = workplace.run(f"algo={name}", "model=mlp", *WORLD, *keys, "output_dir=run")
    assert done.returncode == 2
    assert f"algo={name} needs what model=mlp does not give: {need}" in done.stderr
    assert not (workplace.folder / "run").exists()


def test_out_of_the_box_both_models_find_the_order(workplace):
    words = ("-m", "algo=lipo,dpo", "model=linear,mlp", "data=linear_world", "output_dir=sweep")
    done = workplace.run(*words)
    assert done.returncode == 0, done.stderr
    for job in range(4):
        summary = workplace.summary(f"sweep/{job}")
        assert summary["steps"] == 300
        assert summary["metrics"]["accuracy"]["after"] > 0.95
        assert summary["metrics"]["kendall_tau"]["after"] > 0.9


def test_a_step_in_pieces_gives_the_weights_of_a_whole_one(workplace):
    """A budget of 3 branches divides records of 4; the lambda loss sees each list whole."""
    words = ("algo=lipo", "model=mlp", "model.hidden=8", *WORLD, *FEW)
    train(workplace, "whole", *words)
    train(workplace, "pieces", *words, "trainer.micro_batch_tokens=3")
    for name, value in weights(workplace, "whole").items():
        torch.testing.assert_close(weights(workplace, "pieces")[name], value, msg=name)


def test_hidden_states_go_through_gradient_caching(workplace):
    words = ("algo=tpo", "algo.labels=min_max", "model=mlp", "model.hidden=8", *WORLD, *FEW)
    train(workplace, "whole", *words)
    train(workplace, "pieces", *words, "trainer.micro_batch_tokens=3")
    for name, value in weights(workplace, "whole").items():
        torch.testing.assert_close(weights(workplace, "pieces")[name], value, msg=name)


def test_a_killed_run_resumes_to_the_same_numbers(workplace):
    words = ("algo=dpo", "model=mlp", *WORLD, *FEW, "trainer.max_steps=400")
    whole = train(workplace, "whole", *words)
    process = workplace.start(*words, "output_dir=cut")
    process.wait_until((workplace.folder / "cut" / "checkpoints" / "checkpoint-6").exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (workplace.folder / "cut" / "summary.json").exists()
    done = workplace.run("resume", "cut")
    assert done.returncode == 0, done.stderr
    assert workplace.summary("cut")["metrics"] == whole["metrics"]
    assert workplace.metrics("cut") == workplace.metrics("whole")
    for name, value in weights(workplace, "whole").items():
        assert torch.equal(weights(workplace, "cut")[name], value)


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one(workplace):
    words = ("algo=lipo", "model=mlp", *WORLD, *FEW)
    one = train(workplace, "one", *words)
    two = ("launch=accelerate", "launch.processes=2", "trainer.batch_size=4")
    both = train(workplace, "two", *words, *two)
    assert both["metrics"]["accuracy"] == pytest.approx(one["metrics"]["accuracy"])
    for name, value in weights(workplace, "one").items():
        torch.testing.assert_close(weights(workplace, "two")[name], value, msg=name)


def test_training_goes_on_from_a_saved_model(workplace):
    words = ("algo=dpo", *WORLD, *FEW)
    first = train(workplace, "first", *words, "model=mlp")
    again = train(workplace, "again", *words, "model=mlp", "model.path=first/model")
    after, before = first["metrics"]["accuracy"]["after"], again["metrics"]["accuracy"]["before"]
    assert before == after > 0.5
    done = workplace.run(*words, "model=linear", "model.path=first/model")
    assert done.returncode == 2
    assert "holds an MLP with 64 hidden units of 5 features, not a linear model" in done.stderr
    assert "remedy: model=mlp model.hidden=64" in done.stderr
    done = workplace.run(*words, "model=mlp", "model.path=first/model", "data.dimension=6")
    assert "metadata.features[0]': has 6 numbers, the model takes 5" in done.stderr


@pytest.mark.parametrize(
    ("features", "field", "problem"),
    [
        (None, "metadata.features'", "is missing"),
        ([[1.0], [2.0], [3.0]], "metadata.features'", "must be a list of 2"),
        ([[1.0, 2.0], [1.0]], "metadata.features[1]", "has 1 numbers, the first record's have 2"),
        ([[1.0, 2.0], [1.0, float("nan")]], "metadata.features[1][1]", "not a finite number"),
    ],
)
def test_bad_features_are_named_before_training(workplace, features, field, problem):
    path = workplace.folder / "rows.jsonl"
    rows = []
    for number in range(6):
        given = features if number == 4 else [[1.0, 0.0], [0.0, 1.0]]
        known = {} if given is None else {"features": given}
        row = {"prompt": f"q{number}", "responses": [["good"], ["bad"]], "scores": [1.0, 0.0]}
        rows.append(json.dumps(row | known))
    path.write_text("\n".join(rows))
    words = ("algo=dpo", "model=linear", "data=step_trees", f"data.path={path}")
    done = workplace.run(*words, "output_dir=run")
    assert done.returncode == 2, done.stdout
    for part in (
        "rows.jsonl:5",
        field,
        problem,
        "metadata.features; for text choose a language model",
    ):
        assert part in done.stderr
    assert not (workplace.folder / "run" / "checkpoints").exists()


def test_text_has_no_features(workplace):
    done = workplace.run("algo=dpo", "data=ultrafeedback", "model=linear")
    assert done.returncode == 2
    assert "metadata.features'" in done.stderr
    assert "for text choose a language model (model=hf, tiny, scratch)" in done.stderr


@pytest.mark.parametrize(
    "word",
    ["trainer.max_length=512", "trainer.compile=true", "trainer.gradient_checkpointing=true"],
)
def test_keys_of_text_are_refused(workplace, word):
    done = workplace.run("algo=dpo", "model=linear", *WORLD, word)
    assert done.returncode == 2
    assert f"{word.replace('true', 'True')} does nothing with model=linear" in done.stderr
