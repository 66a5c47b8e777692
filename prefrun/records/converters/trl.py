"""The record formats of data=trl by name, and which one a row is in."""

from __future__ import annotations

from prefrun.records.converters.demonstrations import DEMONSTRATION
from prefrun.records.converters.exchange import is_dialogue
from prefrun.records.converters.hh import HH
from prefrun.records.converters.lists import LISTS
from prefrun.records.converters.trl_preference import ANSWERS, IMPLICIT, PREFERENCE
from prefrun.records.converters.trl_prompt_only import PROMPT_ONLY
from prefrun.records.converters.trl_stepwise import STEPWISE
from prefrun.records.converters.trl_unpaired import UNPAIRED
from prefrun.records.format import Format
from prefrun.records.place import Row

FORMATS = {
    each.name: each
    for each in (PREFERENCE, IMPLICIT, LISTS, UNPAIRED, STEPWISE, DEMONSTRATION, PROMPT_ONLY)
}

KEYS: tuple[tuple[Format, tuple[str, ...]], ...] = (
    (PREFERENCE, ANSWERS),
    (LISTS, ("responses",)),
    (UNPAIRED, ("prompt", "completion", "label")),
    (UNPAIRED, ("messages", "label")),
    (STEPWISE, ("prompt", "completions", "labels")),
    (DEMONSTRATION, ("prompt", "completion")),
    (DEMONSTRATION, ("messages",)),
    (PROMPT_ONLY, ("prompt",)),
)
"""The keys that every row of a format has; the first that fits counts."""

_MARKS = ("chosen", "rejected", "completion", "completions", "label", "labels")
"""Keys that say a row is more than a prompt."""


def detect_format(row: Row) -> Format | None:
    """Return the format whose keys ROW has, or None where it has those of no format.

    A pair of texts with the turns of hh-rlhf, and no prompt, is one of its pairs.
    """
    present = {key for key, value in row.items() if value is not None}
    for found, keys in KEYS:
        if present.issuperset(keys) and (found is not PROMPT_ONLY or not present & set(_MARKS)):
            if found is PREFERENCE and "prompt" not in present:
                return HH if all(is_dialogue(row[each]) for each in ANSWERS) else found
            return found
    return None
