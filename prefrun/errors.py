"""The errors a user sees as one message, without a traceback, and the exit code of each."""

from __future__ import annotations

from pathlib import Path

LONGEST_REASON = 240


class PrefrunError(Exception):
    """A failure in a run that the user can act on. The command exits with `exit_code`."""

    exit_code = 1


class MemoryFullError(PrefrunError):
    """The memory of the CPU or a GPU is used up. Says in which phase, and what to lower."""


class RunPrunedError(PrefrunError):
    """A search ended the run early, since it could no longer be the best. No failure."""


class EvaluatorError(PrefrunError):
    """Evaluators failed; all else of the run is done and written."""

    def __init__(self, message: str, evaluators: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.evaluators = evaluators
        """Their names, as in `evaluator=[NAME]`."""


class ConfigError(PrefrunError):
    """The configuration cannot be used: a wrong value, an unknown choice, parts that do not fit."""

    exit_code = 2


class PluginError(ConfigError):
    """A plugin is broken, or two plugins claim the same name."""


class DataError(PrefrunError):
    """A record or a file cannot be used. Says where it stands, what is wrong and what to do."""

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        record: int | str | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.file, self.record = problem, file, record
        self.field, self.remedy = field, remedy
        place = [str(file)] if file is not None else []
        if record is not None:
            place.append(f"line {record}" if isinstance(record, int) else f"record {record}")
        if field is not None:
            place.append(f"field '{field}'")
        message = f"{', '.join(place)}: {problem}" if place else problem
        super().__init__(f"{message}\n  remedy: {remedy}" if remedy else message)


def closest(word: str, choices: list[str]) -> str:
    """Return ' Did you mean ...?' for the choice nearest to WORD, or an empty string."""
    import difflib

    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


def first_sentence(error: Exception) -> str:
    """Return the first line of a library's complaint, or more where that line only announces it."""
    from textwrap import shorten

    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0].rstrip()
    return shorten(text, LONGEST_REASON) if first.endswith(":") else first
