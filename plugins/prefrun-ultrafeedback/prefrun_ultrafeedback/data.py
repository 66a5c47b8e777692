"""The data source data=ultrafeedback."""

from __future__ import annotations

from prefrun.records.converters.ultrafeedback import ULTRAFEEDBACK
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.hub import hub_rows
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
            held_out = read_rows(config.test_path) if config.test_path else None
            rows = read_rows(config.path)
            return build_split(name, rows, ULTRAFEEDBACK, config, held_out=held_out)
        if config.source is Source.hub:
            rows = number_rows(HUB_NAME, hub_rows(HUB_NAME, None, "train", OTHER_SOURCES))
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
