"""tracker=wandb as a user types it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from prefrun.compose import register_configs
from prefrun.paths import conf_dir
from prefrun_wandb.config import Mode, WandbConfig


@pytest.fixture
def _hydra() -> Iterator[None]:
    register_configs()
    with initialize_config_dir(str(conf_dir("prefrun")), version_base="1.3"):
        yield


@pytest.mark.usefixtures("_hydra")
def test_mode_and_project_are_typed() -> None:
    words = ["~model", "tracker=wandb"]
    assert OmegaConf.to_object(compose("config", words).tracker) == WandbConfig()
    changed = compose("config", [*words, "tracker.mode=disabled", "tracker.project=mine"]).tracker
    assert OmegaConf.to_object(changed) == WandbConfig("mine", Mode.disabled)
    for wrong in ("tracker.mode=onlin", "tracker.projet=x"):
        with pytest.raises(ConfigCompositionException):
            compose("config", [*words, wrong])


def test_wandb_is_not_imported_until_a_run_needs_it() -> None:
    code = (
        "import sys; from prefrun.plugins import components; "
        "assert ('tracker', 'wandb') in components(); "
        "assert 'wandb' not in sys.modules and 'hydra' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
