"""What ships with prefrun itself: algo=evaluate, model=hf, evaluators, rewards, tracker=none.

Only names; the code is imported on first use. `HookimplMarker` comes from pluggy, because prefrun
imports this package.
"""

from pluggy import HookimplMarker

from prefrun.builtin import config
from prefrun.component import Component

hookimpl = HookimplMarker("prefrun")


@hookimpl
def prefrun_components() -> list[Component]:
    """Add what needs no further package."""
    return [
        Component(
            "algo",
            "evaluate",
            config.EvaluateConfig,
            "prefrun.builtin.measuring:Evaluate",
            "measures a model on any data, and trains nothing",
        ),
        Component(
            "model",
            "hf",
            config.HFModelConfig,
            "prefrun.builtin.model:HFModel",
            "any causal language model from a folder or the hub; dtype, attention, LoRA, device",
        ),
        Component(
            "model",
            "reward_head",
            config.RewardHeadConfig,
            "prefrun.builtin.reward_head:RewardHeadModel",
            "a reward model: one number per answer, from the body of any language model",
        ),
        Component(
            "model",
            "none",
            config.NoModelConfig,
            "prefrun.builtin.no_model:NoModel",
            "no language model, for algorithms that use none",
        ),
        Component(
            "reward",
            "data",
            config.DataRewardConfig,
            "prefrun.builtin.data_reward:DataReward",
            "the judge that comes with the data, where it has one",
        ),
        Component(
            "reward",
            "classifier",
            config.ClassifierRewardConfig,
            "prefrun.builtin.classifier:ClassifierReward",
            "a sequence-classification model from a folder or the hub",
        ),
        Component(
            "reward",
            "several",
            config.SeveralRewardsConfig,
            "prefrun.builtin.several:SeveralRewards",
            "several rewards, one per objective, and their weighted sum",
        ),
        Component(
            "evaluator",
            "ranking_accuracy",
            config.RankingAccuracyConfig,
            "prefrun.builtin.evaluators:RankingAccuracy",
            "are better answers likelier; and the same of the implied rewards",
        ),
        Component(
            "evaluator",
            "win_rate",
            config.WinRateConfig,
            "prefrun.builtin.evaluators:WinRate",
            "how often the reward prefers the policy's answer to the starting model's",
        ),
        Component(
            "evaluator",
            "reward",
            config.RewardConfig,
            "prefrun.builtin.evaluators:MeanReward",
            "mean reward of sampled answers",
        ),
        Component(
            "evaluator",
            "kl",
            config.KLConfig,
            "prefrun.builtin.evaluators:KL",
            "KL divergence from the starting model, in nats per answer",
        ),
        Component(
            "evaluator",
            "response_length",
            config.ResponseLengthConfig,
            "prefrun.builtin.evaluators:ResponseLength",
            "tokens per sampled answer",
        ),
        Component(
            "tracker",
            "none",
            config.NoTrackerConfig,
            "prefrun.tracker:Tracker",
            "no tracker; metrics.jsonl is always written",
        ),
    ]
