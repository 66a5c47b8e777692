"""The folder of the cache of reference log-probs: one folder a model, segment files in it.

    <cache>/reference-logps/<fingerprint[:40]>/<number>.logps

Segments are appended to, then left alone; the least recently used are unlinked where all models
together need more than the cache may. Writing, unlinking and clearing take turns by one lock for
the whole folder; reading takes none, and a file that vanished is a miss. Imports no torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from numpy.typing import NDArray

from prefrun.policy.cache_file import (
    Segment,
    damaged_entries,
    encode,
    map_file,
    padding,
    sound_entries,
)

SEGMENT_BYTES = 64 * 2**20
"""A segment that is as long is not appended to."""
LOCK_SECONDS = 60

Files = Mapping[Path, os.stat_result]
"""Segment files with their sizes and times of last use."""


def cache_folder(configured: str | None) -> Path:
    """Return the folder of all caches: `cache.dir`, else $PREFRUN_CACHE, else ~/.cache/prefrun."""
    chosen = configured or os.environ.get("PREFRUN_CACHE") or "~/.cache/prefrun"
    return Path(chosen).expanduser()


def reference_folder(configured: str | None) -> Path:
    """Return the folder of the cached reference log-probs. See `cache_folder`."""
    return cache_folder(configured) / "reference-logps"


def lock(folder: Path) -> FileLock:
    """Return the lock of FOLDER; entering it raises OSError where it is not had in a minute."""
    return FileLock(folder / ".lock", timeout=LOCK_SECONDS)


def models(folder: Path) -> Mapping[str, Files]:
    """Return the segment files in FOLDER by model; none where there is no folder."""
    found: dict[str, dict[Path, os.stat_result]] = {}
    for model in sorted(folder.iterdir()) if folder.is_dir() else ():
        for path in _segments(model) if model.is_dir() else ():
            with suppress(FileNotFoundError):
                found.setdefault(model.name, {})[path] = path.stat()
    return found


def unlink(files: Iterable[Path]) -> None:
    """Remove segment FILES, and folders that become empty. The caller holds the lock."""
    for path in files:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            path.parent.rmdir()


def _segments(folder: Path) -> list[Path]:
    """Return the segment files of one model's FOLDER, oldest first."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ".logps"]
    except FileNotFoundError:
        return []
    return sorted((path for path in paths if path.stem.isdecimal()), key=lambda p: int(p.stem))


@dataclass(frozen=True, slots=True)
class Contents:
    """What the segment files of one model hold."""

    entries: int
    """Those that are sound."""
    values: int
    """One a token."""
    damaged: int
    """Entries that are not whole, or do not fit their checksum."""
    size: int
    """Bytes."""
    used: float
    """Seconds since 1970 when an entry was last read or written."""


def contents(files: Files) -> Contents:
    """Read every entry of the FILES of one model, of each as much as its size in FILES says.

    Raises OSError where a file cannot be read; one that vanished counts for nothing.
    """
    entries = values = damaged = 0
    for path, status in files.items():
        with suppress(FileNotFoundError), path.open("rb") as file:
            data = map_file(file, status.st_size)
            sound = list(sound_entries(data))
            entries += len(sound)
            values += sum(entry.length for entry in sound)
            damaged += damaged_entries(data, sound)
    size = sum(status.st_size for status in files.values())
    used = max(status.st_mtime for status in files.values())
    return Contents(entries, values, damaged, size, used)


class SegmentStore:
    """Arrays on disk by model and key: MAX_BYTES at most, or the segment written last."""

    def __init__(self, folder: Path, max_bytes: float) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._models: dict[str, dict[Path, Segment]] = {}

    def find(self, fingerprint: str, keys: Iterable[bytes]) -> dict[bytes, NDArray[Any]]:
        """Return what is known of KEYS: 1-D arrays in memory maps. Raises OSError."""
        wanted = set(keys)
        found: dict[bytes, NDArray[Any]] = {}
        for segment in self._newest_first(fingerprint):
            if not wanted:
                break
            try:
                segment.refresh()
            except FileNotFoundError:
                continue
            hits = {key: segment.values(key) for key in wanted & segment.starts.keys()}
            sound = {key: values for key, values in hits.items() if values is not None}
            if sound:
                with suppress(OSError):  # vanished, or a folder that may only be read
                    os.utime(segment.path)
            found |= sound
            wanted -= sound.keys()
        return found

    def add(self, fingerprint: str, entries: Mapping[bytes, NDArray[Any]]) -> None:
        """Write those of ENTRIES that are not there yet, then make room. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock(self.folder):
            known = self.find(fingerprint, entries)
            new = [encode(key, values) for key, values in entries.items() if key not in known]
            if new:
                path = self._open_segment(fingerprint)
                with path.open("ab") as file:
                    size = path.stat().st_size  # a killed writer leaves any
                    file.write(padding(size) + b"".join(new))
                self._make_room(path)

    def _folder_of(self, fingerprint: str) -> Path:
        return self.folder / fingerprint[:40]

    def _newest_first(self, fingerprint: str) -> list[Segment]:
        old = self._models.get(fingerprint, {})
        paths = reversed(_segments(self._folder_of(fingerprint)))
        self._models[fingerprint] = {path: old.get(path) or Segment(path) for path in paths}
        return list(self._models[fingerprint].values())

    def _open_segment(self, fingerprint: str) -> Path:
        """Return the segment to append to: the last one, or the next where that one is full.

        A small cache has smaller segments, for they are removed as a whole.
        """
        folder = self._folder_of(fingerprint)
        folder.mkdir(exist_ok=True)
        paths = _segments(folder)
        if not paths:
            return folder / "0.logps"
        last = paths[-1]
        full = last.stat().st_size >= min(SEGMENT_BYTES, self.max_bytes / 4)
        return folder / f"{int(last.stem) + 1}.logps" if full else last

    def _make_room(self, kept: Path) -> None:
        """Unlink least recently used segments, but never KEPT, until the rest may stay."""
        files = dict(item for model in models(self.folder).values() for item in model.items())
        total = sum(status.st_size for status in files.values())
        for path in sorted(files, key=lambda path: files[path].st_mtime_ns):
            if total <= self.max_bytes:
                return
            if path != kept:
                unlink([path])
                total -= files[path].st_size
