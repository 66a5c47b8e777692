"""APO on a tiny model: whole runs, against iterative DPO and against their own checkpoints."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import logsigmoid

from prefrun.algorithm import LossAlgorithm, LossOutput, Outcome, Term
from prefrun.cli import main
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_robust.apo_momentum import algo as apo
from prefrun_robust.apo_momentum.algo import ApoMomentum

ALGO = ("algo=apo_momentum", "algo.rounds=2", "algo.samples=3", "trainer.keep_checkpoints=4")


def weights(folder):
    return load_file(folder / "model.safetensors")


def hats(run, steps=4):
    return [weights(run / f"checkpoints/round-{n}/checkpoint-{steps}") for n in (0, 1)]


class PlainDpo(LossAlgorithm):
    def loss(self, batch):
        order = batch.scores.argsort(-1, descending=True)
        ratios = batch.log_ratios.gather(-1, order)
        values = -logsigmoid(0.1 * (ratios[:, 0] - ratios[:, 1]))
        return LossOutput({"dpo": Term(values, batch.weights)})


def plain_iterative_dpo(self, services):
    """Two rounds of sampling and DPO, without anything of APO."""
    for number in range(2):
        trees = services.data.train[number::2]
        asked = [
            PreferenceTree(f"{tree.id} round {number} sample {k}", tree.prompt)
            for tree in trees
            for k in range(3)
        ]
        answers = services.policy().generate(asked, 6, 1.0, services.run.seed)
        records = []
        for place, tree in enumerate(trees):
            drawn = answers[3 * place : 3 * place + 3]
            scores = services.reward.score([tree] * 3, drawn)
            best, worst = scores.index(max(scores)), scores.index(min(scores))
            if scores[best] > scores[worst]:
                branches = tuple(
                    Branch((Step(drawn[k]),), scores={"overall": scores[k]}) for k in (best, worst)
                )
                records.append(PreferenceTree(tree.id, tree.prompt, branches))
        services.train(PlainDpo(None), records, round=number)
    return Outcome(services.policy())


def test_alpha_zero_is_iterative_dpo_bit_for_bit(train, monkeypatch):
    run = train("apo", *ALGO, "algo.alpha=0.0")
    monkeypatch.setattr(ApoMomentum, "run", plain_iterative_dpo)
    plain = train("plain", *ALGO)
    ours, theirs = weights(run / "model"), weights(plain / "model")
    start = hats(run)[0]
    assert any(not torch.equal(ours[name], start[name]) for name in ours)
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


def test_the_last_step_extrapolates_from_the_hat_before(train):
    run = train("run", *ALGO, "algo.alpha=0.5")
    first, second = hats(run)
    final = weights(run / "model")
    for name, value in final.items():
        wanted = second[name] + 0.5 * (second[name] - first[name])
        assert torch.equal(value, wanted), name
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "apo/reward" in line] == [0, 4]
    start = [line["loss"] for line in lines if "loss" in line]
    assert start[0] == pytest.approx(0.69, abs=0.1)


def test_the_hat_can_be_returned(train):
    run = train("run", *ALGO, "algo.alpha=0.5", "algo.returned=hat")
    second = hats(run)[1]
    for name, value in weights(run / "model").items():
        assert torch.equal(value, second[name]), name


def test_a_resumed_run_gives_the_same_weights(train, monkeypatch):
    whole = train("whole", *ALGO, "algo.alpha=0.5")
    extrapolate = apo.extrapolate
    calls = []

    def stop_in_the_second_round(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return extrapolate(*arguments)

    monkeypatch.setattr(apo, "extrapolate", stop_in_the_second_round)
    cut = train("cut", *ALGO, "algo.alpha=0.5", code=130)
    monkeypatch.setattr(apo, "extrapolate", extrapolate)
    assert main(["resume", str(cut)]) == 0
    for name, value in weights(whole / "model").items():
        assert torch.equal(value, weights(cut / "model")[name]), name


def test_an_adapter_s_product_is_extrapolated(train):
    run = train("run", *ALGO, "algo.alpha=0.5", "model.lora.rank=2", "algo.rounds=1")
    found = load_file(run / "model/adapter_model.safetensors")
    hat = load_file(run / "checkpoints/round-0/checkpoint-4/adapter_model.safetensors")
    name = next(name for name in found if "q_proj.lora_A" in name)
    partner = name.replace("lora_A", "lora_B")
    torch.testing.assert_close(found[partner] @ found[name], 1.5 * hat[partner] @ hat[name])


def test_sppo_runs(train):
    run = train("run", *ALGO, "algo.loss=sppo", "algo.eta=2.0")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert sum("loss" in line for line in lines) == 4
