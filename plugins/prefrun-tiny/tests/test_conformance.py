"""What the host asks of every model."""

import pytest

from prefrun.testing import check_model


@pytest.mark.parametrize("overrides", [[], ["lora.rank=2"]])
def test_tiny(overrides):
    check_model("tiny", overrides=overrides)
