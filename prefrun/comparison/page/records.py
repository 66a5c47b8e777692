"""The held-out records on the page: prompts, answers, scores, implied rewards, of one seed each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from prefrun.comparison.compare import Row
from prefrun.comparison.page.compact import Texts, rounded
from prefrun.comparison.runs import RunResult
from prefrun.errors import PrefrunError
from prefrun.evaluation.answers import shortened
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json_lines

MOST_RECORDS = 64
BUDGET = 6_000_000
"""Characters of all records; fewer records are shown where they would not fit."""

Samples = dict[str, tuple[int, Mapping[str, Any]]]
"""Place among the held-out records and line of samples.jsonl, by the record's id."""


def records_payload(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the first records that the first of ROWS was evaluated on.

    `seeds`: the seed shown of each row; `metrics`: those with one value per record; `texts`: all
    texts, referred to by number; `records`: see `_record`; `total`: how many records there are.
    """
    seed = _common_seed(rows)
    runs = [next((run for run in row.runs if run.seed == seed), row.runs[0]) for row in rows]
    samples = [_samples(run) for run in runs]
    metrics = list(dict.fromkeys(name for run in runs for name in run.per_record))
    order = list(next((found for found in samples if found), {}))
    texts, used = Texts(), 0
    records: list[list[Any]] = []
    for name in order[:MOST_RECORDS]:
        record = _record(name, runs, samples, metrics, texts)
        used += len(json.dumps(record))
        if records and used + texts.characters > BUDGET:
            break
        records.append(record)
    return {
        "seeds": [run.seed for run in runs],
        "metrics": metrics,
        "texts": texts.all(),
        "records": records,
        "total": len(order),
    }


def _common_seed(rows: Sequence[Row]) -> int | None:
    """Return the seed that most configurations have: answers of one seed compare best."""
    seeds = Counter(run.seed for row in rows for run in row.runs)
    return max(seeds, key=lambda seed: seeds[seed], default=None)


def _samples(run: RunResult) -> Samples:
    """Return the samples of RUN; none where there are none or the file is damaged."""
    path = RunDirectory(run.path).samples
    if not path.exists():
        return {}
    try:
        lines = read_json_lines(path)
    except PrefrunError:
        return {}
    return {str(line["id"]): (place, line) for place, line in enumerate(lines)}


def _record(
    name: str,
    runs: Sequence[RunResult],
    samples: Sequence[Samples],
    metrics: Sequence[str],
    texts: Texts,
) -> list[Any]:
    """Return [id, prompt, [text, score] per answer of the data, start model, configurations].

    The start model, None where configurations started from different ones, is [response, reward]; a
    configuration, None where it lacks this record, is [response, reward, log-ratio per answer,
    value per metric].
    """
    found = [known.get(name) for known in samples]
    lines = [item[1] for item in found if item]
    answers: Sequence[Mapping[str, Any]] = next(
        (line["answers"] for line in lines if line.get("answers")), []
    )
    known = [answer["text"] for answer in answers]
    return [
        name,
        texts.number(shortened(str(lines[0].get("prompt", "")))),
        [[texts.number(answer["text"]), rounded(answer["score"])] for answer in answers],
        _start(lines, texts),
        [
            item and [*_answered(item[1], known, texts), _values(run, item[0], metrics)]
            for run, item in zip(runs, found, strict=True)
        ],
    ]


def _start(lines: Sequence[Mapping[str, Any]], texts: Texts) -> list[Any] | None:
    starts = {(line.get("baseline_response"), line.get("baseline_reward")) for line in lines}
    response, reward = next(iter(starts))
    if len(starts) > 1 or response is None:
        return None
    return [texts.number(shortened(response)), rounded(reward)]


def _answered(line: Mapping[str, Any], answers: Sequence[str], texts: Texts) -> list[Any]:
    response, own = line.get("response"), line.get("answers", [])
    same = [answer["text"] for answer in own] == answers
    return [
        None if response is None else texts.number(shortened(response)),
        rounded(line.get("reward")),
        [rounded(answer["log_ratio"]) for answer in own] if same else [],
    ]


def _values(run: RunResult, place: int, metrics: Sequence[str]) -> list[float | None]:
    columns = [run.per_record.get(name, ()) for name in metrics]
    return [rounded(column[place]) if place < len(column) else None for column in columns]
