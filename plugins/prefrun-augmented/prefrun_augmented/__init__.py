"""Preference losses that need more than two answers: DOVE, MAPL, rationales, SPO."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_augmented.config import DoveConfig, MaplConfig, RationalesConfig, SpoConfig
from prefrun_augmented.worlds.config import (
    AttributeWordsConfig,
    InstructedWordsConfig,
    JointPairsConfig,
    KeyWordsConfig,
)


@hookimpl
def prefrun_components() -> list[Component]:
    """Add four algorithms and four generated data sets."""
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
        Component(
            "data",
            "attribute_words",
            AttributeWordsConfig,
            "prefrun_augmented.worlds.attribute_words:AttributeWords",
            "generated pairs with rationales: the answer with the required word is better",
        ),
        Component(
            "data",
            "instructed_words",
            InstructedWordsConfig,
            "prefrun_augmented.worlds.instructed_words:InstructedWords",
            "generated pairs on a topic, held-out ones that added instructions decide",
        ),
        Component(
            "data",
            "joint_pairs",
            JointPairsConfig,
            "prefrun_augmented.worlds.joint_pairs:JointPairs",
            "pairs of instruction and answer, from DOVE's files or generated",
        ),
        Component(
            "data",
            "key_words",
            KeyWordsConfig,
            "prefrun_augmented.worlds.key_words:KeyWords",
            "generated pairs: the more of its topic's key words, the better the answer",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/*.yaml and data/*.yaml."""
    return conf_dir("prefrun_augmented")
