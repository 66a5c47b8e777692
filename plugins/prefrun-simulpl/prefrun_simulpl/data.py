"""The data source data=multi30k: any parallel corpus, or a generated one."""

from __future__ import annotations

from prefrun.records.dataset import build_split, number_rows
from prefrun.records.reading import stem
from prefrun.records.split import DataSplit
from prefrun_simulpl.component_config import ParallelDataConfig
from prefrun_simulpl.judge import ReorderedJudge
from prefrun_simulpl.pair_records import pair_format
from prefrun_simulpl.parallel_files import read_pairs
from prefrun_simulpl.reordered import TEST, TRAIN, records

NOTE = (
    "A generated language pair, not Multi30k: {train} training and {test} held-out sentences. "
    "For real ones: data.path=FILE"
)


class ParallelData:
    """Loads sentence pairs, with given preferences where the records have them."""

    uses_seed = False

    def __init__(self, config: ParallelDataConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        del seed
        config = self.config
        if config.path is None:
            return self._generated()
        fields = config.source_field, config.target_field
        held_out = None
        if config.test_path is not None:
            held_out = read_pairs(config.test_path, config.test_target_path, *fields)
        rows = read_pairs(config.path, config.target_path, *fields)
        name = f"parallel-{stem(config.path)}"
        return build_split(name, rows, pair_format(config), config, held_out=held_out)

    def _generated(self) -> DataSplit:
        config = ParallelDataConfig(
            max_records=self.config.max_records, test_fraction=self.config.test_fraction
        )
        train = min(self.config.max_records or TRAIN, TRAIN)
        test = min(self.config.max_records or TEST, TEST)
        return build_split(
            "reordered",
            number_rows("reordered", records(train, held_out=False)),
            pair_format(config),
            config,
            held_out=number_rows("reordered-test", records(test, held_out=True)),
            reward=ReorderedJudge(),
            note=NOTE.format(train=train, test=test),
        )
