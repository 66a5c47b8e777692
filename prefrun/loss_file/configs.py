"""Where pickle finds the config dataclasses of loss files: a job's own process reads the file anew.

The name of such a class holds the path of its file.
"""

from __future__ import annotations

from pathlib import Path

PREFIX = "LossFile_"


def name_of(path: Path) -> str:
    """Return the name of the config dataclass of the file PATH."""
    return PREFIX + str(path).encode().hex()


def __getattr__(name: str) -> type:
    if not name.startswith(PREFIX):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from prefrun.loss_file.registering import register_file

    return register_file(Path(bytes.fromhex(name.removeprefix(PREFIX)).decode())).config
