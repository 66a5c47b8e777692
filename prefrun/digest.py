"""Digests of files by content; a large file is read once for as long as it is not written to.

Standard library only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

LARGE = 64 * 2**20
"""Bytes from which on the digest of a file is also kept on the disk."""
SETTLED = 2.0
"""Seconds since its last change after which a file's times tell every later change."""
BLOCK = 1 << 22

_KNOWN: dict[str, tuple[str, str]] = {}
"""By path: the file's state, and its digest."""


def file_digest(file: Path, kept_in: Path | None = None) -> str:
    """Return 64 hex digits of FILE's content. Raises OSError.

    Remembered for this process, and of a large file in the folder KEPT_IN, by path, size, inode and
    times; a copy that keeps the time of modification does not keep that of the inode.
    """
    file = file.resolve()
    status = file.stat()
    state = f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
    note = _note(file, kept_in) if kept_in is not None and status.st_size >= LARGE else None
    known = _KNOWN.get(str(file)) or (_read(note) if note else None)
    if known and known[0] == state:
        return known[1]
    digest = _hash(file)
    if time.time() - max(status.st_mtime, status.st_ctime) > SETTLED:
        _KNOWN[str(file)] = (state, digest)
        if note:
            _write(note, state, digest)
    return digest


def joint_digest(parts: Iterable[str]) -> str:
    """Return 40 hex digits of PARTS, in order."""
    hasher = blake2b(digest_size=20)
    for part in map(str.encode, parts):
        hasher.update(len(part).to_bytes(8, "little") + part)
    return hasher.hexdigest()


def _hash(file: Path) -> str:
    hasher = blake2b(digest_size=32)
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def _note(file: Path, folder: Path) -> Path:
    return folder / blake2b(str(file).encode(), digest_size=16).hexdigest()


def _read(note: Path) -> tuple[str, str] | None:
    """The state and digest in NOTE; None if there is no whole one."""
    try:
        state, digest = note.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return (state, digest) if len(digest) == 64 else None


def _write(note: Path, state: str, digest: str) -> None:
    """Keep it; a disk that refuses costs the next process some time."""
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary = note.with_name(f"{note.name}.{os.getpid()}.tmp")
        temporary.write_text(f"{state}\n{digest}\n", encoding="ascii")
        os.replace(temporary, note)
