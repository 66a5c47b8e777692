"""Every hook of prefrun, in the order of a run's life. This page is the whole plugin API.

A plugin is a distribution with an entry point in the group `prefrun` that names a module with hook
implementations (`from prefrun import hookimpl`). pluggy passes arguments by keyword; an
implementation may take fewer than the specification names.

What a plugin can be, and how it fits:

- An algorithm that is a loss: subclass `prefrun.algorithm.LossAlgorithm`; `loss(batch)` gets small
  tensors per branch and token and returns terms; the host loads, caches, trains, evaluates.
- An algorithm that owns its run (reward models, online RL, diffusion, recommenders): subclass
  `RunAlgorithm`; `run(services)` borrows the host's data, models, reference cache, logging and
  checkpoints, trains losses by the host's loop, and returns an `Outcome`: a policy to evaluate,
  metrics of its own, or both.
- An algorithm that trains nothing (decoding time): subclass `DecodingAlgorithm`;
  `wrap(services)` returns a policy that answers differently.
- A data source: a class with `load(seed) -> prefrun.records.split.DataSplit`.
- A model: a class with `load() -> prefrun.policy.policy.LoadedModel`, or, of another kind than a
  language model, `-> prefrun.models.kind.ModelKind`.
- A reward: a class with `of(data) -> prefrun.reward.Reward`; a Reward has a name and
  `score(trees, responses) -> list[float]`; one for several objectives is an `ObjectivesReward`.
- An evaluator: a class of `prefrun.evaluation.evaluator.Evaluator`. It asks its context for what it
  needs: a policy (`context.policy`), two policies (`context.policy` and `context.baseline`), a
  reward (`context.reward`), or only records (`context.trees`).
- A configuration of an algorithm or data set may choose for other groups, where the user has not:
  `override /model@_global_.model: NAME` in the defaults list of its YAML file; that of a model may
  choose reward and evaluators.
- A tracker: a class of `prefrun.tracker.Tracker`, told of the run's life.
- A key of a component's dataclass that names a file or a folder is declared with
  `prefrun.path_key(default, holds)`: its value is made absolute, and what is there counts, by
  content, in a job's identity, in what `prefrun resume` compares and in the rows of a comparison.
  HOLDS is `Holds.files` (all files at the path), `Holds.model` (a model's folder or its name on the
  hub, at the commit of the key `revision` beside it), `Holds.records` (data, whose fingerprint says
  what is in them), `Holds.dataset` (the same, or a data set's name on the hub) or `Holds.results`
  (a cache or the like, which changes no result).

A hook that observes a run (`prefrun_run_*`, `prefrun_step_logged`, `prefrun_checkpoint_written`)
costs nobody else: what it raises is said once, with file and line, and the run goes on. Only
`RunPrunedError` ends the run. A hook is called directly, so it can be no pluggy wrapper.

A loop of one's own ends at Ctrl-C, SIGTERM or SIGHUP with a checkpoint of its last step inside
`prefrun.signals.finishing_first`; otherwise it ends at once.

This page is API 1. A plugin's module may say which one it was written for, as a plain number on a
line of its own: `prefrun_api = 1`. A plugin for an older API, or one that does not say, goes on to
work: hooks and arguments are added, and none is taken away or renamed. One for a newer API is not
loaded, and `prefrun plugins` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pluggy import HookspecMarker

if TYPE_CHECKING:
    from prefrun.comparison.compare import Comparison
    from prefrun.component import Component
    from prefrun.rundir.run import Run

API = 1
"""Rises by 1 where this page gains a hook or an argument."""
hookspec = HookspecMarker("prefrun")


@hookspec
def prefrun_components() -> list[Component]:
    """Name the choices this plugin adds to the config groups algo, data, model, reward, ...

    When: once per process, by `prefrun.plugins.components()`, before Hydra is imported; so no heavy
    import here. Return: a list of `Component`; their factories are imported on first use.
    """
    raise AssertionError("a specification is not called")


@hookspec
def prefrun_config_dir() -> Path:
    """Name the folder whose `algo/NAME.yaml`, `data/NAME.yaml`, ... Hydra shall find.

    When: by `prefrun.compose`, as Hydra builds its search path.
    Return: usually `prefrun.conf_dir("my_package")`.
    """
    raise AssertionError("a specification is not called")


@hookspec
def prefrun_run_configured(run: Run) -> None:
    """A run's configuration is valid and its data are read; no model is loaded yet.

    When: by `prefrun.run`, once per run and once more per resume. Return: nothing.
    """


@hookspec
def prefrun_run_started(run: Run) -> None:
    """The run directory holds config and manifest, and work begins.

    When: by `prefrun.run`, before the model is loaded. Return: nothing.
    """


@hookspec
def prefrun_step_logged(run: Run, step: int, metrics: Mapping[str, float]) -> None:
    """A line was added to `metrics.jsonl`.

    When: by the training loop at each logging step, main process only. Return: nothing.
    """


@hookspec
def prefrun_checkpoint_written(run: Run, step: int, path: Path) -> None:
    """A checkpoint is complete on disk.

    When: by the training loop, after the folder got its final name. Return: nothing.
    """


@hookspec
def prefrun_run_finished(run: Run, summary: Mapping[str, Any]) -> None:
    """The run ended well and `summary.json` is written.

    When: by `prefrun.run`, last. Return: nothing.
    """


@hookspec
def prefrun_run_failed(run: Run, error: BaseException) -> None:
    """The run ended with an error, Ctrl-C included; `status.json` already says so.

    When: by `prefrun.run`, before the error goes on to the user. Return: nothing.
    """


@hookspec
def prefrun_report_section(directory: Path, folder: Path) -> str | None:
    """Add a section to a run's report.md.

    When: at the end of a run and by `prefrun report RUN`. DIRECTORY is the run's folder, FOLDER
    that of the report; pictures go to FOLDER/plots. Return: Markdown that begins with `## `; None
    where the run holds nothing of this plugin.
    """
    raise AssertionError("a specification is not called")


@hookspec
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Add a section to comparison.md.

    When: at the end of a sweep and by `prefrun report DIR...`. DIRECTORIES are the finished runs,
    FOLDER is that of the comparison; names of pictures begin with `comparison-`. Return: Markdown
    that begins with `## `; None where the runs hold nothing of this plugin.
    """
    raise AssertionError("a specification is not called")


@hookspec
def prefrun_comparison_written(
    comparison: Comparison, directories: Sequence[Path], folder: Path
) -> None:
    """The files of a comparison are complete; send it on to where your team looks.

    When: at the end of a sweep and by `prefrun report DIR...`, last. DIRECTORIES are the finished
    runs, FOLDER holds comparison.csv, report.html and the others. Return: nothing. An error is
    logged and costs the sweep nothing.
    """
