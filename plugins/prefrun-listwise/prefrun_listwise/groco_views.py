"""algo=groco_views: GroCo as it was published, self-supervised learning of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from prefrun import ConfigError, DataError
from prefrun.algorithm import LOOP_KEYS, LossOutput, Outcome, RunAlgorithm, Term
from prefrun.evaluation.evaluator import Estimate
from prefrun.evaluation.interval import mean_with_interval
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.training.services import Services
from prefrun_listwise.config import ViewLoss
from prefrun_listwise.contrast import groco_loss, nt_xent_loss, separation, similarity_groups
from prefrun_listwise.encoder import EncoderTraining, make_encoder
from prefrun_listwise.neighbours import nearest_classes

VECTOR = "vector"
"""Key in a record's metadata."""
CARD = """
GroCo on embeddings: Learning by Sorting, Self-supervised Learning with Group Ordering Constraints
Shvetsova, Petersen, Kukleva, Schiele, Kuehne, arXiv 2301.02009 (ICCV 2023). No language model.

  views of an item: noise, and features left out; z = encoder(view)
  anchor by anchor: x = [cosines with the topk_neg hardest other items of the batch (same view),
                         cosines with the item's other views]; the loss is that of algo=groco
  stop_grad=true: only the anchor's z gets a gradient

loss=nt_xent trains the same encoder with SimCLR's loss (arXiv 2002.05709), to compare with.
Measured: accuracy of the classes that the knn nearest training items vote for (weights
exp(cosine / knn_temperature)), on the embeddings (knn_accuracy), on those of the encoder before
training (knn_accuracy/untrained) and on the features (knn_accuracy/features). A class is the text
of a record's best answer; it is not used in training. The projection head of the paper is left out.

Pitfalls: topk_neg must be below the batch size. steepness=1 on cosines gives a floor above 0, so
do not compare losses of different topk_neg or views.
"""


class GrocoViews(RunAlgorithm):
    """Trains an encoder on views of the records' vectors."""

    card = CARD
    golden = "prefrun_listwise.golden:groco_views"
    vectors = "groco.json"
    expected_failures: ClassVar = {
        "golden_vectors/end_to_end_3views_stopgrad_False/grad": (
            "published from a float32 run, exact to 1e-5; test_contrast compares it at that"
        )
    }
    uses_model = False
    trainer_keys = LOOP_KEYS
    instead: ClassVar = {
        "max_steps": "algo.steps",
        "batch_size": "algo.batch_size",
        "learning_rate": "algo.learning_rate",
    }
    saves_as = "groco_views"
    paper: ClassVar[str] = "Shvetsova et al. 2023, arXiv 2301.02009"
    kind: ClassVar[str] = "self-supervised, views of feature vectors"
    formula: ClassVar[str] = (
        "-mean_i log P(i ends among the ranks of its group), i: cosines of views"
    )
    verdict: ClassVar[str] = (
        "Equal to NT-Xent, 22 points above an untrained encoder, hardly above the plain features."
    )

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError for a record without a vector, ConfigError for too few records."""
        del reward
        if not data.test:
            raise DataError("algo=groco_views needs held-out records")
        length = len(_vector(data.train[0], None))
        for tree in (*data.train, *data.test):
            _vector(tree, length)
            tree.labels(data.objective)
        if len(data.train) < self.config.batch_size:
            raise ConfigError(
                f"algo.batch_size={self.config.batch_size} is above the {len(data.train)} training "
                "records"
            )

    def run(self, services: Services) -> Outcome:
        """Train and evaluate the encoder."""
        config, data, seed = self.config, services.data, services.run.seed
        train, test = (_vectors(part) for part in (data.train, data.test))
        centre, scale = train.mean(0), train.std(0).clamp(min=1e-6)
        train, test = (train - centre) / scale, (test - centre) / scale
        encoder = make_encoder(train.shape[1], config.hidden, config.width, seed)
        measured = {
            "knn_accuracy/features": self._accuracy((train, test), services),
            "knn_accuracy/untrained": self._accuracy(_embed(encoder, train, test), services),
        }
        ids = [tree.id for tree in data.train]
        services.optimise(EncoderTraining(encoder, train, ids, self._loss, config, seed))
        self._weights = encoder.state_dict()
        before = {"knn_accuracy": measured["knn_accuracy/untrained"]}
        measured["knn_accuracy"] = self._accuracy(_embed(encoder, train, test), services)
        directions = dict.fromkeys(measured, "max")
        return Outcome(metrics=measured, directions=directions, before=before)

    def save(self, folder: Path) -> None:
        """Write the encoder's weights."""
        save_file(self._weights, folder / "encoder.safetensors")

    def _loss(self, views: Sequence[Tensor]) -> LossOutput:
        config = self.config
        if config.loss is ViewLoss.nt_xent:
            loss = nt_xent_loss(views, config.temperature)
        else:
            loss = groco_loss(views, config.topk_neg, config.steepness, config.stop_grad)
        groups = similarity_groups([view.detach() for view in views], 0, config.topk_neg)
        return LossOutput({"views": Term(loss[None], loss.new_ones(1))}, separation(*groups))

    def _accuracy(self, parts: tuple[Tensor, Tensor], services: Services) -> Estimate:
        """Share of the second PART's items whose class their neighbours in the first vote for."""
        bank, queries = parts
        data, settings = services.data, services.config.evaluation
        names = [_class(tree, data.objective) for tree in (*data.train, *data.test)]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        classes = torch.tensor([numbers[name] for name in names])
        known, wanted = classes[: len(bank)], classes[len(bank) :]
        found = nearest_classes(bank, known, queries, self.config.knn, self.config.knn_temperature)
        right = (found == wanted).double().tolist()
        return mean_with_interval(right, resamples=settings.bootstrap, seed=services.run.seed)


def _class(tree: PreferenceTree, objective: str) -> str:
    return tree.branches[tree.ranks(objective).index(1)].text


def _vectors(trees: Sequence[PreferenceTree]) -> Tensor:
    return torch.tensor([tree.metadata[VECTOR] for tree in trees], dtype=torch.float32)


@torch.no_grad()
def _embed(encoder: torch.nn.Module, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    return encoder(train), encoder(test)


def _vector(tree: PreferenceTree, length: int | None) -> Sequence[float]:
    """Return a record's vector. Raises DataError where it has none, or not of this LENGTH."""
    vector = tree.metadata.get(VECTOR)
    numbers = isinstance(vector, list | tuple) and all(isinstance(x, int | float) for x in vector)
    if not numbers or not vector or length not in (None, len(vector)):
        wanted = "numbers" if length is None else f"{length} numbers, as in the first record"
        raise DataError(
            f"is no list of {wanted}",
            record=tree.id,
            field=f"metadata.{VECTOR}",
            remedy="choose data=latent_classes, or data whose records hold a feature vector",
        )
    return vector
