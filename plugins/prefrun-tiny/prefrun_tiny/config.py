"""The keys of model=tiny."""

from __future__ import annotations

from dataclasses import dataclass, field

from prefrun.builtin.config import LoraSettings, ModelDevice


@dataclass
class TinyModelConfig:
    """The embedded model, in float32."""

    attention: str | None = None
    """segments, flex or dense pack each tree into one row; sdpa or eager put each answer into a row
    of its own; null = the fastest packing."""
    device: ModelDevice = ModelDevice.auto
    """auto = a GPU where there is one."""
    lora: LoraSettings = field(default_factory=LoraSettings)
    """Train a low-rank adapter instead of all weights; the reference is then the bare model."""
