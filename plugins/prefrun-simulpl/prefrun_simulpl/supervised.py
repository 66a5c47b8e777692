"""Phase 1: translation and read/write policy are learned together from sentence pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput
from prefrun.records.tree import PreferenceTree
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_simulpl.confidence import confidence_loss, smoothed_nll
from prefrun_simulpl.config import Prefixes, ReadPolicy, SimulPLConfig
from prefrun_simulpl.layout import Row, Target, add_target, source_row, token_delays
from prefrun_simulpl.model import SimtForCausalLM
from prefrun_simulpl.pair_records import reference_of
from prefrun_simulpl.schedule import wait_k_delays
from prefrun_simulpl.scoring import RowStates
from prefrun_simulpl.training import BETAS, inverse_square_root, output, shuffled
from prefrun_simulpl.vocabulary import Vocabulary

PREFIX, FULL = 1, 2
"""Branches of a row: the reference as read word by word, and with the whole source read."""
POOL = 4096
"""Sentences that are sorted by length before batches are cut."""
Placed = Sequence[tuple[int, Target]]
"""Translations with the number of their row."""


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Subword ids by word, of the record ID."""

    id: str
    source: list[list[int]]
    target: list[list[int]]

    @property
    def size(self) -> int:
        """Places of its row."""
        return sum(map(len, self.source)) + 2 * (1 + sum(map(len, self.target)))


def sentence_pairs(trees: Sequence[PreferenceTree], vocabulary: Vocabulary) -> list[SentencePair]:
    """Return the references of TREES as subwords."""
    split = vocabulary.split
    return [
        SentencePair(tree.id, split(tree.prompt_text), split(reference_of(tree))) for tree in trees
    ]


class Supervised(StepLoop):
    """The training of phase 1. Each step is a function of its number only."""

    name = "supervised"
    betas = BETAS
    rate_key = "algo.supervised.learning_rate"

    def __init__(
        self,
        model: SimtForCausalLM,
        pairs: Sequence[SentencePair],
        config: SimulPLConfig,
        seed: int,
    ) -> None:
        keys = config.supervised
        self.modules, self.steps = {"model": model}, keys.steps
        self.schedule = inverse_square_root(keys.learning_rate, keys.warmup_steps)
        self.model, self.pairs, self.config, self.seed = model, pairs, config, seed
        self._epoch, self._first, self._batches = 0, 0, self._cut(0)

    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return the batch of step NUMBER, laid out in rows."""
        batch = [self.pairs[index] for index in self._batch(number)]
        draw = Random(f"{self.seed} prefixes {number}")
        rows: list[Row] = []
        prefix: list[tuple[int, Target]] = []
        full: list[tuple[int, Target]] = []
        for place, pair in enumerate(batch):
            row, words = source_row(pair.source), len(pair.source)
            tokens = sum(map(len, pair.target)) + 1
            if self.config.policy is not ReadPolicy.full_sentence:
                seen = self._prefix(pair, draw)
                prefix.append((place, add_target(row, PREFIX, pair.target, seen, source=words)))
            if self.config.policy is not ReadPolicy.wait_k:
                seen = [words] * tokens
                full.append((place, add_target(row, FULL, pair.target, seen, source=words)))
            rows.append(row)
        return [
            MicroBatch(
                lambda: self._loss(rows, prefix, full),
                ids=tuple(pair.id for pair in batch),
                tokens=sum(len(row.ids) for row in rows),
            )
        ]

    def _loss(self, rows: Sequence[Row], prefix: Placed, full: Placed) -> LossOutput:
        """Return the loss per target token."""
        states = RowStates(self.model, rows)
        if prefix and full:
            return self._both(states, prefix, full)
        return self._one(states, prefix or full)

    def _both(self, states: RowStates, prefix: Placed, full: Placed) -> LossOutput:
        keys, targets = self.config.supervised, self._tokens(prefix)
        confidence = states.confidence(_places(prefix))
        loss = confidence_loss(
            states.logits(_places(prefix)),
            states.logits(_places(full)),
            confidence,
            targets,
            torch.ones_like(targets, dtype=torch.bool),
            keys.label_smoothing,
        )
        return output(
            self.name,
            loss.total(keys.confidence_weight) / len(targets),
            {
                "full_nll": loss.full.double() / len(targets),
                "stream_nll": loss.stream.double() / len(targets),
                "confidence": confidence.detach().sigmoid().mean(),
            },
        )

    def _one(self, states: RowStates, used: Placed) -> LossOutput:
        targets = self._tokens(used)
        logps = states.logits(_places(used)).log_softmax(-1)
        everywhere = torch.ones_like(targets, dtype=torch.bool)
        nll = smoothed_nll(logps, targets, everywhere, self.config.supervised.label_smoothing)
        return output(self.name, nll / len(targets), {})

    def _tokens(self, used: Placed) -> Tensor:
        tokens = [token for _, target in used for token in target.tokens]
        return torch.tensor(tokens, device=self.model.device)

    def _prefix(self, pair: SentencePair, draw: Random) -> list[int]:
        """Return the source words that each token sees, the end of the sentence last."""
        source, target, config = len(pair.source), len(pair.target), self.config
        if config.policy is ReadPolicy.wait_k:
            k = config.k
        elif config.supervised.prefix is Prefixes.uniform:
            words = draw.randint(min(config.min_source, source), source)
            return token_delays([words] * target, pair.target, words)
        else:
            k = draw.randint(1, source)
        *delays, end = wait_k_delays(k, source, target + 1)
        return token_delays(delays, pair.target, end)

    def _batch(self, step: int) -> list[int]:
        """Return the indices of the pairs of STEP."""
        while step >= self._first + len(self._batches):
            self._first += len(self._batches)
            self._epoch += 1
            self._batches = self._cut(self._epoch)
        return self._batches[step - self._first]

    def _cut(self, epoch: int) -> list[list[int]]:
        """Cut an epoch into batches of like length, in random order."""
        order = shuffled(len(self.pairs), epoch, self.seed)
        limit, batches = self.config.supervised.batch_tokens, list[list[int]]()
        for start in range(0, len(order), POOL):
            pool = sorted(order[start : start + POOL], key=lambda index: self.pairs[index].size)
            batch: list[int] = []
            for index in pool:
                if batch and self.pairs[index].size * (len(batch) + 1) > limit:
                    batches.append(batch)
                    batch = []
                batch.append(index)
            batches.append(batch)
        return [batches[index] for index in shuffled(len(batches), epoch, self.seed)]


def _places(used: Placed) -> list[tuple[int, int]]:
    return [(row, place) for row, target in used for place in target.places]
