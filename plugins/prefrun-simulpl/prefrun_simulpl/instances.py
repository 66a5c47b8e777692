"""Action logs in the format of SimulEval's instances.log, one JSON object per sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefrun.rundir.files import write_atomically
from prefrun_simulpl.streaming import Translation


def elapsed_words(translation: Translation, word_ms: float) -> list[float]:
    """Return per target word when it was there, in source words: reading plus computing time."""
    pairs = zip(translation.delays, translation.seconds, strict=True)
    return [delay + 1000 * seconds / word_ms for delay, seconds in pairs]


def instance(
    index: int,
    source: str,
    reference: str,
    translation: Translation,
    elapsed: Sequence[float],
    metric: Mapping[str, float],
) -> dict[str, Any]:
    """Return one line. `delays`, `elapsed` and `source_length` are in source words.

    SimulEval reads the fields up to `metric`; `actions` is prefrun's own.
    """
    return {
        "index": index,
        "prediction": translation.text,
        "delays": translation.delays,
        "elapsed": list(elapsed),
        "prediction_length": len(translation.delays),
        "reference": reference,
        "source": source,
        "source_length": translation.source,
        "metric": dict(metric),
        "actions": translation.actions,
    }


def write_instances(path: Path, instances: Sequence[Mapping[str, Any]]) -> None:
    """Write instances.log at PATH, atomically."""
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in instances]
    write_atomically(path, "".join(lines))
