"""One file of the cache of reference log-probs: entries one after the other, read by memory map.

An entry is, each part a multiple of 8 bytes long so that values can be used where they lie,

    magic, key, number of values, bytes per value | values, zeros | checksum of all before

A reader trusts an entry only where its checksum fits, and looks for the next magic where one does
not, so a flipped byte or a half-written entry costs that entry and is computed again. Files only
grow or are unlinked: one that shrank under a map would kill its readers. Imports no torch.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x93logps2\n"
HEADER = struct.Struct("<8s32sII")
CHECKSUM = 16
ALIGNMENT = 8
DTYPES: dict[int, np.dtype[Any]] = {4: np.dtype("<f4"), 8: np.dtype("<f8")}

Data = mmap | bytes
"""The content of a file; bytes of an empty one, which cannot be mapped."""


class Entry(NamedTuple):
    """Where a sound entry lies in its file, in bytes, and what it holds."""

    key: bytes
    length: int
    """Number of values."""
    itemsize: int
    start: int
    end: int


def padding(size: int) -> bytes:
    """Return the zeros that make SIZE bytes a multiple of ALIGNMENT."""
    return bytes(-size % ALIGNMENT)


def encode(key: bytes, values: NDArray[Any]) -> bytes:
    """Return the entry of the 1-D float32 or float64 VALUES under the 32-byte KEY."""
    dtype = DTYPES[values.itemsize]
    body = HEADER.pack(MAGIC, key, len(values), dtype.itemsize) + values.astype(dtype).tobytes()
    body += padding(len(body))
    return body + _checksum(body)


def map_file(file: BinaryIO, size: int) -> Data:
    """Return the first SIZE bytes of FILE. They stay readable after the file was unlinked.

    The map is copy-on-write: torch takes no array that it may not write to, and what a caller does
    to its tensors must not reach the disk.
    """
    return mmap(file.fileno(), size, access=ACCESS_COPY) if size else b""


def sound_entries(data: Data, start: int = 0) -> Iterator[Entry]:
    """Yield, in order, the entries at or after START that are whole and fit their checksum."""
    at = data.find(MAGIC, start)
    while at >= 0:
        entry = entry_at(data, at)
        if entry:
            yield entry
        at = data.find(MAGIC, entry.end if entry else at + 1)


def entry_at(data: Data, at: int) -> Entry | None:
    """Return the entry that begins at byte AT, or None where none is whole and sound there."""
    if at % ALIGNMENT or at + HEADER.size > len(data):
        return None
    magic, key, count, itemsize = HEADER.unpack_from(data, at)
    size = HEADER.size + count * itemsize
    check = at + size + len(padding(size))
    end = check + CHECKSUM
    if magic != MAGIC or itemsize not in DTYPES or end > len(data):
        return None
    view = memoryview(data)
    if _checksum(view[at:check]) != bytes(view[check:end]):
        return None
    return Entry(key, count, itemsize, at, end)


def damaged_entries(data: Data, sound: Sequence[Entry]) -> int:
    """Count the magics in DATA between the SOUND entries, at least one a gap."""
    ends = [0, *(entry.end for entry in sound)]
    starts = [*(entry.start for entry in sound), len(data)]
    gaps = [(end, start) for end, start in zip(ends, starts, strict=True) if end < start]
    return sum(max(1, data[end:start].count(MAGIC)) for end, start in gaps)


def _checksum(body: bytes | memoryview) -> bytes:
    return blake2b(body, digest_size=CHECKSUM).digest()


class Segment:
    """What a reader knows of one file, which other processes append to, unlink or replace."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.starts: dict[bytes, int] = {}
        """Key -> first byte of the last entry under it."""
        self._data: Data = b""
        self._file = (0, 0)
        self._indexed = 0

    def refresh(self) -> None:
        """Index what was appended since the last look; start anew where the file is another one.

        Raises FileNotFoundError where there is no file any more, OSError where it is unreadable.
        """
        status = self.path.stat()
        if (status.st_dev, status.st_ino, status.st_size) == (*self._file, len(self._data)):
            return
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            # The old map holds the old file, so its inode number cannot have been given away.
            identity = (status.st_dev, status.st_ino)
            if identity != self._file or status.st_size < self._indexed:
                self._indexed, self.starts = 0, {}
            self._file, self._data = identity, map_file(file, status.st_size)
        for entry in sound_entries(self._data, self._indexed):
            self.starts[entry.key] = entry.start
            self._indexed = entry.end

    def values(self, key: bytes) -> NDArray[Any] | None:
        """Return the values under KEY, in the map; None where the entry is absent or damaged.

        The checksum is tried again each time, for the bytes may have changed since.
        """
        entry = entry_at(self._data, self.starts[key]) if key in self.starts else None
        if entry is None or entry.key != key:
            return None
        offset = entry.start + HEADER.size
        return np.frombuffer(self._data, DTYPES[entry.itemsize], entry.length, offset)
