"""The data source data=ultrafeedback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.ultrafeedback import ULTRAFEEDBACK
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.reading import read_rows, stem
from prefrun.records.split import DataSplit
from prefrun_ultrafeedback.config import Source, UltraFeedbackConfig
from prefrun_ultrafeedback.reward import SampleJudge
from prefrun_ultrafeedback.sample import TEST, TRAIN, train_and_test

HUB_NAME = "openbmb/UltraFeedback"
OTHER_SOURCES = "data.path=FILE (your own copy), or data.source=sample (generated sample data)"
NOTE = (
    "Generated sample data, not UltraFeedback: {train} training and {test} held-out prompts. "
    "For the real data: data.source=hub or data.path=FILE"
)


class UltraFeedback:
    """Loads the records that the configuration names, and never others in their stead."""

    uses_seed = False

    def __init__(self, config: UltraFeedbackConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        config = self.config
        if config.path is not None:
            name = f"ultrafeedback-{stem(config.path)}"
            return build_split(name, read_rows(config.path), ULTRAFEEDBACK, config)
        if config.source is Source.hub:
            rows = number_rows(HUB_NAME, hub_rows())
            return build_split("ultrafeedback-hub", rows, ULTRAFEEDBACK, config)
        return self._sample()

    def _sample(self) -> DataSplit:
        total = min(self.config.max_records or TRAIN + TEST, TRAIN + TEST)
        test_count = min(max(1, round(total * self.config.test_fraction)), total - 1)
        train, test = train_and_test(total - test_count, test_count)
        return build_split(
            "ultrafeedback-sample",
            number_rows("sample", train),
            ULTRAFEEDBACK,
            self.config,
            held_out=number_rows("sample-test", test),
            reward=SampleJudge(),
            note=NOTE.format(train=len(train), test=len(test)),
        )


def hub_rows() -> Iterable[dict[str, Any]]:
    """Return the rows of openbmb/UltraFeedback. Raises DataError where the hub gives none."""
    try:
        from prefrun.builtin.hub import asking_once

        with asking_once():
            import datasets

            rows: Iterable[dict[str, Any]] = datasets.load_dataset(HUB_NAME, split="train")
    except ImportError as error:
        problem = f"the package {error.name or 'datasets'} cannot be imported: {error}"
        remedy = f"pip install datasets, or use {OTHER_SOURCES}"
        raise DataError(problem, file=HUB_NAME, remedy=remedy) from error
    except (ConnectionError, TimeoutError) as error:
        problem = f"the Hugging Face hub cannot be reached: {_first_line(error)}"
        remedy = f"try again with a connection, or use {OTHER_SOURCES}"
        raise DataError(problem, file=HUB_NAME, remedy=remedy) from error
    except Exception as error:  # whatever the library raises for a broken download or full disk
        problem = f"loading from the Hugging Face hub failed: {_first_line(error)}"
        raise DataError(problem, file=HUB_NAME, remedy=f"use {OTHER_SOURCES}") from error
    return rows


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
