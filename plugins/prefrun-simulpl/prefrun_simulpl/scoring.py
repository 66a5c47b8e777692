"""Runs rows of sources and translations through the model, with gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prefrun_simulpl.layout import Row, Target
from prefrun_simulpl.model import SimtForCausalLM
from prefrun_simulpl.simuldpo import action_logps
from prefrun_simulpl.visibility import visible
from prefrun_simulpl.vocabulary import PAD_ID

PADDING = -1
"""Branch number of padding."""


class RowStates:
    """The hidden states of a batch of rows, found by row and place."""

    def __init__(self, model: SimtForCausalLM, rows: Sequence[Row]) -> None:
        self.model, self._length = model, max(len(row.ids) for row in rows)
        ids = self._column([row.ids for row in rows], PAD_ID)
        branch = self._column([row.branch for row in rows], PADDING)
        position = self._column([row.position for row in rows], 0)
        words = self._column([row.words for row in rows], 0)
        lasting = self._column([row.lasting for row in rows], 0).bool()
        seen = visible(branch, position, words, lasting)
        self._hidden = model.states(ids, branch > 0, position, seen).flatten(0, 1)

    def _column(self, lists: Sequence[Sequence[int]], filler: int) -> Tensor:
        rows = [[*values, *[filler] * (self._length - len(values))] for values in lists]
        return torch.tensor(rows, device=self.model.device)

    def at(self, places: Sequence[tuple[int, int]]) -> Tensor:
        """Return [N, H] the states at PLACES, (row, place)."""
        flat = [row * self._length + place for row, place in places]
        return self._hidden[torch.tensor(flat, dtype=torch.long, device=self._hidden.device)]

    def logits(self, places: Sequence[tuple[int, int]]) -> Tensor:
        """Return [N, V] next-token logits at PLACES."""
        logits: Tensor = self.model.lm_head(self.at(places))
        return logits

    def confidence(self, places: Sequence[tuple[int, int]]) -> Tensor:
        """Return [N] confidence logits at PLACES."""
        logits: Tensor = self.model.confidence(self.at(places)).squeeze(-1)
        return logits


@dataclass(frozen=True, slots=True)
class TargetLogps:
    """Log-probs of N translations, padded to T tokens, the end of the sentence included."""

    tokens: Tensor
    """[N, T] log p(y_t | source words read, earlier target)."""
    actions: Tensor
    """[N, T] log-prob of the reads before token t and of writing it then; 0 where nothing was to be
    decided, as at the end of the sentence."""
    mask: Tensor
    """[N, T] bool."""


def score_targets(
    states: RowStates, targets: Sequence[tuple[int, Target]], sources: Sequence[int]
) -> TargetLogps:
    """Score TARGETS, (row, target), laid out with probes. SOURCES: words of each one's source."""
    places = [(row, place) for row, target in targets for place in target.places]
    tokens = [token for _, target in targets for token in target.tokens]
    device = states.model.device
    logps = states.logits(places).log_softmax(-1)
    chosen = logps.gather(-1, torch.tensor(tokens, device=device).unsqueeze(-1)).squeeze(-1)
    choices = [
        seen < source and number < len(target.tokens) - 1
        for (_, target), source in zip(targets, sources, strict=True)
        for number, seen in enumerate(target.seen)
    ]
    owners, probes, start = [], [], 0
    for row, target in targets:
        owners += [start + number for number, _ in target.reads]
        probes += [(row, place) for _, place in target.reads]
        start += len(target.tokens)
    acted = action_logps(
        states.confidence(places),
        torch.tensor(choices, device=device),
        states.confidence(probes),
        torch.tensor(owners, dtype=torch.long, device=device),
    )
    lengths = [len(target.tokens) for _, target in targets]
    padded = [
        torch.nn.utils.rnn.pad_sequence(list(values.split(lengths)), batch_first=True)
        for values in (chosen, acted, torch.ones_like(acted))
    ]
    return TargetLogps(padded[0], padded[1], padded[2].bool())
