"""`prefrun rerun RUN_DIR`: do a finished run again, and see whether its numbers agree."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from prefrun.commands.begun import open_run, stored_config
from prefrun.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prefrun.rundir.directory import RunDirectory


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n  usage: prefrun rerun RUN_DIR [--output DIR]")


def rerun(arguments: list[str]) -> int:
    """Repeat the run in RUN_DIR in a new folder. Returns 0 where all numbers agree, 1 where not.

    The folder is RUN_DIR-rerun, or RUN_DIR-rerun-2 and so on, unless --output DIR names one.
    Raises ConfigError and DataError, before anything is written, for a run that has not finished
    or whose data or plugins are not here; PrefrunError where the repetition fails.
    """
    parser = _Parser(prog="prefrun rerun", add_help=False, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="RUN_DIR")
    parser.add_argument("--output", type=Path, metavar="DIR")
    words = parser.parse_args(arguments)
    old = _finished(words.folder)

    from prefrun.console import console
    from prefrun.repetition.verdict import compare
    from prefrun.rundir.directory import RunDirectory

    new = RunDirectory(words.output or free_folder(old.path))
    _run_again(old, new)
    verdict = compare(old, new)
    console.print(f"\nold run: {old.path}\nnew run: {new.path}", markup=False)
    for line in verdict.lines():
        console.print(line, markup=False)
    return 0 if verdict.agrees else 1


def _finished(folder: Path) -> RunDirectory:
    from prefrun.rundir.status import read_status

    directory = open_run(folder)
    if reason := read_status(directory).unfinished():
        raise ConfigError(
            f"{folder} has no result to compare with: {reason}\n"
            f"  remedy: `prefrun resume {folder}` goes on with it"
        )
    return directory


def free_folder(run: Path) -> Path:
    """Return the first of RUN-rerun, RUN-rerun-2, ... that is not there.

    That of a sweep's job is beside the sweep: the sweep's comparison would count it as a job.
    """
    base = run.absolute()
    if (base.parent / "sweep.json").exists():
        base = base.parent.with_name(f"{base.parent.name}-{base.name}")
    names = (base.with_name(f"{base.name}-rerun{f'-{n}' if n > 1 else ''}") for n in count(1))
    return next(path for path in names if not path.exists())


def _run_again(old: RunDirectory, new: RunDirectory) -> None:
    """Carry out the run of OLD in NEW, with as many threads, and without its tracker."""
    from prefrun.rundir.files import read_json

    manifest = read_json(old.manifest)
    config = stored_config(old, tracker="none")
    from prefrun.job import Origin
    from prefrun.run import run

    _use_threads(manifest)
    words = [word for word in manifest["overrides"] if not word.startswith("output_dir=")]
    run(config, new.path, Origin(tuple(sys.argv), tuple(words)))


def _use_threads(manifest: Mapping[str, Any]) -> None:
    """Work with the number of threads of the run with MANIFEST: sums depend on it."""
    threads = (manifest.get("numerics") or {}).get("threads")
    if threads:
        import torch

        torch.set_num_threads(threads)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for processes that this one starts
