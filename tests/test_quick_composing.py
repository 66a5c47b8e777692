"""What a sweep composes is what Hydra alone composes, job by job."""

from __future__ import annotations

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from prefrun.compose import register_configs
from prefrun.paths import conf_dir
from prefrun.quick_composing import quick_composing

JOBS = (
    ["seed=1", "trainer.learning_rate=0.1"],
    ["seed=2"],
    ["seed=1", "reward=classifier", "evaluator=[kl]"],
    ["seed=3", "model=hf", "model.name=folder"],
    ["seed=1"],
)


def compose_all() -> list[str]:
    """The configuration of each job, as a sweep asks for it: to check all, then to run each."""
    loader = GlobalHydra.instance().hydra.config_loader
    master = loader.load_configuration("config", ["hydra.sweep.dir=x"], run_mode="MULTIRUN")
    for job in JOBS:
        loader.load_sweep_config(master, job)
    configs = []
    for job in JOBS:
        config = loader.load_sweep_config(master, job)
        keys = [str(key) for key in config if key not in ("hydra", "output_dir")]
        configs.append(OmegaConf.to_yaml(OmegaConf.masked_copy(config, keys)))
        config.seed = 99  # a launcher writes into it, too
    return configs


def test_it_composes_what_hydra_does():
    register_configs()
    with initialize_config_dir(str(conf_dir("prefrun")), version_base="1.3"):
        wanted = compose_all()
        with quick_composing():
            assert compose_all() == wanted
            assert compose_all() == wanted
    assert len(set(wanted)) == len(JOBS)


def test_hydra_is_left_as_it_was():
    before = ConfigLoaderImpl.load_sweep_config
    with quick_composing():
        assert ConfigLoaderImpl.load_sweep_config is not before
    assert ConfigLoaderImpl.load_sweep_config is before
