"""The state of a git checkout: commit, and a hash of what is not committed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

TIMEOUT = 20.0
"""Seconds one git command may take."""


def describe_checkout(folder: Path) -> dict[str, object] | None:
    """Return root, commit, dirty and diff_sha256 of the git checkout FOLDER is part of.

    `diff_sha256` covers `git diff HEAD` and the names of untracked files; it is None where nothing
    differs from the commit. Returns None where FOLDER is in no checkout, or one that ignores it
    (a package installed below a project), or git cannot be run.
    """
    root = checkout_root(folder)
    if root is None:
        return None
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    # without a first commit there is no HEAD to compare with: what is staged is the difference
    against = ("HEAD",) if commit is not None else ("--cached",)
    diff = _git(root, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", *against)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if diff is None or untracked is None:
        return None
    dirty = bool(diff or untracked)
    return {
        "root": str(root),
        "commit": commit.decode().strip() if commit else None,
        "dirty": dirty,
        "diff_sha256": hashlib.sha256(diff + b"\0" + untracked).hexdigest() if dirty else None,
    }


def checkout_root(folder: Path) -> Path | None:
    """Return the top folder of the checkout FOLDER is part of, or None as `describe_checkout`."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or _git(folder, "check-ignore", "-q", str(folder)) is not None:
        return None
    return Path(os.fsdecode(top).rstrip("\n"))


def _git(folder: Path, *arguments: str) -> bytes | None:
    # variables such as GIT_DIR, set inside a git hook, would point at another checkout
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
