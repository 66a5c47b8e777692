"""TRL's record formats by name, and which one a row is in."""

from __future__ import annotations

from prefrun.records.converters.trl_preference import PREFERENCE
from prefrun.records.converters.trl_prompt_only import PROMPT_ONLY
from prefrun.records.converters.trl_stepwise import STEPWISE
from prefrun.records.converters.trl_unpaired import UNPAIRED
from prefrun.records.format import Format
from prefrun.records.place import Row

FORMATS = {each.name: each for each in (PREFERENCE, UNPAIRED, STEPWISE, PROMPT_ONLY)}

KEYS = {
    "preference": ("chosen", "rejected"),
    "unpaired": ("prompt", "completion", "label"),
    "stepwise": ("prompt", "completions", "labels"),
    "prompt_only": ("prompt",),
}
"""The keys that every row of a format has."""

_MARKS = ("chosen", "rejected", "completion", "completions", "label", "labels")
"""Keys that say a row is more than a prompt."""


def detect_format(row: Row) -> Format | None:
    """Return the format whose keys ROW has, or None where it has those of no format."""
    present = {key for key, value in row.items() if value is not None}
    for name, keys in KEYS.items():
        if present.issuperset(keys) and (name != "prompt_only" or not present & set(_MARKS)):
            return FORMATS[name]
    return None
