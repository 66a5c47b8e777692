"""report.md: the result of a run for a reader, with pictures."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefrun.escaping import one_line, visible
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, read_json_lines, write_atomically
from prefrun.rundir.metrics import read_metrics
from prefrun.rundir.sections import plugin_sections
from prefrun.rundir.status import read_status
from prefrun.rundir.summary import read_summary
from prefrun.rundir.table import ONCE, extent, headings_of, markdown_table, result_rows

SHOWN_PROBLEMS = 20
SHOWN_SAMPLES = 3
SHOWN_CHARACTERS = 600
"""Of a prompt or an answer."""
PLAIN = re.compile(r"[\w./+@%:-]+")
"""What Hydra's grammar takes without quotes."""


def write_report(
    directory: RunDirectory, folder: Path | None = None, *, with_curves: bool = True
) -> Path:
    """Write report.md and plots/ of the run into FOLDER (default: its own) and return report.md.

    WITH_CURVES = False draws no learning curves, which take longer than all the rest. A run that
    did not finish gets a report of what is there. Raises PrefrunError, naming the file, where one
    of its files is damaged or nothing can be written.
    """
    from prefrun.rundir.plots import write_plots

    folder = folder or directory.path
    manifest = read_json(directory.manifest)
    summary = read_summary(directory) if directory.summary.exists() else None
    lines = read_metrics(directory.metrics) if with_curves else []
    plots = write_plots(lines, folder / directory.plots.name)
    sections = [
        _heading(directory, manifest, summary),
        _result(summary) if summary else [],
        _curves([path.relative_to(folder) for path in plots]),
        *plugin_sections("prefrun_report_section", directory=directory.path, folder=folder),
        _records(manifest, summary) if summary else [],
        _answers(directory, summary),
        _origin(manifest),
        _repetition(directory, manifest),
    ]
    text = "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
    path = folder / directory.report.name
    write_atomically(path, visible(text))
    return path


def _heading(
    directory: RunDirectory, manifest: Mapping[str, Any], summary: Mapping[str, Any] | None
) -> list[str]:
    name = manifest.get("name") or (summary or {}).get("name") or directory.path.name
    lines = [f"# {name}", ""]
    if summary:
        lines.append(
            f"algo **{summary['algo']}**, data **{summary['data']}**, "
            f"model **{summary['model']}**, seed {summary['seed']}: {extent(summary)}"
            f"{'' if summary.get('trained', True) else ','} in "
            f"{sum(summary['timing'].values()):.0f} s, finished (run {summary['run_id']})."
        )
    else:
        reason = read_status(directory).unfinished() or "finished without a summary"
        lines.append(f"No result: {reason} (run {manifest['run_id']}).")
    note = manifest.get("data", {}).get("note")
    notes = [note] if note else []
    for resumption in manifest.get("resumed", []):
        if resumption.get("changed"):
            what = "; ".join(resumption["changed"])
            notes.append(f"**Warning:** resumed with other inputs than it began with: {what}")
    return [*lines, *(line for note in notes for line in ("", f"> {note}"))]


def _result(summary: Mapping[str, Any]) -> list[str]:
    rows = result_rows(summary)
    shown = markdown_table(headings_of(summary), rows) if rows else ["Nothing was measured."]
    lines = ["## Result", "", *shown]
    missing = [f"- `{name}`: {reason}" for name, reason in summary["not_measured"].items()]
    if missing:
        lines += ["", "Not measured:", "", *missing]
    if (moved := summary.get("weights_moved")) is not None:
        lines += ["", f"{100 * moved:.3g} % of the model's weights moved in training."]
    return lines


def _curves(plots: list[Path]) -> list[str]:
    if not plots:
        return []
    pictures = [f"![{path.stem} over training]({path.as_posix()})" for path in plots]
    return ["## Learning curves", "", "\n\n".join(pictures)]


def _records(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    counts = summary["records"]
    lines = [
        "## Records",
        "",
        f"{counts['read']} read, {counts['used']} used, {counts['skipped']} skipped, "
        f"{counts['truncated']} truncated.",
    ]
    problems = manifest.get("data", {}).get("problems", [])
    if problems:
        lines += [
            "",
            "Skipped:",
            "",
            *(f"- {one_line(line)}" for line in problems[:SHOWN_PROBLEMS]),
        ]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"- and {len(problems) - SHOWN_PROBLEMS} more")
    return lines


def _answers(directory: RunDirectory, summary: Mapping[str, Any] | None) -> list[str]:
    if not directory.samples.exists():
        return []
    sides = [("before", "baseline_"), ("after", "")]
    if summary and headings_of(summary) == ONCE:  # both are the start model's
        sides = [("answer", "")]
    lines = ["## Answers to held-out prompts"]
    samples = read_json_lines(directory.samples)
    answered = [each for each in samples if {"response", "baseline_response"} & set(each)]
    for sample in answered[:SHOWN_SAMPLES]:
        lines += [
            "",
            f"### Record {one_line(str(sample['id']))}",
            "",
            "prompt",
            *_fenced(sample["prompt"]),
        ]
        for when, prefix in sides:
            if f"{prefix}response" in sample:
                reward = sample.get(f"{prefix}reward")
                judged = "" if reward is None else f", reward {reward:.3g}"
                lines += ["", when + judged, *_fenced(sample[f"{prefix}response"])]
    return lines if len(lines) > 1 else []


def _fenced(text: str) -> list[str]:
    cut = len(text) - SHOWN_CHARACTERS
    if cut > 0:
        text = f"{text[:SHOWN_CHARACTERS]} [... {cut} more characters]"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return ["", f"{fence}text", text, fence]


def _origin(manifest: Mapping[str, Any]) -> list[str]:
    data, versions = manifest.get("data", {}), manifest.get("versions", {})
    model, packages = manifest.get("model", {}), versions.get("packages", {})
    facts = {
        "time": manifest.get("created"),
        "data": _named(data),
        "model": _named(model),
        "code": _commit(manifest.get("code", {}).get("prefrun")),
        "versions": ", ".join(
            f"{name} {packages[name]}"
            for name in ("prefrun", "torch", "transformers", "peft", "trl")
            if packages.get(name)
        ),
        "plugins": ", ".join(versions.get("plugins", {}).values()),
        "python": f"{versions.get('python')} on {versions.get('os')}",
        "machine": _machine(manifest.get("hardware", {})),
    }
    rows = [f"| {name} | {one_line(str(value))} |" for name, value in facts.items() if value]
    return ["## Made from", "", "| | |", "| --- | --- |", *rows, "", "All of it: `manifest.json`."]


def _named(part: Mapping[str, Any]) -> str:
    mark = part.get("fingerprint")
    return f"{part.get('name')}, fingerprint `{mark}`" if mark else str(part.get("name"))


def _commit(code: Mapping[str, Any] | None) -> str:
    if not code:
        return "prefrun was installed from a package, not from a git checkout"
    commit = code.get("commit") or "no commit yet"
    changed = f", with changes (sha256 {code['diff_sha256'][:12]})" if code.get("dirty") else ""
    return f"git {commit}{changed}"


def _machine(hardware: Mapping[str, Any]) -> str:
    gpus = [f"{gpu['name']} ({gpu['memory_gib']} GiB)" for gpu in hardware.get("gpus") or []]
    return ", ".join(
        [
            str(hardware.get("cpu")),
            f"{hardware.get('usable_cores')} of {hardware.get('cores')} cores",
            f"{hardware.get('memory_gib')} GiB memory",
            *gpus,
        ]
    )


def _repetition(directory: RunDirectory, manifest: Mapping[str, Any]) -> list[str]:
    """The command that repeats the run, from whichever folder it is typed in."""
    words = [word for word in manifest.get("overrides", []) if not word.startswith("output_dir=")]
    paths = {name: each["path"] for name, each in manifest.get("inputs", {}).items()}
    if (file := directory.code / manifest.get("components", {}).get("algo", "")).is_file():
        paths["algo"] = str(file.absolute())
    command = shlex.join(["prefrun", *(_with_path(word, paths) for word in words)])
    return ["## Repeat", "", "```bash", command, "```"]


def _with_path(word: str, paths: Mapping[str, str]) -> str:
    """Return WORD, KEY=VALUE, with the absolute path in PATHS for the one that was typed."""
    key, equals, _ = word.partition("=")
    path = paths.get(key.lstrip("+"))
    if not equals or path is None:
        return word
    if not PLAIN.fullmatch(path):
        escaped = path.replace("\\", "\\\\").replace("'", "\\'")
        path = f"'{escaped}'"
    return f"{key}={path}"
