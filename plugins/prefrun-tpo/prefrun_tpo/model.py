"""Loads the embedded weights."""

from __future__ import annotations

from pathlib import Path

from prefrun.builtin.model import load_folder
from prefrun.policy.policy import LoadedModel
from prefrun_tpo.config import ChainModelConfig

WEIGHTS = Path(__file__).parent / "weights"


class ChainModel:
    """The component behind `model=chain`."""

    card = """
    A Llama of two layers and 64 hidden units, trained from scratch on solutions of chain arithmetic
    of which 30 % of the steps are wrong; never on an exercise of data=chain_arithmetic with four
    steps. Training was stopped when about half of its greedy answers were right. `python -m
    prefrun_tpo.make` makes it again from a seed. It reads nothing but such exercises.
    """

    def __init__(self, config: ChainModelConfig) -> None:
        self.config = config

    def load(self) -> LoadedModel:
        """Load model and tokenizer, in float32."""
        return load_folder(
            WEIGHTS,
            name="chain",
            dtype="float32",
            attention=self.config.attention,
            device=self.config.device,
            lora=self.config.lora,
        )
