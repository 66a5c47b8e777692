"""The content-addressed cache of reference log-probs: raw per-token values, shared by all runs.

Values are read by memory map and never copied; `cache_file` has the format, `cache_store` the
folder and its bound. A folder that cannot be read or written costs a warning, never the run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prefrun.policy.cache_store import SegmentStore, reference_folder

log = logging.getLogger(__name__)


def path_key(fingerprint: str, prompt: Sequence[int], answer: Sequence[int]) -> bytes:
    """Return the key of one branch: model, prompt length and token ids, and nothing else."""
    ids = np.array([len(prompt), *prompt, *answer], dtype="<i8")
    return blake2b(fingerprint.encode() + b"\0" + ids.tobytes(), digest_size=32).digest()


class ReferenceCache:
    """Per-token log-probs on disk, by `path_key`. Safe for concurrent writers.

    Where all models need more than MAX_GB gigabytes (1e9 bytes), the least recently used go.
    """

    def __init__(self, folder: Path, max_gb: float = math.inf) -> None:
        self.folder = folder
        self._store = SegmentStore(folder, max_gb * 1e9)
        self._complained = False

    @classmethod
    def at(cls, configured: str | None, max_gb: float) -> ReferenceCache:
        """Return the cache below `cache.dir`, bounded by `cache.max_gb`. See `cache_folder`."""
        return cls(reference_folder(configured), max_gb)

    def read(self, fingerprint: str, keys: Iterable[bytes]) -> dict[bytes, Tensor]:
        """Return what is known of KEYS: 1-D float32 (float64 of a float64 model) tensors.

        They lie in a memory map of the file and stay valid when it is removed. Writing to one is
        seen by whoever has the same entry in this process, and never reaches the file.
        """
        try:
            found = self._store.find(fingerprint, keys)
        except OSError as error:
            self._complain("read", error)
            return {}
        return {key: torch.from_numpy(values) for key, values in found.items()}

    def write(self, fingerprint: str, entries: Mapping[bytes, Tensor]) -> None:
        """Add ENTRIES that are not there yet. A disk that refuses them costs a warning."""
        arrays = {key: values.detach().cpu().numpy() for key, values in entries.items()}
        try:
            self._store.add(fingerprint, arrays)
        except OSError as error:
            self._complain("written", error)

    def _complain(self, action: str, error: Exception) -> None:
        if not self._complained:
            log.warning(
                "the cache of reference log-probs cannot be %s (%s); the run goes on without it. "
                "Another folder: cache.dir=DIR; none: cache.enabled=false",
                action,
                error,
            )
        self._complained = True
