"""A small translation model with random weights that knows the generated pair's words."""

from __future__ import annotations

import pytest
import torch

from prefrun.policy.policy import LoadedModel
from prefrun_simulpl.component_config import SimtModelConfig
from prefrun_simulpl.model import SimtModel, learn_vocabulary
from prefrun_simulpl.reordered import records
from prefrun_simulpl.vocabulary import Vocabulary


@pytest.fixture
def loaded() -> LoadedModel:
    """In float64, and with large weights, so that its decisions differ from place to place."""
    made = SimtModel(SimtModelConfig(hidden_size=32, layers=2, heads=2)).load()
    rows = records(60, held_out=False)
    learn_vocabulary(made, [row[side] for row in rows for side in ("de", "en")], seed=0)
    generator = torch.Generator().manual_seed(1)
    made.model.double()
    with torch.no_grad():
        for value in made.model.parameters():
            if value.dim() > 1:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.4)
    return made


@pytest.fixture
def vocabulary(loaded: LoadedModel) -> Vocabulary:
    return Vocabulary(loaded.tokenizer)


@pytest.fixture
def sources(vocabulary: Vocabulary) -> list[list[list[int]]]:
    """Five sources of 3 to 8 words, some of several subwords."""
    texts = [row["de"].split() for row in records(5, held_out=True)]
    cut = [words[: 8 - number] for number, words in enumerate(texts)]
    cut[1][2] = "unbekannt"
    return [vocabulary.split(" ".join(words)) for words in cut]
