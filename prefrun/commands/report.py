"""`prefrun report DIR...`: the report of one run, or the comparison of several."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from prefrun.commands.begun import open_run
from prefrun.errors import ConfigError

if TYPE_CHECKING:
    from prefrun.rundir.directory import RunDirectory


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        usage = "prefrun report DIR... [--output DIR] [--baseline WORDS]"
        raise ConfigError(f"{message}\n  usage: {usage}")


def report(arguments: list[str]) -> int:
    """Write and print the report of one run directory, or compare several and sweep folders.

    One run: report.md and plots/ in its folder. Several: report.html and comparison.* in the
    sweep folder, the folder all are in, or else the first; --output DIR overrides both. --baseline
    "algo=dpo" names the configuration that the others are tested against. Returns 0.
    Raises ConfigError for a folder that holds no run, and for a baseline that is none.
    """
    parser = _Parser(prog="prefrun report", add_help=False, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--output", type=Path, metavar="DIR")
    parser.add_argument("--baseline", metavar="WORDS")
    options = parser.parse_args(arguments)

    from prefrun.rundir.directory import RunDirectory

    folders: list[Path] = options.folders
    if len(folders) == 1 and RunDirectory(folders[0]).holds_run():
        _report_run(open_run(folders[0]), options.output)
    else:
        output = options.output or _common_folder(folders)
        _compare_runs(folders, output, options.baseline)
    return 0


def _report_run(directory: RunDirectory, output: Path | None) -> None:
    from prefrun.console import console
    from prefrun.rundir.report import write_report
    from prefrun.rundir.status import read_status
    from prefrun.rundir.summary import read_summary
    from prefrun.rundir.table import result_table

    path = write_report(directory, output)
    if directory.summary.exists():
        console.print(result_table(read_summary(directory)))
    else:
        console.print(f"no result: {read_status(directory).unfinished()}", markup=False)
    console.print(f"written: {path}", markup=False)


def _compare_runs(folders: Sequence[Path], output: Path, baseline: str | None) -> None:
    from prefrun.comparison.announce import announce
    from prefrun.comparison.compare import compare
    from prefrun.comparison.files import write_comparison
    from prefrun.comparison.runs import load_runs
    from prefrun.comparison.terminal import print_comparison
    from prefrun.console import console

    comparison = compare(load_runs(folders), baseline)
    paths = write_comparison(comparison, output)
    print_comparison(comparison, console)
    console.print(f"written: {', '.join(map(str, paths))}", markup=False)
    announce(comparison, output)


def _common_folder(folders: Sequence[Path]) -> Path:
    parents = {folder.resolve().parent for folder in folders}
    return folders[0].parent if len(folders) > 1 and len(parents) == 1 else folders[0]
