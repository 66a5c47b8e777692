"""Where the jobs of a sweep run: hydra/launcher=process, ray, slurm."""

from pathlib import Path

from prefrun import conf_dir, hookimpl


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of hydra/launcher/slurm.yaml."""
    return conf_dir("prefrun_launchers")
