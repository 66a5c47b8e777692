"""Tree Preference Optimization: its loss, its data, and what measures and shows trees."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_tpo import config


@hookimpl
def prefrun_components() -> list[Component]:
    """Add two algorithms, three data sources, two rewards, a model and two evaluators."""
    return [
        Component(
            "algo",
            "tpo",
            config.TpoConfig,
            "prefrun_tpo.algo:Tpo",
            "Tree Preference Optimization: step-weighted ranking over preference trees",
        ),
        Component(
            "algo",
            "grow_trees",
            config.GrowTreesConfig,
            "prefrun_tpo.grow:GrowTrees",
            "grows preference trees from a policy: cuts gold solutions, samples on, scores",
        ),
        Component(
            "data",
            "chain_arithmetic",
            config.ChainArithmeticConfig,
            "prefrun_tpo.chain_data:ChainArithmetic",
            "generated trees of arithmetic steps with an exact verifier; needs no file",
        ),
        Component(
            "data",
            "step_trees",
            config.StepTreesConfig,
            "prefrun_tpo.step_trees:StepTrees",
            "trees whose responses are lists of steps, from data.path",
        ),
        Component(
            "data",
            "gsm8k_trees",
            config.Gsm8kTreesConfig,
            "prefrun_tpo.gsm8k:Gsm8kTrees",
            "trees from lists of solutions, one step a line, from data.path",
        ),
        Component(
            "reward",
            "chain_arithmetic",
            config.ChainRewardConfig,
            "prefrun_tpo.verdicts:ChainReward",
            "the exact verifier of chain arithmetic, for any data with such prompts",
        ),
        Component(
            "reward",
            "solution",
            config.SolutionRewardConfig,
            "prefrun_tpo.verdicts:SolutionReward",
            "compares the final number and the steps with the record's best branch",
        ),
        Component(
            "model",
            "chain",
            config.ChainModelConfig,
            "prefrun_tpo.model:ChainModel",
            "a very small model that has learned chain arithmetic from noisy solutions",
        ),
        Component(
            "evaluator",
            "tree_ranking",
            config.TreeRankingConfig,
            "prefrun_tpo.tree_ranking:TreeRanking",
            "Kendall's tau between the scores of a tree's branches and their implied rewards",
        ),
        Component(
            "evaluator",
            "answer_accuracy",
            config.AnswerAccuracyConfig,
            "prefrun_tpo.answer_accuracy:AnswerAccuracy",
            "the share of greedy and of sampled answers that the verifier calls right",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder with the YAML files of all of these."""
    return conf_dir("prefrun_tpo")


@hookimpl
def prefrun_report_section(directory: Path, folder: Path) -> str | None:
    """Show the trees that evaluator=tree_ranking kept."""
    from prefrun_tpo.report import section

    return section(directory, folder)
