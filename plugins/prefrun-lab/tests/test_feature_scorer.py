"""model=linear and mlp: features follow their answers, weights follow the seed, files give both."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from prefrun import ConfigError, DataError
from prefrun.policy.collate import layout
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.schema import TrainerConfig
from prefrun_lab.config import LinearConfig, MlpConfig
from prefrun_lab.feature_models import Linear, Mlp


def tree(features, name="r", **metadata):
    branches = tuple(Branch((Step(f"answer {place}"),)) for place in range(len(features)))
    return PreferenceTree(name, "q", branches, metadata={"features": features, **metadata})


def load(component, seed=1, **trainer):
    kind = component.load()
    kind.configure(SimpleNamespace(seed=seed, trainer=TrainerConfig(**trainer)))
    return kind


def begun(component, trees, seed=1):
    """Return the model after it has seen TREES, and these as it adopted them."""
    kind = load(component, seed)
    adopted = [kind.adopt(each) for each in trees]
    kind.begin(kind.encode(adopted))
    return kind, adopted


def scores(kind, trees, needs=()):
    encoded = kind.encode(trees)
    return kind.forward(kind.module, kind.collate(encoded) | layout(encoded), needs)


RAGGED = [tree([[1.0, 2.0], [3.0, 4.0]], "a"), tree([[5.0, 6.0]], "b")]


def test_an_answer_keeps_its_features_when_it_is_moved_or_left_out():
    kind, (first, _) = begun(Linear(LinearConfig()), RAGGED)
    with torch.no_grad():
        kind.module.head.weight.copy_(torch.tensor([[1.0, 10.0]]))
    turned = replace(first, branches=first.branches[::-1])
    one = replace(first, branches=first.branches[1:])
    numbers, _ = scores(kind, [first, turned, one])
    assert numbers.squeeze(-1).tolist() == [[21.0, 43.0], [43.0, 21.0], [43.0, 0.0]]


def test_hidden_states_are_what_the_head_sees_and_0_in_the_padding():
    kind, trees = begun(Mlp(MlpConfig(hidden=3)), RAGGED)
    numbers, extras = scores(kind, trees, ("last_hidden", "step_embeddings", "reference"))
    assert numbers.shape == (2, 2, 1)
    assert set(extras) == {"last_hidden", "step_embeddings"}
    assert extras["last_hidden"].shape == (2, 2, 3)
    assert torch.equal(extras["step_embeddings"].squeeze(2), extras["last_hidden"])
    assert extras["last_hidden"][1, 1].abs().max() == 0
    assert kind.hidden_size == 3


def test_a_new_model_scores_0_whatever_its_hidden_layer():
    kind, trees = begun(Mlp(MlpConfig()), RAGGED)
    assert scores(kind, trees)[0].abs().max() == 0
    assert kind.module.body[0].weight.abs().min() > 0


def test_the_seed_and_nothing_else_draws_the_weights():
    kinds = [begun(Mlp(MlpConfig()), RAGGED, seed)[0] for seed in (1, 1, 2)]
    first, again, other = (kind.module.body[0].weight for kind in kinds)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({kind.fingerprint for kind in kinds}) == 1
    second = load(Mlp(MlpConfig()))
    second.begin_as(kinds[0])
    assert torch.equal(second.module.body[0].weight, first)


def test_arrays_are_features_and_branches_may_bring_them_along():
    kind, (adopted,) = begun(Linear(LinearConfig()), [tree(np.eye(3))])
    assert kind.module.features == 3
    bare = replace(adopted, metadata={})
    assert [b.features.tolist() for b in kind.adopt(bare).branches] == np.eye(3).tolist()


def test_what_is_saved_is_the_model(tmp_path):
    kind, trees = begun(Mlp(MlpConfig(hidden=4)), RAGGED)
    torch.nn.init.normal_(kind.module.head.weight)
    kind.save(tmp_path / "model")
    assert kind.problem_with(tmp_path / "model", trees) is None
    again = load(Mlp(MlpConfig(hidden=4, path=str(tmp_path / "model"))), seed=7)
    assert torch.equal(scores(again, trees)[0], scores(kind, trees)[0])
    assert again.fingerprint != kind.fingerprint
    file = tmp_path / "model" / "scorer.safetensors"
    save_file({name: value + 1 for name, value in load_file(file).items()}, file)
    assert kind.problem_with(tmp_path / "model", trees) == "record a has other scores"


def test_a_path_without_such_a_model_is_refused_before_it_is_loaded(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.path=.* is no model of feature vectors"):
        Linear(LinearConfig(path=str(tmp_path)))
    kind, _ = begun(Mlp(MlpConfig(hidden=4)), RAGGED)
    kind.save(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"4 hidden units of 2 features.*\n.*model.hidden=4"):
        Mlp(MlpConfig(hidden=5, path=str(tmp_path / "model")))
    stored = load(Mlp(MlpConfig(hidden=4, path=str(tmp_path / "model"))))
    with pytest.raises(DataError, match=r"has 3 numbers, the model takes 2"):
        stored.adopt(tree([[1.0, 2.0, 3.0]]))


@pytest.mark.parametrize(
    ("features", "field", "problem"),
    [
        (None, "metadata.features'", "is missing"),
        ([[1.0], [2.0]], "metadata.features'", "must be a list of 3"),
        ([[1.0] * 2, [1.0], [1.0] * 2], "metadata.features[1]", "has 1 numbers"),
        ([[1.0]] * 3, "metadata.features[0]", "has 1 numbers, the first record's have 2"),
        ([[1.0] * 2, ["x"] * 2, [1.0] * 2], "metadata.features[1]", "must be a list of numbers"),
        ([[0.0] * 2, [0.0, float("nan")], [0.0] * 2], "features[1][1]", "not a finite"),
    ],
)
def test_bad_features_are_named(features, field, problem):
    kind = load(Linear(LinearConfig()))
    kind.adopt(RAGGED[0])
    bad = replace(
        tree([[0.0]] * 3, "bad"), metadata={} if features is None else {"features": features}
    )
    with pytest.raises(DataError) as caught:
        kind.adopt(bad)
    for part in ("bad", field, problem):
        assert part in str(caught.value)


def test_an_answer_that_was_added_has_no_features():
    kind, (first, _) = begun(Linear(LinearConfig()), RAGGED)
    more = replace(first, branches=(*first.branches, Branch((Step("new"),))))
    with pytest.raises(DataError, match=r"branches\[2\]\.features"):
        kind.encode([more])


def test_it_must_see_a_training_record():
    with pytest.raises(DataError, match="needs a training record"):
        load(Linear(LinearConfig())).begin([])


def test_keys_of_text_are_refused():
    with pytest.raises(ConfigError, match=r"trainer\.max_length=9 does nothing with model=linear"):
        load(Linear(LinearConfig()), max_length=9)


def test_an_mlp_has_units():
    with pytest.raises(ConfigError, match=r"model\.hidden=0"):
        MlpConfig(hidden=0)
