"""Preference losses that need more than two answers: DOVE, MAPL, rationales, SPO."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_augmented.config import DoveConfig, MaplConfig, RationalesConfig, SpoConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add four algorithms."""
    return [
        Component(
            "algo",
            "dove",
            DoveConfig,
            "prefrun_augmented.dove:Dove",
            "DOVE: preferences over instruction and answer together",
        ),
        Component(
            "algo",
            "mapl",
            MaplConfig,
            "prefrun_augmented.mapl:Mapl",
            "MAPL: also one answer under two prompts, and pairs under longer prompts",
        ),
        Component(
            "algo",
            "rationales",
            RationalesConfig,
            "prefrun_augmented.rationales:Rationales",
            "RDPO, RORPO: the likelihood of rationales beside any preference loss",
        ),
        Component(
            "algo",
            "spo",
            SpoConfig,
            "prefrun_augmented.spo:Spo",
            "SPO: a classifier of preference degrees beside any preference loss",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/*.yaml."""
    return conf_dir("prefrun_augmented")
