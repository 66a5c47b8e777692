"""The study of a search: its database, and what it was begun with."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from hydra.utils import instantiate
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import Study

from prefrun.errors import ConfigError, first_sentence
from prefrun_optuna.settings import Settings

WAIT = 60
"""Seconds to wait for another job that writes."""
QUESTION = "question"


def open_storage(url: str) -> RDBStorage:
    """Open the database at URL, which is made where it is missing. Raises ConfigError."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    arguments = {"connect_args": {"timeout": WAIT}} if url.startswith("sqlite:") else None
    try:
        return RDBStorage(url, engine_kwargs=arguments)
    except Exception as error:  # of SQLAlchemy, or of the driver it looks for
        raise ConfigError(
            f"hydra.sweeper.storage={url} cannot be opened: {first_sentence(error)}"
        ) from error


def make_sampler(settings: Settings, begun: int) -> BaseSampler:
    """Return the sampler for what follows BEGUN trials.

    Its seed moves on with them, so that a search that was cut proposes what an uncut one does.
    """
    keys = dict(settings.sampler)
    if keys.get("seed") is not None:
        keys["seed"] += begun
    sampler: BaseSampler = instantiate(keys)
    return sampler


def open_study(settings: Settings, words: Sequence[str]) -> Study:
    """Make the study, or go on with it.

    WORDS are all that the search fixes and looks through. Raises ConfigError where an earlier
    command in the same folder asked another question, for its trials are no answer to this one.
    """
    study = optuna.create_study(
        storage=open_storage(settings.pruning.storage),
        study_name=settings.pruning.study,
        direction=settings.direction,
        pruner=instantiate(settings.pruning.pruner),
        load_if_exists=True,
    )
    parts = sorted(word for word in words if not word.startswith("output_dir="))
    question = [settings.direction, settings.metric, *parts]
    known = study.user_attrs.get(QUESTION)
    if known is None:
        study.set_user_attr(QUESTION, question)
    elif known != question:
        differing = sorted(set(known) ^ set(question))
        raise ConfigError(
            f"{settings.folder} holds another search; what differs: {', '.join(differing)}\n"
            "  remedy: choose another output_dir, or give the same words"
        )
    return study
