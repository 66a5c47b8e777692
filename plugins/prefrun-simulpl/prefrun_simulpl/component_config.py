"""The keys of model=simt, evaluator=simt and data=multi30k. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError, Holds, path_key
from prefrun.builtin.config import ModelDevice
from prefrun.records.config import FileDataConfig


@dataclass
class SimtModelConfig:
    """A translation model of prefrun's own, trained from scratch."""

    path: str | None = path_key(holds=Holds.model)
    """Folder of a trained one, such as a run's model/; the sizes below are then its own."""
    hidden_size: int = 128
    """Width, a multiple of `heads`."""
    layers: int = 3
    """Transformer layers, >= 1."""
    heads: int = 4
    """Attention heads, >= 1."""
    vocabulary: int = 4000
    """Largest number of subwords, learned from the training records, both languages together;
    at least 300."""
    device: ModelDevice = ModelDevice.auto
    """auto = a GPU where there is one."""

    def __post_init__(self) -> None:
        least = {"hidden_size": 8, "layers": 1, "heads": 1, "vocabulary": 300}
        for name, minimum in least.items():
            value = getattr(self, name)
            if value < minimum:
                raise ConfigError(f"model.{name}={value} must be at least {minimum}")
        if self.hidden_size % (2 * self.heads):
            raise ConfigError(
                f"model.hidden_size={self.hidden_size} must be a multiple of 2 * model.heads="
                f"{2 * self.heads}"
            )


class Decoding(Enum):
    """Which read/write policy translates."""

    trained = "the one the model was trained for, with its threshold or k"
    confidence = "WRITE once the confidence reaches a threshold"
    wait_k = "wait-k"
    full_sentence = "the whole source is read first"


@dataclass
class SimtEvaluatorConfig:
    """Quality and latency of simultaneous translations."""

    policy: Decoding = Decoding.trained
    """trained, confidence, wait_k or full_sentence."""
    threshold: float = 0.5
    """Of policy=confidence."""
    k: int = 5
    """Of policy=wait_k, at least 1."""
    thresholds: list[float] = field(default_factory=lambda: [0.2, 0.35, 0.5, 0.65, 0.8])
    """Points of the curve of quality against latency; [] = none."""
    wait_k: list[int] = field(default_factory=lambda: [1, 3, 5, 7, 9])
    """Values of k for the wait-k curve of the same model; [] = none."""
    full_sentence: bool = True
    """Whether the curve has the full-sentence point."""
    batch_size: int = 64
    """Sentences translated side by side, at least 1."""
    max_tokens: int = 128
    """Subwords after which a translation is cut, at least 1."""
    computation_aware: bool = False
    """Translate one sentence after the other and also report latency with computing time. These
    numbers differ from run to run."""
    word_ms: float = 300.0
    """Milliseconds a source word lasts, for computation_aware, above 0."""

    def __post_init__(self) -> None:
        for name in ("k", "batch_size", "max_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"evaluator.simt.{name}={getattr(self, name)} must be at least 1")
        if any(k < 1 for k in self.wait_k):
            raise ConfigError(f"evaluator.simt.wait_k={self.wait_k}: each must be at least 1")
        if not all(map(math.isfinite, (self.threshold, *self.thresholds))):
            raise ConfigError("evaluator.simt.threshold and thresholds must be finite")
        if not (self.word_ms > 0 and math.isfinite(self.word_ms)):
            raise ConfigError(f"evaluator.simt.word_ms={self.word_ms} must be above 0, and finite")


@dataclass
class ParallelDataConfig(FileDataConfig):
    """Sentence pairs of two languages: generated ones, or a parallel corpus of yours."""

    path: str | None = path_key(holds=Holds.records)
    """Training pairs: .jsonl, .jsonl.gz, .json or .parquet with the fields below; .tsv or .tsv.gz
    with source, tab, target; or the source lines of two text files. null = a generated pair."""
    target_path: str | None = path_key(holds=Holds.records)
    """The target lines, where the source lines are a file of their own."""
    test_path: str | None = path_key(holds=Holds.records)
    """Held-out pairs; null = data.test_fraction of data.path. Name the validation file here while
    settings are being chosen."""
    test_target_path: str | None = path_key(holds=Holds.records)
    """The target lines of data.test_path, where these are a file of their own."""
    source_field: str = "de"
    """Name of the source sentence."""
    target_field: str = "en"
    """Name of the reference translation."""
    chosen_field: str = "chosen"
    """Name of the preferred translation, in records that have one."""
    rejected_field: str = "rejected"
    """Name of the other translation; both or none of a record's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("target_path", "test_path"):
            if getattr(self, name) is not None and self.path is None:
                raise ConfigError(f"data.{name} is given, but data.path is not: give both")
        if self.test_target_path is not None and self.test_path is None:
            raise ConfigError("data.test_target_path is given, but data.test_path is not")
        if (self.target_path is None) != (self.test_target_path is None) and self.test_path:
            raise ConfigError(
                "data.target_path and data.test_target_path: give both or none, as training and "
                "held-out pairs have the same layout"
            )
        names = (self.source_field, self.target_field, self.chosen_field, self.rejected_field)
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise ConfigError(f"data's four field names must differ and not be empty: {names}")
