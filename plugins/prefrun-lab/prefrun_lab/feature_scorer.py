"""A model whose branches are feature vectors and have one number each, their score."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from prefrun.errors import ConfigError, DataError
from prefrun.models.kind import EncodedBranches, ModelKind
from prefrun.needs import LAST_HIDDEN, STEP_EMBEDDINGS
from prefrun.records.tree import PreferenceTree
from prefrun.schema import TrainerConfig
from prefrun_lab.feature_models import GIVES
from prefrun_lab.features import attached, features_of, with_features
from prefrun_lab.network import ScoreNetwork
from prefrun_lab.stored_scorer import WEIGHTS, Shape, shape_in

if TYPE_CHECKING:
    from prefrun.training.services import Settings

OF_TEXT = (
    "max_length",
    "max_prompt_length",
    "truncation",
    "gradient_checkpointing",
    "compile",
)
"""Keys of `trainer` that concern models of text only."""


class FeatureScorer(ModelKind):
    """Scores feature vectors; the reference's score is 0.

    How long a vector is, only the records tell: the weights are made once it is known. A start
    from stored weights has the reference 0, too: a score is a log-ratio, and training goes on.
    """

    gives = GIVES

    def __init__(self, name: str, hidden: int, start: Path | None) -> None:
        """HIDDEN units, 0 = none. START: the folder of stored weights."""
        self.name, self._hidden, self._start = name, hidden, start
        self._width = shape_in(start).features if start else None
        self._network: ScoreNetwork | None = None
        weights = (start / WEIGHTS).read_bytes() if start else b""
        self.fingerprint = hashlib.sha256(f"{name} {hidden} ".encode() + weights).hexdigest()

    def configure(self, settings: Settings) -> None:
        """Take the seed of the weights. Raises ConfigError for keys that concern text."""
        self._seed = settings.seed
        usual = TrainerConfig()
        for key in OF_TEXT:
            value = getattr(settings.trainer, key)
            if value != getattr(usual, key):
                raise ConfigError(
                    f"trainer.{key}={value} does nothing with model={self.name}, which reads no "
                    "text\n  remedy: leave it out"
                )
        if self._start:
            self._network = stored_network(self._start)

    def begin(self, encoded: Sequence[EncodedBranches]) -> None:
        """Make the weights. Raises DataError if no training record says how many."""
        width = next((len(row) for tree in encoded for row in tree.inputs), None)
        if self._network is None:
            if width is None:
                raise DataError(
                    f"model={self.name} needs a training record to know how long a vector is",
                    remedy="choose data with training records, or set model.path",
                )
            self._make(width)

    def begin_as(self, other: FeatureScorer) -> None:
        """Make weights of the same size."""
        if self._network is None:
            self._make(other.module.features)

    def _make(self, width: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self._network = ScoreNetwork(width, self._hidden)

    @property
    def module(self) -> ScoreNetwork:  # type: ignore[override]
        """The network, once a record was seen."""
        assert self._network is not None, "begin() comes first"
        return self._network

    @property
    def hidden_size(self) -> int:  # type: ignore[override]
        """Width of what the head sees."""
        return self.module.width

    def adopt(self, tree: PreferenceTree) -> PreferenceTree:
        """Put the features of metadata into the branches; these keep them. Raises DataError."""
        if not tree.branches:
            return tree
        others = "the model takes" if self._start else "the first record's have"
        features = features_of(tree, self._width, others)
        self._width = features.shape[1]
        return with_features(tree, features)

    def encode(self, trees: Sequence[PreferenceTree]) -> list[EncodedBranches]:
        """Take the branches' features. Raises DataError for an answer that has none."""
        return [EncodedBranches(tree.id, attached(tree)) for tree in trees]

    def collate(self, encoded: Sequence[EncodedBranches]) -> dict[str, Any]:
        """Return 'features' [B, K, D], 0 in the padding."""
        most = max((len(tree.inputs) for tree in encoded), default=0) or 1
        features = np.zeros((len(encoded), most, self.module.features), np.float32)
        for b, tree in enumerate(encoded):
            for k, row in enumerate(tree.inputs):
                features[b, k] = row
        return {"features": torch.from_numpy(features)}

    def forward(
        self, model: torch.nn.Module, batch: Mapping[str, Any], needs: Collection[str]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return scores [B, K, 1] and, as hidden states, what the head sees."""
        scores, states = model(batch["features"])
        padding = ~batch["branch_mask"]
        states = states.masked_fill(padding.unsqueeze(-1), 0.0)
        if not self._hidden and torch.is_grad_enabled():
            states.requires_grad_()  # a loss may ask for their gradient, if of no weight
        hidden = {LAST_HIDDEN: states, STEP_EMBEDDINGS: states.unsqueeze(2)}
        extras = {name: value for name, value in hidden.items() if name in needs}
        return scores.masked_fill(padding, 0.0).unsqueeze(-1), extras

    def save(self, folder: Path) -> None:
        """Write shape and weights."""
        folder.mkdir(parents=True)
        Shape(self.module.features, self._hidden).write(folder)
        weights = {name: value.contiguous() for name, value in self.module.state_dict().items()}
        save_file(weights, folder / WEIGHTS)

    def problem_with(self, folder: Path, trees: Sequence[PreferenceTree]) -> str | None:
        """Return which record has other scores once FOLDER is loaded with model.path."""
        stored = stored_network(folder)
        for tree, encoded in zip(trees, self.encode(trees), strict=True):
            features = self.collate([encoded])["features"]
            with torch.no_grad():
                if not torch.equal(self.module(features)[0], stored(features)[0]):
                    return f"record {tree.id} has other scores"
        return None


def stored_network(folder: Path) -> ScoreNetwork:
    """Return the network that FOLDER holds."""
    shape = shape_in(folder)
    network = ScoreNetwork(shape.features, shape.hidden)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network
