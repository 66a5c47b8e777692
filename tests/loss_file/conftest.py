"""Loss files made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prefrun.loss_file import configs
from prefrun.plugins import forget

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write a loss file; what was registered is forgotten after the test."""

    def write(code: str, name: str = "my_loss.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
        return path

    yield write
    for name in [name for name in vars(configs) if name.startswith(configs.PREFIX)]:
        delattr(configs, name)
    forget()
