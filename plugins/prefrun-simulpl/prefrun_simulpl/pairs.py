"""Phase 2: preference data with a schedule for each translation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prefrun.errors import DataError
from prefrun.records.tree import PreferenceTree
from prefrun.rundir.files import read_json_lines, write_atomically
from prefrun_simulpl.config import Delays, PairsConfig, SimulPLConfig
from prefrun_simulpl.latency import average_proportion
from prefrun_simulpl.pair_records import DELAYS, reference_of
from prefrun_simulpl.quality import sentence_chrf
from prefrun_simulpl.rules import ConfidenceRule, Rule, WaitKRule
from prefrun_simulpl.schedule import wait_k_delays
from prefrun_simulpl.streaming import Translation, Translator

SIDE_BY_SIDE = 64
TIE = 1e-9
"""Scores that are no further apart are equal."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A translation and when its words are written."""

    text: str
    delays: tuple[int, ...]
    score: float | None = None
    """Quality minus weighted latency, of a candidate that was decoded."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two scheduled translations of one source, the first preferred."""

    id: str
    source: str
    chosen: Scheduled
    rejected: Scheduled


def build_pairs(
    trees: Sequence[PreferenceTree],
    translator: Translator,
    config: SimulPLConfig,
    show: Callable[[int, int], None],
) -> list[Pair]:
    """Return the preference pairs of the first `pairs.records` of TREES.

    A record's own answers keep their delays, or get a schedule as `pairs.delays` says. For a record
    without answers the current policy translates under several thresholds and wait-k schedules; the
    best and the worst candidate, by quality and latency, make the pair.
    Raises DataError where no pair comes out.
    """
    used, found = list(trees[: config.pairs.records]), list[Pair]()
    for start in range(0, len(used), SIDE_BY_SIDE):
        show(start, len(used))
        group = used[start : start + SIDE_BY_SIDE]
        given = [tree for tree in group if len(tree.branches) > 1]
        found += _given(given, translator, config) if given else []
        bare = [tree for tree in group if len(tree.branches) < 2]
        found += _decoded(bare, translator, config) if bare else []
    show(len(used), len(used))
    if not found:
        raise DataError(
            f"none of {len(used)} records gave a preference pair: the candidates of each are "
            f"within algo.pairs.min_margin={config.pairs.min_margin}",
            remedy="lower it, widen algo.pairs.thresholds, or give chosen and rejected fields",
        )
    return found


def _given(
    trees: Sequence[PreferenceTree], translator: Translator, config: SimulPLConfig
) -> list[Pair]:
    sides = [
        [
            Scheduled(tree.branches[side].text, tuple(delays))
            for tree, delays in zip(trees, _schedules(trees, side, translator, config), strict=True)
        ]
        for side in (0, 1)
    ]
    rows = zip(trees, *sides, strict=True)
    return [Pair(tree.id, tree.prompt_text, *both) for tree, *both in rows]


def _schedules(
    trees: Sequence[PreferenceTree], side: int, translator: Translator, config: SimulPLConfig
) -> list[Sequence[int]]:
    """Return the delays of each tree's answer number SIDE."""
    known: list[Any] = [tree.metadata.get(DELAYS[side]) for tree in trees]
    if all(known):
        return known
    split = translator.vocabulary.split
    sources = [split(tree.prompt_text) for tree in trees]
    targets = [split(tree.branches[side].text) for tree in trees]
    if config.pairs.delays is Delays.policy:
        rule = ConfidenceRule(config.threshold, config.min_source)
        forced = [[token for word in target for token in word] for target in targets]
        made: list[Sequence[int]] = [
            _per_word(result, target)
            for result, target in zip(
                translator.translate(sources, rule, forced), targets, strict=True
            )
        ]
    else:
        made = [
            wait_k_delays(config.k, len(source), len(target))
            for source, target in zip(sources, targets, strict=True)
        ]
    return [own or schedule for own, schedule in zip(known, made, strict=True)]


def _per_word(result: Translation, target: Sequence[Sequence[int]]) -> list[int]:
    ends, place = [], 0
    for word in target:
        place += len(word)
        ends.append(result.token_delays[place - 1])
    return ends


def _decoded(
    trees: Sequence[PreferenceTree], translator: Translator, config: SimulPLConfig
) -> list[Pair]:
    keys = config.pairs
    rules: list[Rule] = [ConfidenceRule(value, config.min_source) for value in keys.thresholds]
    rules += [WaitKRule(k) for k in keys.wait_k]
    sources = [translator.vocabulary.split(tree.prompt_text) for tree in trees]
    by_rule = [translator.translate(sources, rule) for rule in rules]
    pairs = []
    for tree, *results in zip(trees, *by_rule, strict=True):
        candidates = [_scored(result, reference_of(tree), keys) for result in results]
        ranked = sorted(filter(None, candidates), key=lambda each: each.score or 0.0)
        if len(ranked) > 1 and _gap(ranked[-1], ranked[0]) >= max(keys.min_margin, TIE):
            pairs.append(Pair(tree.id, tree.prompt_text, ranked[-1], ranked[0]))
    return pairs


def _gap(best: Scheduled, worst: Scheduled) -> float:
    return (best.score or 0.0) - (worst.score or 0.0)


def _scored(result: Translation, reference: str, keys: PairsConfig) -> Scheduled | None:
    """Return the candidate with its score; None for an empty one, which has no schedule."""
    if not result.words:
        return None
    quality = sentence_chrf(result.text, reference) / 100
    latency = average_proportion(result.delays, result.source)
    score = quality - keys.latency_weight * latency
    return Scheduled(result.text, tuple(result.delays), score)


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write one JSON object per pair, atomically."""
    lines = [json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs]
    write_atomically(path, "".join(lines))


def read_pairs(path: Path) -> list[Pair]:
    """Read what `write_pairs` wrote. Raises PrefrunError."""

    def scheduled(row: dict[str, object]) -> Scheduled:
        return Scheduled(str(row["text"]), tuple(row["delays"]), row["score"])  # type: ignore[arg-type]

    return [
        Pair(row["id"], row["source"], scheduled(row["chosen"]), scheduled(row["rejected"]))
        for row in read_json_lines(path)
    ]
