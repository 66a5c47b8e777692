"""The study of a search: its database, and what it was begun with."""

from __future__ import annotations

import re
from collections.abc import Sequence

import optuna
from hydra.utils import instantiate
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState

from prefrun.errors import ConfigError, first_sentence
from prefrun_optuna.settings import Settings

WAIT = 60
"""Seconds to wait for another job that writes."""
QUESTION = "question"
"""Attribute of a study: what it was begun with."""
ANSWERS = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
PASSWORD = re.compile(r":[^:@/]+@")


def open_storage(url: str) -> RDBStorage:
    """Open the database at URL, which is made where it is missing. Raises ConfigError."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    arguments = {"connect_args": {"timeout": WAIT}} if url.startswith("sqlite:") else None
    try:
        return RDBStorage(url, engine_kwargs=arguments)
    except Exception as error:  # of SQLAlchemy, or of the driver it looks for
        raise ConfigError(
            f"hydra.sweeper.storage={PASSWORD.sub(r':***@', url)} cannot be opened: "
            f"{first_sentence(error)}"
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
    command in the same folder asked another question and has answers, which are none to this one.
    """
    parts = sorted(word for word in words if not word.startswith("output_dir="))
    question = [settings.direction, settings.metric, *parts]
    storage = open_storage(settings.pruning.storage)
    study = _create(settings, storage)
    known = study.user_attrs.get(QUESTION, question)
    if known != question:
        if study.get_trials(states=ANSWERS):
            differing = ", ".join(sorted(set(known) ^ set(question)))
            raise ConfigError(
                f"{settings.folder} holds another search; what differs: {differing}\n"
                "  remedy: choose another output_dir, or give the same words"
            )
        optuna.delete_study(study_name=settings.pruning.study, storage=storage)
        study = _create(settings, storage)
    study.set_user_attr(QUESTION, question)
    return study


def _create(settings: Settings, storage: RDBStorage) -> Study:
    return optuna.create_study(
        storage=storage,
        study_name=settings.pruning.study,
        direction=settings.direction,
        pruner=instantiate(settings.pruning.pruner),
        load_if_exists=True,
    )
