"""`prefrun cache ls|clear|verify`: the cached reference log-probs.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefrun.errors import ConfigError, PrefrunError

if TYPE_CHECKING:
    from prefrun.policy.cache_store import Contents

USAGE = "usage: prefrun cache ls|verify|clear [FINGERPRINT] [cache.dir=DIR]"
HEADINGS = ("model", "entries", "tokens", "MB", "last used")
SHOWN = 12
"""Digits of a fingerprint that are printed."""


def cache(arguments: list[str]) -> int:
    """List, check or remove cached reference log-probs.

    `clear FINGERPRINT` removes those of one model, `clear` all; cache.dir=DIR names another folder.
    Returns 0, or 1 where `verify` finds damage. Raises ConfigError for wrong words and for a
    fingerprint that is not of exactly one model, PrefrunError for a folder that refuses.
    """
    from prefrun.policy.cache_store import models, reference_folder

    words = [word for word in arguments if not word.startswith("cache.dir=")]
    folders = [word.partition("=")[2] for word in arguments if word not in words]
    if len(folders) > 1 or not all([*words, *folders]):
        raise ConfigError(USAGE)
    folder = reference_folder(folders[0] if folders else None)
    try:
        match words:
            case ["ls" | "verify" | "clear"] if not models(folder):
                print(f"nothing is cached in {folder}")
                return 0
            case ["ls"]:
                return _list(folder)
            case ["verify"]:
                return _verify(folder)
            case ["clear"]:
                return _clear(folder, None)
            case ["clear", fingerprint]:
                return _clear(folder, fingerprint)
    except OSError as error:
        raise PrefrunError(
            f"{folder}: `prefrun cache {words[0]}` failed: {error}\n"
            "  remedy: see that the folder may be read and written, and that no run is stuck in it"
        ) from error
    raise ConfigError(USAGE)


def _list(folder: Path) -> int:
    from prefrun.policy.cache_store import contents, models

    found = {model: contents(files) for model, files in models(folder).items()}
    rows = [
        HEADINGS,
        *(_row(model[:SHOWN], [each], _date(each.used)) for model, each in found.items()),
        _row("total", found.values(), ""),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        right = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *right]).rstrip())
    print(f"folder: {folder}")
    return 0


def _row(name: str, parts: Collection[Contents], used: str) -> tuple[str, ...]:
    entries = sum(part.entries for part in parts)
    values = sum(part.values for part in parts)
    return name, f"{entries:,}", f"{values:,}", _megabytes(sum(part.size for part in parts)), used


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"


def _verify(folder: Path) -> int:
    from prefrun.policy.cache_store import contents, lock, models

    with lock(folder):  # so that no entry is seen half-written
        listed = models(folder)
    damaged = []
    for model, files in listed.items():
        each = contents(files)
        print(f"{model[:SHOWN]}  {each.entries:,} sound, {each.damaged:,} damaged")
        if each.damaged:
            damaged.append(model[:SHOWN])
    if damaged:
        clear = " and ".join(f"`prefrun cache clear {model}`" for model in damaged)
        print(f"damaged entries are computed again by the next run; to remove them: {clear}")
    return 1 if damaged else 0


def _clear(folder: Path, fingerprint: str | None) -> int:
    from prefrun.policy.cache_store import lock, models, unlink

    found = models(folder)
    chosen = [_only(found, fingerprint, folder)] if fingerprint else list(found)
    with lock(folder):
        now = models(folder)
        files = [item for model in chosen for item in now.get(model, {}).items()]
        unlink(path for path, _ in files)
    freed = sum(status.st_size for _, status in files)
    print(f"removed {len(chosen)} of {len(found)} models, {_megabytes(freed)} MB, from {folder}")
    return 0


def _only(found: Iterable[str], prefix: str, folder: Path) -> str:
    matches = [model for model in found if model.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    problem = f"begins {len(matches)} fingerprints" if matches else "begins no fingerprint"
    raise ConfigError(
        f"'{prefix}' {problem} in {folder}: {', '.join(matches or found) or 'it is empty'}\n"
        "  remedy: give more digits of one that `prefrun cache ls` lists"
    )


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
