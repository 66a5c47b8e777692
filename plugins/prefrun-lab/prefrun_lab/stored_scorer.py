"""A score network's folder: its shape as JSON beside its weights. No torch here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from prefrun.errors import ConfigError

SHAPE, WEIGHTS = "scorer.json", "scorer.safetensors"


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a score network is."""

    features: int
    """Numbers of an answer."""
    hidden: int
    """Units of the hidden layer; 0 = none."""

    def __str__(self) -> str:
        kind = f"an MLP with {self.hidden} hidden units" if self.hidden else "a linear model"
        return f"{kind} of {self.features} features"

    @property
    def chosen_by(self) -> str:
        """What the user types for it."""
        return f"model=mlp model.hidden={self.hidden}" if self.hidden else "model=linear"

    def write(self, folder: Path) -> None:
        """Write it into FOLDER."""
        (folder / SHAPE).write_text(json.dumps(asdict(self)) + "\n")


def shape_in(folder: Path) -> Shape:
    """Return what FOLDER, the value of model.path, holds. Raises ConfigError if that is nothing."""
    try:
        said = json.loads((folder / SHAPE).read_text())
        shape = Shape(int(said["features"]), int(said["hidden"]))
        if not (folder / WEIGHTS).is_file():
            raise FileNotFoundError(f"no file {WEIGHTS}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"model.path={folder} is no model of feature vectors: {error}\n"
            "  remedy: give the folder `model` of a run with model=linear or model=mlp"
        ) from error
    return shape
