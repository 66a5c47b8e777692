"""Reads a data set of the Hugging Face hub, or of a folder that `datasets` can load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefrun.errors import DataError, first_sentence


def hub_rows(
    name: str, config: str | None, split: str, instead: str = "data.path=FILE (your own copy)"
) -> Iterable[dict[str, Any]]:
    """Return the rows of SPLIT of the data set NAME, in its configuration CONFIG.

    Raises DataError, whose remedy names INSTEAD, where there are none; soon, where the hub cannot
    be reached.
    """
    try:
        from prefrun.builtin.hub import asking_once

        with asking_once():
            import datasets

            rows: Iterable[dict[str, Any]] = datasets.load_dataset(name, config, split=split)
    except ImportError as error:
        problem = f"the package {error.name or 'datasets'} cannot be imported: {error}"
        remedy = f"pip install datasets, or use {instead}"
        raise DataError(problem, file=name, remedy=remedy) from error
    except (ConnectionError, TimeoutError) as error:
        problem = f"the Hugging Face hub cannot be reached: {first_sentence(error)}"
        remedy = f"try again with a connection, or use {instead}"
        raise DataError(problem, file=name, remedy=remedy) from error
    except Exception as error:  # whatever the library raises for a broken download or full disk
        problem = f"loading from the Hugging Face hub failed: {first_sentence(error)}"
        remedy = f"check the data set's name, configuration and split, or use {instead}"
        raise DataError(problem, file=name, remedy=remedy) from error
    return rows
