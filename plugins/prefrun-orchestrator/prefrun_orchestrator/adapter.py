"""The preference adapter: from a prompt to a weight vector, with all that its weights depend on."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from prefrun.errors import ConfigError
from prefrun.rundir.files import read_json, write_json
from prefrun_orchestrator.encoders import DEFAULT_NAME, HashEncoder, HFEncoder
from prefrun_orchestrator.weights import Statistics, normalise, raised, scalarise

SETTINGS, WEIGHTS, ENCODER = "adapter.json", "adapter.safetensors", "encoder"
CHUNK = 64
"""Prompts that are read together where no gradient is needed."""


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """What belongs to an adapter beside its weights."""

    objectives: tuple[str, ...]
    """In the order of its outputs."""
    reward_norm: str
    """none, zscore or minmax: how rewards were normalised, and are wherever its weights are."""
    min_weight: float = 0.0
    encoder: str = "hash"
    """hash or hf."""
    encoder_name: str | None = None
    max_length: int = 512


class Adapter(nn.Module):
    """w(x) = softmax(head(encoder(x))), and the statistics behind its rewards' normalisation."""

    def __init__(
        self,
        settings: AdapterSettings,
        statistics: Statistics,
        encoder: HashEncoder | HFEncoder | None = None,
    ) -> None:
        """Make an untrained head of zeros: uniform weights for every prompt."""
        super().__init__()
        self.settings, self.statistics = settings, statistics
        self.encoder = encoder or _encoder(settings)
        self.head = nn.Linear(self.encoder.width, len(settings.objectives))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self._known: dict[str, Tensor] = {}

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Return logits [B, K] of B prompts."""
        logits: Tensor = self.head(self.encoder(texts))
        return logits

    def weights(self, texts: Sequence[str]) -> Tensor:
        """Return weights [B, K], float64, summing to 1. Each prompt is read once.

        Leaves the adapter in evaluation mode.
        """
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        self.eval()
        with torch.no_grad():
            for start in range(0, len(new), CHUNK):
                part = new[start : start + CHUNK]
                rows = raised(self(part).double().softmax(-1), self.settings.min_weight)
                self._known.update(zip(part, rows.cpu(), strict=True))
        return torch.stack([self._known[text] for text in texts])

    def train(self, mode: bool = True) -> Adapter:
        """Switch training on or off; training forgets the weights that were computed."""
        if mode:
            self._known.clear()
        super().train(mode)
        return self

    def normalise(self, rewards: Tensor) -> Tensor:
        """Normalise rewards [..., K] as those it was trained on."""
        return normalise(rewards, self.settings.reward_norm, self.statistics)

    def scalarise(self, rewards: Tensor, weights: Tensor) -> Tensor:
        """R = sum_k w_k r_k of rewards [..., K] as a reward model gives them."""
        return scalarise(self.normalise(rewards), weights)

    def save(self, folder: Path) -> None:
        """Write it to FOLDER, whole or not at all."""
        staging = folder.with_name(f"{folder.name}.incomplete")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        own = {name: value for name, value in self.state_dict().items() if self._is_own(name)}
        save_file({name: value.contiguous() for name, value in own.items()}, staging / WEIGHTS)
        if self.settings.encoder == "hf":
            self.encoder.save(staging / ENCODER)
        statistics = dataclasses.asdict(self.statistics)
        write_json(
            staging / SETTINGS, {**dataclasses.asdict(self.settings), "statistics": statistics}
        )
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staging, folder)

    def _is_own(self, name: str) -> bool:
        return self.settings.encoder == "hash" or name.startswith("head.")

    @classmethod
    def load(cls, folder: Path, objectives: Sequence[str], key: str) -> Adapter:
        """Read the adapter in FOLDER. Raises ConfigError, naming KEY, as `read_settings` does."""
        settings, statistics = read_settings(folder, objectives, key)
        encoder = None
        if settings.encoder == "hf":
            encoder = HFEncoder(str(folder / ENCODER), settings.max_length)
        adapter = cls(settings, statistics, encoder)
        adapter.load_state_dict(load_file(folder / WEIGHTS), strict=settings.encoder == "hash")
        adapter.eval()
        return adapter


def read_settings(
    folder: Path, objectives: Sequence[str], key: str
) -> tuple[AdapterSettings, Statistics]:
    """Read what belongs to the adapter in FOLDER.

    Raises ConfigError, naming KEY, where there is none, or its objectives are not OBJECTIVES in
    that order: its outputs would be taken for other objectives'.
    """
    if not (folder / SETTINGS).is_file() or not (folder / WEIGHTS).is_file():
        raise ConfigError(
            f"{key}={folder} holds no adapter (no {SETTINGS})\n"
            "  remedy: give RUN/orchestrator/adapter of an earlier run"
        )
    content = read_json(folder / SETTINGS)
    pool = {name: _double(values) for name, values in content.pop("statistics").items()}
    content["objectives"] = tuple(content["objectives"])
    settings = AdapterSettings(**content)
    if settings.objectives != tuple(objectives):
        raise ConfigError(
            f"{key}={folder} weighs {', '.join(settings.objectives)}, in this order, and the run's "
            f"objectives are {', '.join(objectives)}\n"
            f"  remedy: set algo.objectives=[{','.join(settings.objectives)}]"
        )
    return settings, Statistics(**pool)


def _double(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _encoder(settings: AdapterSettings) -> HashEncoder | HFEncoder:
    if settings.encoder == "hf":
        return HFEncoder(settings.encoder_name or DEFAULT_NAME, settings.max_length)
    return HashEncoder()
