"""Values out of range are refused by name."""

import pytest

from prefrun.errors import ConfigError
from prefrun.records.config import FileDataConfig


def test_the_defaults_are_valid():
    assert FileDataConfig().on_bad_record.name == "error"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", " "),
        ("max_records", 1),
        ("test_fraction", 0.0),
        ("test_fraction", 1.1),
        ("test_fraction", float("nan")),
        ("objective", ""),
        ("max_chars", 0),
    ],
)
def test_a_value_out_of_range_is_refused(key, value):
    with pytest.raises(ConfigError, match=rf"data\.{key}"):
        FileDataConfig(**{key: value})
