"""Every hook of API 1 with all of its arguments. Frozen: what is added later must not break it."""

from dataclasses import dataclass
from pathlib import Path

from prefrun import Component, hookimpl

prefrun_api = 1
CALLS = []


@dataclass
class FirstConfig:
    """No keys."""


@hookimpl
def prefrun_components():
    return [
        Component(
            "algo", "first", FirstConfig, "prefrun_first.algo:First", "of the first generation"
        )
    ]


@hookimpl
def prefrun_config_dir():
    return Path(__file__).parent / "conf"


@hookimpl
def prefrun_run_configured(run):
    CALLS.append(("prefrun_run_configured", run))


@hookimpl
def prefrun_run_started(run):
    CALLS.append(("prefrun_run_started", run))


@hookimpl
def prefrun_step_logged(run, step, metrics):
    CALLS.append(("prefrun_step_logged", run, step, metrics))


@hookimpl
def prefrun_checkpoint_written(run, step, path):
    CALLS.append(("prefrun_checkpoint_written", run, step, path))


@hookimpl
def prefrun_run_finished(run, summary):
    CALLS.append(("prefrun_run_finished", run, summary))


@hookimpl
def prefrun_run_failed(run, error):
    CALLS.append(("prefrun_run_failed", run, error))


@hookimpl
def prefrun_report_section(directory, folder):
    CALLS.append(("prefrun_report_section", directory, folder))


@hookimpl
def prefrun_comparison_section(directories, folder):
    CALLS.append(("prefrun_comparison_section", directories, folder))


@hookimpl
def prefrun_comparison_written(comparison, directories, folder):
    CALLS.append(("prefrun_comparison_written", comparison, directories, folder))
