"""What differs in the configurations, for the comparison of any two rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from prefrun.comparison.compare import Row
from prefrun.comparison.configurations import settings_of
from prefrun.comparison.origins import SHOWN
from prefrun.comparison.page.compact import Texts
from prefrun.comparison.runs import RunResult
from prefrun.rundir.masking import mask_values


def settings_payload(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the keys that are not the same in all ROWS, with secrets masked.

    `keys`: their names; `values`: the distinct values as text; `rows`: per row and key the value's
    number, None where the row lacks the key; `equal`: how many keys all rows share.
    """
    settings = [mask_values(_settings(row.runs[0])) for row in rows]
    keys = list(dict.fromkeys(key for one in settings for key in one))
    first = settings[0] if settings else {}
    varied = [key for key in keys if any(_get(one, key) != _get(first, key) for one in settings)]
    values = Texts()
    return {
        "keys": varied,
        "rows": [
            [values.number(_text(one[key])) if key in one else None for key in varied]
            for one in settings
        ],
        "values": values.all(),
        "equal": len(keys) - len(varied),
    }


def _settings(run: RunResult) -> dict[str, Any]:
    """The settings of RUN, and the digests of what they name, which may be all that differs."""
    contents = run.origin.contents
    return {**settings_of(run), **{f"{key} (content)": contents[key][:SHOWN] for key in contents}}


def _get(settings: dict[str, Any], key: str) -> tuple[bool, str]:
    return key in settings, json.dumps(settings.get(key), default=str)


def _text(value: object) -> str:
    """VALUE as JSON; a text without its quotes, unless it would read as another value."""
    if not isinstance(value, str):
        return json.dumps(value, default=str)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)
