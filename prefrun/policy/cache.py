"""The content-addressed cache of reference log-probs: raw per-token values, shared by all runs.

One file per model fingerprint, append-only; an entry is

    magic, key, number of values, bytes per value | values | checksum of all before

A reader trusts an entry only where its checksum fits, and looks for the next magic where one does
not, so a flipped byte or a half-written entry costs that entry and is computed again. Writers take
turns by a file lock. A folder that cannot be read or written costs a warning, never the run.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

log = logging.getLogger(__name__)

MAGIC = b"\x93logps1\n"
HEADER = struct.Struct("<8s32sIB")
CHECKSUM = 16
LOCK_SECONDS = 60
DTYPES: dict[int, np.dtype[Any]] = {4: np.dtype("<f4"), 8: np.dtype("<f8")}


def cache_folder(configured: str | None) -> Path:
    """Return the folder of all caches: `cache.dir`, else $PREFRUN_CACHE, else ~/.cache/prefrun."""
    chosen = configured or os.environ.get("PREFRUN_CACHE") or "~/.cache/prefrun"
    return Path(chosen).expanduser()


def path_key(fingerprint: str, prompt: Sequence[int], answer: Sequence[int]) -> bytes:
    """Return the key of one branch: model, prompt length and token ids, and nothing else."""
    ids = np.array([len(prompt), *prompt, *answer], dtype="<i8")
    return blake2b(fingerprint.encode() + b"\0" + ids.tobytes(), digest_size=32).digest()


@dataclass(slots=True)
class _Shard:
    """What is known of one model's file."""

    path: Path
    identity: tuple[int, int] = (0, 0)
    scanned: int = 0
    """Bytes up to here are in `offsets`."""
    offsets: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Key -> start and length of the last entry under it."""


class ReferenceCache:
    """Per-token log-probs on disk, by `path_key`. Safe for concurrent writers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[str, _Shard] = {}
        self._complained = False

    @classmethod
    def at(cls, configured: str | None) -> ReferenceCache:
        """Return the cache below `cache.dir`. See `cache_folder`."""
        return cls(cache_folder(configured) / "reference-logps")

    def read(self, fingerprint: str, keys: Iterable[bytes]) -> dict[bytes, Tensor]:
        """Return what is known of KEYS: 1-D float32 (float64 of a float64 model) tensors."""
        shard = self._shard(fingerprint)
        try:
            with shard.path.open("rb") as file:
                _scan(shard, file)
                found = {key: _load(shard, file, key) for key in keys}
            return {key: values for key, values in found.items() if values is not None}
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._complain("read", error)
            return {}

    def write(self, fingerprint: str, entries: Mapping[bytes, Tensor]) -> None:
        """Add ENTRIES that are not there yet. A disk that refuses them costs a warning."""
        shard = self._shard(fingerprint)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{shard.path}.lock", timeout=LOCK_SECONDS):
                known = self.read(fingerprint, entries)
                new = [_encode(key, entries[key]) for key in entries if key not in known]
                with shard.path.open("ab") as file:
                    file.write(b"".join(new))
        except (OSError, Timeout) as error:
            self._complain("written", error)

    def _shard(self, fingerprint: str) -> _Shard:
        if fingerprint not in self._shards:
            self._shards[fingerprint] = _Shard(self.folder / f"{fingerprint[:40]}.logps")
        return self._shards[fingerprint]

    def _complain(self, action: str, error: Exception) -> None:
        if not self._complained:
            log.warning(
                "the cache of reference log-probs cannot be %s (%s); the run goes on without it. "
                "Another folder: cache.dir=DIR; none: cache.enabled=false",
                action,
                error,
            )
        self._complained = True


def _encode(key: bytes, values: Tensor) -> bytes:
    array = values.detach().cpu().numpy()
    dtype = DTYPES[array.itemsize]
    body = HEADER.pack(MAGIC, key, len(array), dtype.itemsize) + array.astype(dtype).tobytes()
    return body + _checksum(body)


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=CHECKSUM).digest()


def _scan(shard: _Shard, file: BinaryIO) -> None:
    """Index what was appended since the last look; start anew where the file is another one."""
    status = os.fstat(file.fileno())
    identity = (status.st_dev, status.st_ino)
    if identity != shard.identity or status.st_size < shard.scanned:
        shard.identity, shard.scanned, shard.offsets = identity, 0, {}
    file.seek(shard.scanned)
    data = file.read(status.st_size - shard.scanned)
    at = 0
    while (at := data.find(MAGIC, at)) >= 0:
        found = _entry_at(data, at)
        if found:
            key, length = found
            shard.offsets[key] = (shard.scanned + at, length)
        elif data.find(MAGIC, at + 1) < 0:
            break  # perhaps being written now: look again next time
        at += length if found else 1
    shard.scanned += at if at >= 0 else max(0, len(data) - len(MAGIC))


def _entry_at(data: bytes, at: int) -> tuple[bytes, int] | None:
    """Return key and length of the entry that begins at AT, where it is whole and sound."""
    if at + HEADER.size > len(data):
        return None
    _, key, count, itemsize = HEADER.unpack_from(data, at)
    end = at + HEADER.size + count * itemsize
    body, checksum = data[at:end], data[end : end + CHECKSUM]
    if itemsize not in DTYPES or len(checksum) < CHECKSUM or _checksum(body) != checksum:
        return None
    return key, end + CHECKSUM - at


def _load(shard: _Shard, file: BinaryIO, key: bytes) -> Tensor | None:
    """Return the entry under KEY; its checksum is tried again, for the file may have changed."""
    if key not in shard.offsets:
        return None
    start, length = shard.offsets[key]
    file.seek(start)
    entry = file.read(length)
    if _entry_at(entry, 0) != (key, length):
        return None
    *_, count, itemsize = HEADER.unpack_from(entry)
    values = np.frombuffer(entry, DTYPES[itemsize], count=count, offset=HEADER.size)
    return torch.from_numpy(values.copy())
