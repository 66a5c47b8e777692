"""algo=scorer: any loss on feature vectors, without a language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from prefrun import ConfigError, DataError
from prefrun.algorithm import Outcome, RunAlgorithm, check_branches
from prefrun.base_algorithm import build_loss
from prefrun.evaluation.evaluator import Estimate
from prefrun.evaluation.interval import mean_with_interval
from prefrun.policy.collate import STEP_EMBEDDINGS
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.training.empty_step import EmptySteps
from prefrun.training.services import Services
from prefrun_lab.config import ScorerConfig
from prefrun_lab.feature_records import FeatureRecords
from prefrun_lab.features import features_by_mark, features_of, marked
from prefrun_lab.network import ScoreNetwork
from prefrun_lab.ordering import kendall_tau, pair_accuracy
from prefrun_lab.training import train_scorer

GROUP = "group"
"""Key in a held-out record's metadata."""
LOG_EVERY = 20
CAN_GIVE = frozenset({"reference", STEP_EMBEDDINGS})
CARD = """
Any preference loss on feature vectors, in seconds; no language model.

  s(x, y) = w . f(x, y), or w . relu(V f(x, y) + b) with hidden > 0; at first 0
  log pi(y|x) := s(x, y), one token per answer;   log pi_ref(y|x) := 0

f are the numbers in a record's metadata['features'], a list per answer. algo.base names the loss;
it prepares the records, may order them, and may have parameters of its own, as in a run with a
language model. Measured on all held-out records, equal scores counting half: accuracy, the share of
a record's pairs of different label in the right order; kendall_tau, tau-b; both again by
metadata['group'].

Pitfalls: scores are not normalised, so they may be above 0; a loss that needs probabilities (ORPO's
odds) is not itself here. Losses that compare lengths see 1 everywhere. A loss with a small beta has
small gradients: adam does not mind, sgd does. Source: the project's own.
"""


class Scorer(RunAlgorithm):
    """Trains a scorer with `algo.base` and measures it on the held-out records."""

    card = CARD
    paper: ClassVar[str] = "none: a laboratory for other methods' losses"
    verdict: ClassVar[str] = "See the methods that are tried with it."
    uses_model = False
    trainer_keys = frozenset({"on_empty_step"})
    instead: ClassVar = {
        "max_steps": "algo.steps",
        "batch_size": "algo.batch_size",
        "learning_rate": "algo.learning_rate",
        "optimizer": "algo.optimizer",
    }
    saves_as = "scorer"
    kind: ClassVar[str] = "offline, any loss, feature vectors"
    formula: ClassVar[str] = "log pi(y|x) := w . f(x, y), log pi_ref := 0, in the loss algo.base"

    def __init__(self, config: ScorerConfig) -> None:
        """Raises ConfigError where algo.base is no loss that a scorer can be trained with."""
        super().__init__(config)
        self.base = build_loss(config.base, config.base_keys)
        missing = sorted(self.base.needs - CAN_GIVE)
        if missing:
            raise ConfigError(
                f"algo.base={config.base} needs {', '.join(missing)} of a language model, which a "
                "scorer does not have\n  remedy: choose other algo.base_keys, another algo.base, "
                f"or algo={config.base} model=scratch"
            )

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError where a record has no usable features or labels."""
        if not data.test:
            raise DataError("algo=scorer needs held-out records")
        width = features_of(data.train[0]).shape[1]
        for tree in (*data.train, *data.test):
            features_of(tree, width)
            tree.labels(data.objective)
        if all(len(set(tree.labels(data.objective))) < 2 for tree in data.test):
            raise DataError("no held-out record has two answers of different label")
        check_branches(self.base, data.train, self.config.base)
        self.base.check(data, reward)

    def run(self, services: Services) -> Outcome:
        """Train and measure; a resumed run begins anew, which takes seconds."""
        config, data, seed = self.config, services.data, services.run.seed
        test = FeatureRecords.of(data.test, [features_of(t) for t in data.test], data.objective)
        trees, train = self._prepared(data, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = ScoreNetwork(train.features.shape[-1], config.hidden)
        losses: list[float] = []
        empty = EmptySteps(services.config.trainer.on_empty_step)
        states = train_scorer(network, self.base, trees, train, config, seed, empty)
        for step, value, output in states:
            losses.append(value)
            if step % LOG_EVERY == 0 or step == config.steps:
                metrics = {name: float(number) for name, number in output.metrics.items()}
                accuracy = pair_accuracy(_scores(network, test), test.scores, test.mask)
                held_out = {"held_out/accuracy": accuracy.nanmean().item()}
                services.log(step, {"loss": value, **metrics, **held_out})
                services.step_done(step, self.config.steps)
        self._weights = network.state_dict()
        return self._outcome(services, _scores(network, test), test, losses[-LOG_EVERY:])

    def save(self, folder: Path) -> None:
        """Write the scorer's weights."""
        weights = {name: value.contiguous() for name, value in self._weights.items()}
        save_file(weights, folder / "scorer.safetensors")

    def _prepared(self, data: DataSplit, seed: int) -> tuple[list[PreferenceTree], FeatureRecords]:
        """Return the training records as the loss wants them, and as tensors."""
        given, vectors = marked(data.train)
        trees = self.base.prepare(given, seed)
        if not trees:
            raise ConfigError(f"algo.base={self.config.base} left no training record")
        check_branches(self.base, trees, self.config.base)
        features = [features_by_mark(tree, vectors, self.config.base) for tree in trees]
        return trees, FeatureRecords.of(trees, features, data.objective)

    def _outcome(
        self, services: Services, scores: Tensor, test: FeatureRecords, losses: Sequence[float]
    ) -> Outcome:
        groups = [tree.metadata.get(GROUP) for tree in services.data.test]
        names = list(dict.fromkeys(str(group) for group in groups if group is not None))
        measured: dict[str, Estimate] = {}
        resamples, seed = services.config.evaluation.bootstrap, services.run.seed
        for metric, measure in (("accuracy", pair_accuracy), ("kendall_tau", kendall_tau)):
            values = measure(scores, test.scores, test.mask).tolist()
            known = [None if value != value else value for value in values]
            parts = {metric: known}
            for name in names:
                pairs = zip(known, groups, strict=True)
                parts[f"{metric}/{name}"] = [v if str(g) == name else None for v, g in pairs]
            for part, per_record in parts.items():
                if any(value is not None for value in per_record):
                    measured[part] = mean_with_interval(per_record, resamples=resamples, seed=seed)
        directions = dict.fromkeys(measured, "max")
        measured["final_loss"] = Estimate(sum(losses) / len(losses))
        return Outcome(metrics=measured, directions=directions)


@torch.no_grad()
def _scores(network: ScoreNetwork, records: FeatureRecords) -> Tensor:
    """The scores [N, K] of all records."""
    scores: Tensor = network(records.features)[0]
    return scores
