"""Recognises a full disk behind the exceptions of torch and safetensors."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefrun.errors import PrefrunError

NEARLY_NOTHING = 1 << 20
"""Bytes of free space below which a failed write is blamed on the disk."""


@contextmanager
def reporting_full_disk(folder: Path, run: Path) -> Iterator[None]:
    """Remove FOLDER, half-written, and raise PrefrunError where the disk of RUN gets full."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error, run):
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise PrefrunError(
            f"the disk is full: {folder} could not be written; earlier checkpoints are intact\n"
            f"  remedy: free space, then `prefrun resume {run}`"
        ) from error


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """Tell whether ERROR, raised while writing below FOLDER, means that no space is left.

    torch and safetensors hide the errno in exceptions of their own, so their text is read too.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error)
    if "No space left" in text or "os error 28" in text:
        return True
    written = "write" in text or "unexpected pos" in text
    return written and shutil.disk_usage(folder).free < NEARLY_NOTHING
