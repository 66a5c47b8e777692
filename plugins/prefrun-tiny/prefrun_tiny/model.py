"""Loads the embedded weights."""

from __future__ import annotations

from pathlib import Path

from prefrun.builtin.model import load_folder
from prefrun.policy.policy import LoadedModel
from prefrun_tiny.config import TinyModelConfig

WEIGHTS = Path(__file__).parent / "weights"


class TinyModel:
    """The component behind `model=tiny`."""

    card = """
    A small Llama of the project's own, trained from scratch on freshly generated sample
    instructions with answers of every quality: what it samples is a mixture of good and bad
    answers, so that preference learning has something to improve. `python -m prefrun_tiny.make`
    makes it again from a seed.
    """

    def __init__(self, config: TinyModelConfig) -> None:
        self.config = config

    def load(self) -> LoadedModel:
        """Load model and tokenizer, in float32."""
        return load_folder(
            WEIGHTS,
            name="tiny",
            dtype="float32",
            attention=self.config.attention,
            device=self.config.device,
            lora=self.config.lora,
        )
