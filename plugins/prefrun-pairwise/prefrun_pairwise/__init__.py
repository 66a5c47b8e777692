"""Pairwise losses: DPO and its variants, losses without a reference, KTO, curricula."""

from collections.abc import Sequence
from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_pairwise.config import DpoConfig
from prefrun_pairwise.curry_config import CurryDpoConfig
from prefrun_pairwise.policy_configs import (
    BradleyTerryConfig,
    CpoConfig,
    KtoConfig,
    OrpoConfig,
    SimpoConfig,
)
from prefrun_pairwise.variant_configs import (
    CdpoConfig,
    DaDpoConfig,
    DpoNormConfig,
    IpoConfig,
    LdDpoConfig,
    PolyDpoConfig,
)
from prefrun_pairwise.world_configs import RatedLettersConfig, ShortcutPairsConfig

ALGORITHMS = (
    (
        "dpo",
        DpoConfig,
        "algo:Dpo",
        "DPO and its variants: every loss type of TRL's DPOTrainer, cDPO, DPO-gamma and Poly-DPO",
    ),
    ("ipo", IpoConfig, "variants:Ipo", "IPO, averaged over tokens or summed"),
    ("cdpo", CdpoConfig, "variants:Cdpo", "conservative and robust DPO: labels may be flipped"),
    (
        "ld_dpo",
        LdDpoConfig,
        "variants:LdDpo",
        "LD-DPO: tokens beyond the shorter answer discounted",
    ),
    ("dpo_norm", DpoNormConfig, "variants:DpoNorm", "length-normalised DPO"),
    ("poly_dpo", PolyDpoConfig, "variants:PolyDpo", "Poly-DPO: a polynomial term for noisy labels"),
    ("da_dpo", DaDpoConfig, "da_dpo:DaDpo", "DA-DPO: a beta for every pair, by its difficulty"),
    ("kto", KtoConfig, "kto_algo:Kto", "KTO: single answers, desirable or not"),
    ("cpo", CpoConfig, "reference_free:Cpo", "CPO: no reference, a likelihood term instead"),
    (
        "simpo",
        SimpoConfig,
        "reference_free:Simpo",
        "SimPO and AlphaPO: no reference, with a margin",
    ),
    ("orpo", OrpoConfig, "reference_free:Orpo", "ORPO: likelihood and odds ratio, no reference"),
    (
        "bradley_terry",
        BradleyTerryConfig,
        "bradley_terry:BradleyTerry",
        "the loss of reward models: model=reward_head",
    ),
    (
        "curry_dpo",
        CurryDpoConfig,
        "curry:CurryDpo",
        "Curri-DPO: pairs from easy to hard, in stages",
    ),
)
"""Name, configuration, class and summary of each."""


@hookimpl
def prefrun_components() -> list[Component]:
    """Add the algorithms, and the generated data of their experiments."""
    algorithms = [
        Component("algo", name, config, f"prefrun_pairwise.{place}", summary)
        for name, config, place, summary in ALGORITHMS
    ]
    return [
        *algorithms,
        Component(
            "data",
            "shortcut_pairs",
            ShortcutPairsConfig,
            "prefrun_pairwise.shortcut_pairs:ShortcutPairs",
            "generated pairs of feature vectors; a shortcut gives the easy ones away",
        ),
        Component(
            "data",
            "rated_letters",
            RatedLettersConfig,
            "prefrun_pairwise.rated_letters:RatedLetters",
            "generated strings of letters with noisy ratings; exact judge",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder with the YAML files of all of these."""
    return conf_dir("prefrun_pairwise")


@hookimpl
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Compare how much scorers rely on the shortcut of data=shortcut_pairs."""
    del folder
    from prefrun_pairwise.shortcut_report import comparison_section

    return comparison_section(directories)
