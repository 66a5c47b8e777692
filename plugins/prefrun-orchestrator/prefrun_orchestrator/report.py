"""The section of a run's report: choices by weighting, Pareto front, weights by prompt class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefrun_orchestrator.pictures import Point, draw_classes, draw_front
from prefrun_orchestrator.results import RESULT, Result, read_result

CHOICES_NOTE = (
    "Each weighting chooses, for every held-out prompt, the answer with the highest weighted sum. "
    "Utility is the chosen answer's score by the data's objective, regret what it lacks to the "
    "best answer. Weights are means over prompts. A fixed weighting has, by definition, the "
    "highest weighted sum of these means under its own weights, so weights that depend on the "
    "prompt cannot lie beyond the front of all fixed ones: what they gain is utility."
)


def run_section(directory: Path, folder: Path) -> str | None:
    """Return the section on DIRECTORY's weights, with pictures in FOLDER/plots; None if none."""
    if not (directory / RESULT).exists():
        return None
    result = read_result(directory / RESULT)
    lines = ["## Weights of the objectives", ""]
    lines += [f"Warning: {warning}." for warning in result.warnings]
    lines += [""] if result.warnings else []
    if result.weightings:
        lines += _choices(result, folder)
    if result.class_weights and result.class_targets:
        picture = "plots/orchestrator-classes.png"
        draw_classes(
            folder / picture, result.objectives, result.class_weights, result.class_targets
        )
        lines += [f"![Weights by {result.class_key}]({picture})", ""]
        lines += _classes(result)
    return "\n".join(lines)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table."""
    table = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in table] + [""]


def weights_text(weights: Sequence[float]) -> str:
    """Return weights as '0.62, 0.38'."""
    return ", ".join(f"{weight:.2f}" for weight in weights)


def _choices(result: Result, folder: Path) -> list[str]:
    picture = "plots/orchestrator-front.png"
    points = [
        Point(each.name, each.means, each.name == "adapter", each.on_front)
        for each in result.weightings
    ]
    draw_front(folder / picture, result.objectives, points)
    heads = ["weighting", "weights", *result.objectives, "utility", "regret", "on the front"]
    rows = [
        [
            each.name,
            weights_text(each.weights),
            *(f"{mean:.3f}" for mean in each.means),
            f"{each.utility:.3f}",
            f"{each.regret:.3f}",
            "yes" if each.on_front else "no",
        ]
        for each in result.weightings
    ]
    volumes = ", ".join(f"{name} {value:.3f}" for name, value in result.hypervolume.items())
    return [
        f"![Mean rewards of the chosen answers]({picture})",
        "",
        *markdown(heads, rows),
        CHOICES_NOTE,
        "",
        f"Hypervolume, as a part of the box of the training answers' rewards: {volumes}.",
        "",
    ]


def _classes(result: Result) -> list[str]:
    assert result.class_weights is not None
    assert result.class_targets is not None
    rows = [
        [name, weights_text(weights), weights_text(result.class_targets[name])]
        for name, weights in result.class_weights.items()
    ]
    order = ", ".join(result.objectives)
    heads = [str(result.class_key), f"mean weights ({order})", "mean targets"]
    return markdown(heads, rows)
