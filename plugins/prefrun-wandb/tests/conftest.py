"""A machine without a W&B key, and a reader of what the client wrote."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.proto import wandb_internal_pb2

from prefrun.rundir.run import Run

BLOCK = 32 * 1024
FILE_HEADER = RECORD_HEADER = 7


@pytest.fixture(autouse=True)
def _no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the keys and settings of whoever runs the tests; the client reads them only once."""
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("NETRC", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    yield
    wandb.teardown()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Return `make_run(name, **fields)`: a run with an empty directory."""

    def make(name: str = "lipo-demo-seed1", **fields: Any) -> Run:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        config = {"algo": {"beta": 0.1, "loss": "lambda"}, "seed": 1, "evaluator": {"kl": {}}}
        values: dict[str, Any] = {
            "id": "0123456789ab",
            "name": name,
            "output_dir": folder,
            "seed": 1,
            "algo": "lipo",
            "data": "demo",
            "group": None,
            "config": config,
        }
        return Run(**values | fields)

    return make


@dataclass
class Stored:
    """One offline W&B run as read back from its .wandb file."""

    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    project: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


@pytest.fixture
def stored() -> Callable[[Run | Path], list[Stored]]:
    """Return `stored(run)`: the W&B runs in its directory, oldest first."""

    def read(run: Run | Path) -> list[Stored]:
        wandb.teardown()  # the client's own process writes the end of the file after finish()
        folder = run if isinstance(run, Path) else run.output_dir
        return [_read(path) for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"))]

    return read


def _read(path: Path) -> Stored:
    found = Stored()
    for content in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(content)
        _take(found, record)
    return found


def _take(found: Stored, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run = record.run
        found.id, found.name = run.run_id, run.display_name
        found.group, found.project, found.job_type = run.run_group, run.project, run.job_type
        found.config |= {item.key: json.loads(item.value_json) for item in run.config.update}
    elif kind == "history":
        row = {(item.key or item.nested_key[0]): item.value_json for item in record.history.item}
        found.history.append({key: json.loads(value) for key, value in row.items()})
    elif kind == "summary":
        for item in record.summary.update:
            found.summary[item.key or item.nested_key[0]] = json.loads(item.value_json)
    elif kind == "exit":
        found.exit_code = record.exit.exit_code


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a LevelDB log: checksum, length and kind, then content, in blocks."""
    position, parts = FILE_HEADER, b""
    while position + RECORD_HEADER <= len(data):
        if BLOCK - position % BLOCK < RECORD_HEADER:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        position += RECORD_HEADER
        parts += data[position : position + length]
        position += length
        if kind in (1, 4):  # the whole record, or its last part
            yield parts
            parts = b""
