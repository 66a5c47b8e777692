"""Sampled continuations on disk, by all that decides them; whole after any interruption."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

from prefrun.errors import PrefrunError

FILE = "continuations.sqlite"
LOCK_SECONDS = 60


def key_of(*parts: Any) -> str:
    """Return the key of one continuation. PARTS: all that decides it, as JSON values."""
    return blake2b(json.dumps(parts).encode(), digest_size=24).hexdigest()


class Continuations:
    """A database file below FOLDER that runs share; each write is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the texts known of KEYS. Raises PrefrunError, naming the file."""
        if not self.path.exists():
            return {}
        known: dict[str, str] = self._with(lambda database: _select(database, keys))
        return known

    def write(self, texts: Mapping[str, str]) -> None:
        """Add TEXTS by key. Raises PrefrunError, naming the file."""

        def insert(database: sqlite3.Connection) -> None:
            with database:  # one transaction
                database.execute(
                    "CREATE TABLE IF NOT EXISTS continuations (key TEXT PRIMARY KEY, text TEXT)"
                )
                database.executemany(
                    "INSERT OR REPLACE INTO continuations VALUES (?, ?)", texts.items()
                )

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._with(insert)

    def _with(self, action: Any) -> Any:
        try:
            with closing(sqlite3.connect(self.path, timeout=LOCK_SECONDS)) as database:
                return action(database)
        except sqlite3.Error as error:
            raise PrefrunError(
                f"{self.path}: cannot be used: {error}\n"
                "  remedy: remove the file, or choose another folder with cache.dir=DIR"
            ) from error


def _select(database: sqlite3.Connection, keys: Iterable[str]) -> dict[str, str]:
    known = {}
    for key in keys:
        row = database.execute("SELECT text FROM continuations WHERE key = ?", (key,)).fetchone()
        if row:
            known[key] = row[0]
    return known
