"""tracker=wandb passes the host's conformance kit."""

from __future__ import annotations

import pytest

from prefrun.testing import check_tracker


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_conformance(mode: str) -> None:
    assert not check_tracker("wandb", overrides=[f"mode={mode}"]).failed
