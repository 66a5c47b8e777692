"""algo=lipo against the conformance kit, every loss of the family."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks, check_algorithm
from prefrun_lipo.config import Loss


@pytest.mark.parametrize("check", algorithm_checks("lipo"))
def test_conformance(check):
    check()


@pytest.mark.parametrize("loss", [loss.name for loss in Loss])
def test_every_loss_conforms(loss):
    check_algorithm("lipo", overrides=[f"loss={loss}"])
