"""algo=scorer: features follow their answers, errors come early, training finds the reward."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.records.tree import Branch, Step
from prefrun.schema import TrainerConfig
from prefrun_lab.config import LinearWorldConfig, Optimizer, ScorerConfig
from prefrun_lab.feature_records import FeatureRecords
from prefrun_lab.features import features_of
from prefrun_lab.linear_world import LinearWorld
from prefrun_lab.scorer import Scorer


@pytest.fixture
def split():
    """Records with two groups held out."""
    config = LinearWorldConfig(train=64, test=40, dimension=5, answers=3)
    made = LinearWorld(config).load(3)
    test = [
        replace(tree, metadata={**tree.metadata, "group": "odd" if number % 2 else "even"})
        for number, tree in enumerate(made.test)
    ]
    return replace(made, test=test)


@pytest.fixture
def services(split, tmp_path):
    """What `run` borrows of the host."""
    lines = []
    return SimpleNamespace(
        data=split,
        run=SimpleNamespace(seed=1, output_dir=tmp_path),
        config=SimpleNamespace(evaluation=SimpleNamespace(bootstrap=50), trainer=TrainerConfig()),
        log=lambda step, metrics: lines.append((step, metrics)),
        step_done=lambda step, steps: None,
        lines=lines,
    )


def make(**keys):
    return Scorer(ScorerConfig(**{"base": "pairs", "steps": 60, **keys}))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"hidden": 16, "learning_rate": 0.02, "steps": 150},
        {"optimizer": Optimizer.sgd, "learning_rate": 1.0},
    ],
)
def test_it_finds_the_true_order(services, keys):
    scorer = make(**keys)
    scorer.check(services.data, None)
    outcome = scorer.run(services)
    metrics = outcome.metrics
    assert metrics["accuracy"].value > 0.9
    assert metrics["kendall_tau"].value > 0.8
    assert outcome.directions["accuracy"] == "max"
    odd, even = (metrics[f"accuracy/{name}"].per_record for name in ("odd", "even"))
    both = [a if b is None else b for a, b in zip(odd, even, strict=True)]
    assert tuple(both) == metrics["accuracy"].per_record
    assert metrics["final_loss"].value < services.lines[0][1]["loss"]
    assert services.lines[-1][0] == scorer.config.steps
    assert scorer.base.steps_done == scorer.config.steps
    scorer.save(services.run.output_dir)
    assert (services.run.output_dir / "scorer.safetensors").exists()


def test_same_seed_same_result(services):
    one, other = (make(hidden=4).run(services).metrics["accuracy"] for _ in range(2))
    assert one == other


def test_batch_shows_an_answer_as_one_token_with_reference_zero(split):
    trees = [split.train[0], replace(split.train[1], branches=split.train[1].branches[:2])]
    features = [features_of(split.train[0]), features_of(split.train[1])[:2]]
    records = FeatureRecords.of(trees, features, "overall")
    logps = torch.arange(6.0).view(2, 3)
    states = torch.ones(2, 3, 4)
    batch = records.batch([0, 1], logps, states)
    assert batch.branch_mask.tolist() == [[True] * 3, [True, True, False]]
    assert batch.lengths.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.policy_logps.tolist() == [[0, 1, 2], [3, 4, 0]]
    assert batch.reference_logps.abs().max() == 0
    assert batch.ranks[0].tolist() == trees[0].ranks()
    assert batch.step_embeddings.shape == (2, 3, 1, 4)
    assert batch.step_embeddings[1, 2].abs().max() == 0
    assert set(batch.objectives) == {"overall"}


@pytest.mark.parametrize(
    ("features", "field", "problem"),
    [
        (None, "metadata.features'", "is missing"),
        ([[1.0], [2.0]], "metadata.features'", "must be a list of 3"),
        ([[1.0] * 5, [1.0] * 4, [1.0] * 5], "metadata.features[1]", "has 4 numbers"),
        ([[1.0] * 4] * 3, "metadata.features[0]", "has 4 numbers, the first record's have 5"),
        ([[1.0] * 5, ["x"] * 5, [1.0] * 5], "metadata.features[1]", "must be a list of numbers"),
        ([[0.0] * 5, [0.0] * 4 + [float("nan")], [0.0] * 5], "features[1][4]", "not a finite"),
        (np.ones((2, 5)), "metadata.features'", "has 2 rows, not 3"),
        (np.ones((3, 4)), "metadata.features'", "rows of 4 numbers, the first record's have 5"),
        (np.full((3, 5), np.inf), "metadata.features[0][0]", "not a finite"),
        (np.full((3, 5), "x"), "metadata.features'", "must hold numbers"),
    ],
)
def test_bad_features_are_named(split, features, field, problem):
    metadata = {} if features is None else {"features": features}
    train = [*split.train[:2], replace(split.train[2], metadata=metadata)]
    with pytest.raises(DataError) as caught:
        make().check(replace(split, train=train), None)
    assert split.train[2].id in str(caught.value)
    assert field in str(caught.value)
    assert problem in str(caught.value)


def test_an_array_is_read_as_its_lists_are(split):
    tree = split.train[0]
    rows = np.asarray(tree.metadata["features"])
    for given in (rows, list(rows), rows.astype(np.float32)):
        read = features_of(replace(tree, metadata={"features": given}))
        assert (read.dtype, read.tolist()) == (np.float32, features_of(tree).tolist())


def test_records_of_equal_labels_cannot_be_measured(split):
    branches = tuple(Branch((Step(f"{n}"),), {"overall": 1.0}) for n in range(3))
    test = [replace(tree, branches=branches) for tree in split.test]
    with pytest.raises(DataError, match="different label"):
        make().check(replace(split, test=test), None)


def test_single_answers_are_refused_for_a_loss_that_compares(split):
    lonely = replace(split.train[1], branches=split.train[1].branches[:1])
    lonely = replace(lonely, metadata={"features": lonely.metadata["features"][:1]})
    with pytest.raises(DataError, match=rf"record {lonely.id}: 1 answer.*algo=pairs needs 2"):
        make().check(replace(split, train=[split.train[0], lonely]), None)


def test_a_step_whose_records_weigh_nothing_is_refused(services):
    train = [replace(tree, weight=0.0) for tree in services.data.train]
    services.data = replace(services.data, train=train)
    with pytest.raises(DataError, match="step 1 teaches nothing"):
        make().run(services)


def test_loss_that_needs_a_language_model_is_refused():
    with pytest.raises(ConfigError, match=r"algo.base=pairs needs log_collision"):
        make(base_keys={"extra_need": "log_collision"})


def test_unknown_base_and_key():
    with pytest.raises(ConfigError, match="Did you mean 'pairs'"):
        make(base="pears")
    with pytest.raises(ConfigError, match=r"algo.base_keys"):
        make(base_keys={"gamma": 1.0})


def test_answers_of_the_algorithms_own_are_refused(services):
    with pytest.raises(ConfigError, match="adds answers of its own"):
        make(base_keys={"adds": True}).run(services)
