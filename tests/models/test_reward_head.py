"""A reward head gives what transformers' own model for sequence classification gives."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.builtin.classifier import ClassifierReward
from prefrun.builtin.config import ClassifierRewardConfig, LoraSettings
from prefrun.models.reward_head import RewardHead
from prefrun.policy.adapter import with_lora
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.collate import Example, layout
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.policy import LoadedModel
from prefrun.policy.scoring import scored_batches
from prefrun.schema import TrainerConfig
from prefrun.testing import make_trees
from prefrun.training.arguments import training_arguments
from prefrun.training.dataset import ExampleDataset
from prefrun.training.trainer import PreferenceTrainer

PACKED = Packing(Kernel.segments)
SETTINGS = SimpleNamespace(trainer=TrainerConfig(max_length=128))


def head(loaded, packing=PLAIN, seed=0):
    """A reward head with random weights."""
    kind = RewardHead(replace(loaded, model=deepcopy(loaded.model)), packing)
    kind.configure(SETTINGS)
    (weight,) = [value for name, value in kind.module.named_parameters() if "score" in name]
    with torch.no_grad():
        weight.normal_(generator=torch.Generator().manual_seed(seed))
    return kind


def scores(kind, trees):
    """Scores by tree and branch."""
    result = {}
    for batch in scored_batches(kind, kind.encode(trees), 300):
        for piece, numbers in batch:
            for branch, values in zip(piece.branches, numbers.token_logps, strict=True):
                result[piece.index, branch] = float(values)
    return result


def plain_scores(folder, kind, trees):
    """What anyone gets who loads FOLDER with plain transformers."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    found = {}
    for number, tree in enumerate(kind.tokeniser.tokenise_all(trees)):
        for branch, ids in enumerate(tree.branches):
            row = torch.tensor([[*tree.prompt_ids, *ids]])
            with torch.no_grad():
                found[number, branch] = float(model(input_ids=row).logits)
    return found


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
@pytest.mark.parametrize("pad", ["<pad>", "<|im_end|>"], ids=["own padding", "pads with the end"])
def test_what_is_saved_scores_alike_in_plain_transformers(
    loaded, make_tokenizer, packing, pad, tmp_path
):
    loaded = replace(loaded, tokenizer=make_tokenizer(pad_token=pad))
    trees = make_trees(3, 4)
    kind = head(loaded, packing)
    kind.save(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).pad_token == pad
    own = scores(kind, trees)
    assert len(set(own.values())) == 12
    assert plain_scores(tmp_path, kind, trees) == pytest.approx(own, abs=1e-5)
    assert kind.problem_with(tmp_path, trees) is None


@pytest.mark.parametrize("pad", ["<pad>", "<|im_end|>"], ids=["own padding", "pads with the end"])
def test_reward_classifier_gives_the_scores_of_training(loaded, make_tokenizer, pad, tmp_path):
    kind = head(replace(loaded, tokenizer=make_tokenizer(pad_token=pad)))
    kind.save(tmp_path)
    reward = ClassifierReward(ClassifierRewardConfig(path=str(tmp_path)))
    chats, texts = make_trees(2, 3), [replace(t, prompt="name a colour:") for t in make_trees(2, 3)]
    for trees in (chats, texts):
        for number, tree in enumerate(trees):
            answers = [branch.text for branch in tree.branches]
            found = reward.score([tree] * len(answers), answers)
            own = [scores(kind, trees)[number, branch] for branch in range(len(answers))]
            assert found == pytest.approx(own, abs=1e-5)


def test_another_model_is_noticed(loaded, tmp_path):
    head(loaded, seed=1).save(tmp_path)
    assert "in the run" in head(loaded).problem_with(tmp_path, make_trees(1, 2))


def test_an_adapter_is_merged_into_what_is_saved(loaded, tmp_path):
    settings = LoraSettings(rank=2, target_modules=["q_proj", "down_proj"])
    kind = head(replace(loaded, model=with_lora(deepcopy(loaded.model), settings)))
    before = scores(kind, make_trees(2, 2))
    with torch.no_grad():
        for name, value in kind.module.named_parameters():
            assert value.requires_grad == ("lora" in name or "score" in name), name
            if "lora_B" in name:
                value.normal_(generator=torch.Generator().manual_seed(5))
    trained = scores(kind, make_trees(2, 2))
    assert trained != pytest.approx(before, abs=1e-3)
    kind.save(tmp_path)
    assert plain_scores(tmp_path, kind, make_trees(2, 2)) == pytest.approx(trained, abs=1e-4)
    assert scores(kind, make_trees(2, 2)) == pytest.approx(trained, abs=1e-6)


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
def test_states_are_those_of_the_last_and_the_prompts_last_token(loaded, packing):
    kind = head(loaded, packing)
    trees = make_trees(2, 3)
    encoded = kind.encode(trees)
    batch = kind.collate(encoded) | layout(encoded)
    numbers, extras = kind.forward(kind.module, batch, {"last_hidden", "prompt_hidden"})
    for b, tree in enumerate(encoded):
        for k, ids in enumerate(tree.tokens.branches):
            row = torch.tensor([[*tree.tokens.prompt_ids, *ids]])
            states = kind.transformer.model(row).last_hidden_state[0]
            torch.testing.assert_close(extras["last_hidden"][b, k], states[-1], atol=1e-5, rtol=0)
            start = states[len(tree.tokens.prompt_ids) - 1]
            torch.testing.assert_close(extras["prompt_hidden"][b], start, atol=1e-5, rtol=0)
    assert numbers.shape == (2, 3, 1)


class Compares(LossAlgorithm):
    """Bradley-Terry of scores plus a head on the states of answer and prompt."""

    needs = frozenset({"last_hidden", "prompt_hidden"})

    def make_module(self, hidden_size):
        torch.manual_seed(3)
        return torch.nn.Bilinear(hidden_size, hidden_size, 1)

    def loss(self, batch):
        prompts = batch.prompt_hidden[:, None].expand_as(batch.last_hidden).contiguous()
        numbers = batch.policy_logps + self.module(batch.last_hidden, prompts).squeeze(-1)
        gaps = numbers[:, :1] - numbers[:, 1:]
        values = -torch.nn.functional.logsigmoid(gaps) * batch.branch_mask[:, 1:]
        return LossOutput({"pairs": Term(values.sum(-1), batch.branch_mask.sum(-1).float())})


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
def test_passes_of_any_size_train_alike(loaded, tmp_path, packing):
    trees = [tree for count in (2, 4) for tree in make_trees(2, count, seed=count)]

    def train(budget, packing=packing):
        kind = head(loaded, packing)
        examples = [
            Example.of(tree, each, "overall")
            for tree, each in zip(trees, kind.encode(trees), strict=True)
        ]
        config = TrainerConfig(
            max_steps=3, batch_size=4, learning_rate=1e-3, logging_steps=1, checkpoint_steps=0
        )
        trainer = PreferenceTrainer(
            kind=kind,
            algorithm=Compares(None),
            budget=budget,
            args=training_arguments(config, tmp_path / f"{budget}", 0, "cpu"),
            train_dataset=ExampleDataset(examples),
        )
        trainer.train()
        losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
        return losses, torch.cat([p.detach().flatten() for p in kind.module.parameters()])

    losses, weights = train(10_000, PLAIN)
    for budget in (1, 60):
        found_losses, found = train(budget)
        assert found_losses == pytest.approx(losses, rel=1e-4)
        assert torch.allclose(found, weights, atol=2e-4)
    assert losses[-1] < losses[0]


def test_a_model_without_sequence_classification_is_refused(loaded):
    class Config:
        model_type = "strange"

        def get_text_config(self):
            return self

    model = SimpleNamespace(config=Config(), get_output_embeddings=lambda: None)
    strange = LoadedModel(model, loaded.tokenizer, "strange", "0")
    with pytest.raises(Exception, match=r"strange|sequence classification"):
        RewardHead(strange)
