"""algo=pro_ranking, ranklist, groco and groco_views, and the small worlds of their experiments."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_listwise.config import (
    GrocoConfig,
    GrocoViewsConfig,
    ProRankingConfig,
    RankListConfig,
)
from prefrun_listwise.data_config import LatentClassesConfig, RatedItemsConfig, SortDigitsConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add four algorithms and three generated data sets."""
    return [
        Component(
            "algo",
            "pro_ranking",
            ProRankingConfig,
            "prefrun_listwise.pro_algo:ProRanking",
            "PRO: each answer against all worse ones, with reward gaps and an SFT term",
        ),
        Component(
            "algo",
            "ranklist",
            RankListConfig,
            "prefrun_listwise.ranklist_algo:RankList",
            "RankList: neighbours and skips of a sorted list, by log-sum-exp",
        ),
        Component(
            "algo",
            "groco",
            GrocoConfig,
            "prefrun_listwise.groco_algo:Groco",
            "GroCo: all good answers above all bad ones, through a sorting network",
        ),
        Component(
            "algo",
            "groco_views",
            GrocoViewsConfig,
            "prefrun_listwise.groco_views:GrocoViews",
            "GroCo on embeddings: an encoder learns from views, without a language model",
        ),
        Component(
            "data",
            "sort_digits",
            SortDigitsConfig,
            "prefrun_listwise.sort_digits:SortDigits",
            "generated: sort five digits, answers of every quality, exact judge",
        ),
        Component(
            "data",
            "rated_items",
            RatedItemsConfig,
            "prefrun_listwise.rated_items:RatedItems",
            "generated: feature vectors rated 1 to 7, held out in two domains, for model=mlp",
        ),
        Component(
            "data",
            "latent_classes",
            LatentClassesConfig,
            "prefrun_listwise.latent_classes:LatentClasses",
            "generated: feature vectors of ten classes, for algo=groco_views",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/pro_ranking.yaml and the others."""
    return conf_dir("prefrun_listwise")
