"""The four algorithms against the conformance kit."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks


@pytest.mark.parametrize(
    "check",
    [c for name in ("dove", "mapl", "rationales", "spo") for c in algorithm_checks(name)],
)
def test_conformance(check):
    check()
