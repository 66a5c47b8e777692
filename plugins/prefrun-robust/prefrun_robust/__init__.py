"""Robust preference learning: label noise (lcpo), token masks (sparsepo), momentum (apo_*)."""

from collections.abc import Sequence
from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_robust.apo_momentum.config import (
    ApoMomentumConfig,
    ApoTabularConfig,
    RewardTableConfig,
)
from prefrun_robust.lcpo.config import LcpoConfig, NoisyAnnotatorsConfig
from prefrun_robust.sparsepo.config import CountSevensConfig, SparsePoConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add four algorithms and the generated data of their experiments."""
    return [
        Component(
            "algo",
            "lcpo",
            LcpoConfig,
            "prefrun_robust.lcpo.algo:Lcpo",
            "LCPO (RE-PO): EM over wrong labels around any pairwise loss, reliability learned",
        ),
        Component(
            "algo",
            "sparsepo",
            SparsePoConfig,
            "prefrun_robust.sparsepo.algo:SparsePo",
            "SparsePO and MaPO: token-level DPO with learned or activation masks; TDPO",
        ),
        Component(
            "algo",
            "apo_momentum",
            ApoMomentumConfig,
            "prefrun_robust.apo_momentum.algo:ApoMomentum",
            "APO: Nesterov momentum over rounds of DPO or SPPO on the policy's own answers",
        ),
        Component(
            "algo",
            "apo_tabular",
            ApoTabularConfig,
            "prefrun_robust.apo_momentum.simulation:ApoTabular",
            "APO with exact steps on tables of rewards; a simulation without language model",
        ),
        Component(
            "data",
            "noisy_annotators",
            NoisyAnnotatorsConfig,
            "prefrun_robust.lcpo.world:NoisyAnnotators",
            "generated pairs of feature vectors, labelled by annotators who err at known rates",
        ),
        Component(
            "data",
            "count_sevens",
            CountSevensConfig,
            "prefrun_robust.sparsepo.world:CountSevens",
            "generated random strings, of which only the number of sevens counts; exact judge",
        ),
        Component(
            "data",
            "reward_table",
            RewardTableConfig,
            "prefrun_robust.apo_momentum.table:RewardTable",
            "generated tables of all answers, their rewards and reference log-probs",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder with the YAML files of all of these."""
    return conf_dir("prefrun_robust")


@hookimpl
def prefrun_report_section(directory: Path, folder: Path) -> str | None:
    """Show the reliabilities that algo=lcpo learned, and the masks of algo=sparsepo."""
    from prefrun_robust.lcpo.report import section as reliabilities
    from prefrun_robust.sparsepo.report import section as masks

    found = [each(directory, folder) for each in (reliabilities, masks)]
    return "\n\n".join(filter(None, found)) or None


@hookimpl
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Compare the reliabilities that runs of algo=lcpo learned."""
    del folder
    from prefrun_robust.lcpo.report import comparison_section

    return comparison_section(directories)
