"""A fingerprint of the code behind a run's numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

AFTER_A_RUN = ("commands", "comparison", "jobs", "repetition")
"""Parts of the host that change no run's numbers."""
LIBRARIES = ("accelerate", "numpy", "peft", "tokenizers", "torch", "transformers")


def code_fingerprint(packages: Iterable[str]) -> str:
    """Return 16 hex digits of the host's files, those of PACKAGES, and the libraries' versions."""
    parts: dict[str, str | None] = {**package_digests(packages), **library_versions()}
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def package_digests(packages: Iterable[str]) -> dict[str, str]:
    """Return the digest of the host's files, and of those of each of PACKAGES, by name."""
    return {name: _package(name) for name in sorted({"prefrun", *packages})}


def library_versions() -> dict[str, str | None]:
    """Return the versions of the libraries that change a run's numbers; None: not installed."""
    return {name: _version(name) for name in LIBRARIES}


@cache  # a process goes on with the code it has imported
def _package(name: str) -> str:
    spec = find_spec(name)
    places = spec.submodule_search_locations if spec else None
    if spec is None or not places:  # one module, or a name made by hand
        file = Path(spec.origin) if spec and spec.origin else None
        return hashlib.sha256(file.read_bytes()).hexdigest() if file and file.is_file() else name
    digest = hashlib.sha256()
    for root in map(Path, places):
        skipped = [root / part for part in AFTER_A_RUN] if name == "prefrun" else []
        for file in sorted(root.rglob("*")):
            hidden = "__pycache__" in file.parts or any(map(file.is_relative_to, skipped))
            if file.is_file() and not hidden:
                digest.update(f"{file.relative_to(root)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
