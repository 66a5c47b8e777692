"""The adapter: what it learns, what is saved with it, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from prefrun import ConfigError
from prefrun.records.tree import Message, PreferenceTree
from prefrun.schema import TrainerConfig
from prefrun.training.standalone import optimise_alone
from prefrun_orchestrator.adapter import Adapter, AdapterSettings
from prefrun_orchestrator.encoders import HashEncoder
from prefrun_orchestrator.fit import AdapterFit, FitSettings
from prefrun_orchestrator.prompt_weights import PromptWeights, prompt_of
from prefrun_orchestrator.weights import Statistics

NAMES = ("safe", "short")
POOL = Statistics.of(torch.tensor([[0.0, 0.0], [2.0, 4.0]], dtype=torch.float64))
FIT = FitSettings(0.05, 0.01, 4, 30, 0.05, "forward", 0.0)
TEXTS = ["poison bomb knife", "weather sun rain", "bomb gun poison", "rain cloud sun"]
TARGET = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.2, 0.8]], dtype=torch.float64)


def make(encoder="hash", name=None, **changes):
    torch.manual_seed(0)
    return Adapter(AdapterSettings(NAMES, "zscore", 0.0, encoder, name, **changes), POOL)


def trained(adapter, rate=0.05):
    settings = replace(FIT, learning_rate=rate)
    loop = AdapterFit(adapter, TEXTS, TARGET.log(), settings, 0, is_part=False)
    losses, loss = [], loop._loss

    def watched(batch):
        output = loss(batch)
        losses.append(output.metrics["adapter/loss"].item())
        return output

    loop._loss = watched
    optimise_alone(loop, TrainerConfig())
    return adapter, losses


def test_it_begins_uniform_and_learns_what_words_go_with():
    adapter = make()
    assert adapter.weights(["anything"]).tolist() == [[0.5, 0.5]]
    _, losses = trained(adapter)
    assert len(losses) == 30
    assert losses[-1] < 0.2 * losses[0]
    weights = adapter.weights(["a gun and poison", "sun"])
    assert weights[0, 0] > 0.7
    assert weights[1, 1] > 0.7
    assert weights.sum(-1).tolist() == pytest.approx([1.0, 1.0])


def test_training_is_the_same_for_the_same_seed():
    one, other = trained(make())[0], trained(make())[0]
    assert torch.equal(one.weights(TEXTS), other.weights(TEXTS))


def test_training_forgets_the_weights_it_kept():
    adapter = make()
    before = adapter.weights(TEXTS)
    trained(adapter)
    assert not torch.equal(before, adapter.weights(TEXTS))


def test_a_prompt_without_words_has_features_too():
    assert HashEncoder()(["", "word", "?!"]).shape == (3, 64)


def test_saved_and_loaded_it_gives_the_same_weights_and_statistics(tmp_path):
    adapter, _ = trained(make())
    adapter.save(tmp_path / "adapter")
    loaded = Adapter.load(tmp_path / "adapter", NAMES, "algo.adapter")
    assert torch.equal(loaded.weights(TEXTS), adapter.weights(TEXTS))
    assert loaded.settings == adapter.settings
    assert loaded.normalise(POOL.max).tolist() == [1.0, 1.0]
    assert json.loads((tmp_path / "adapter" / "adapter.json").read_text())["objectives"] == [*NAMES]


@pytest.mark.parametrize("names", [("short", "safe"), ("safe",), ("safe", "kind")])
def test_other_objectives_or_another_order_are_refused(names, tmp_path):
    make().save(tmp_path / "adapter")
    with pytest.raises(ConfigError, match=r"algo\.objectives=\[safe,short\]"):
        Adapter.load(tmp_path / "adapter", names, "algo.adapter")


def test_a_folder_without_adapter_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"algo\.adapter=.* holds no adapter"):
        Adapter.load(tmp_path, NAMES, "algo.adapter")


def test_a_transformers_encoder_learns_and_is_saved_whole(encoder, tmp_path):
    adapter = make("hf", str(encoder), max_length=16)
    _, losses = trained(adapter, rate=0.002)
    assert losses[-1] < 0.5 * losses[0]
    adapter.save(tmp_path / "adapter")
    loaded = Adapter.load(tmp_path / "adapter", NAMES, "algo.adapter")
    assert torch.allclose(loaded.weights(TEXTS), adapter.weights(TEXTS), atol=1e-6)


def test_padding_does_not_change_a_transformers_encoder(encoder):
    adapter = make("hf", str(encoder)).eval()
    alone = adapter.encoder(["sun"])
    beside = adapter.encoder(["sun", "a much longer prompt than that"])[:1]
    assert torch.allclose(alone, beside, atol=1e-5)


def test_an_encoder_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"algo\.encoder_name=/nowhere"):
        make("hf", "/nowhere")


def test_given_weights_come_first_then_the_records_own_then_the_adapters():
    adapter, _ = trained(make())
    trees = [
        PreferenceTree("a", "poison"),
        PreferenceTree("b", "poison", metadata={"weights": {"short": 3, "safe": 1}}),
        PreferenceTree("c", "poison", metadata={"weights": [0, 2]}),
    ]
    rows = PromptWeights(NAMES, "zscore", POOL, adapter)(trees).tolist()
    assert rows[0] == adapter.weights(["poison"])[0].tolist()
    assert rows[1:] == [[0.25, 0.75], [0.0, 1.0]]
    given = PromptWeights(NAMES, "zscore", POOL, given=[3.0, 1.0])
    assert given(trees).tolist() == [[0.75, 0.25]] * 3


def test_it_reads_every_message_of_a_chat():
    tree = PreferenceTree("a", (Message("system", "Be kind."), Message("user", "Hi.")))
    assert prompt_of(tree) == "Be kind.\nHi."
