"""The keys of algo=rps, algo=rps_simulation, evaluator=rps and data=control_codes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError

DPA_SENTENCE = (
    "You are a helpful, respectful, and honest assistant who always responds to the user in a "
    "harmless way. Your response should maximize weighted rating = {weights}"
)
TARGETS = [float(angle) for angle in range(0, 65, 5)]


class Method(Enum):
    """Where the k candidates come from."""

    rps = "one from each of k directions near the user's"
    best_of_n = "all from the user's direction"


class Scheme(Enum):
    """How directions are drawn from the neighbourhood."""

    uniform = "the angle is uniform"
    grid = "equally spaced, two objectives only"
    toward_train = "on the side of the nearest training direction"


class RewardNorm(Enum):
    """How objectives of different scales are made comparable."""

    none = "as they are"
    per_pool = "z-scores over the candidates of a prompt"
    dataset = "z-scores over the answers of the training records"


class Placement(Enum):
    """Where the steering sentence stands."""

    system = "a system message"
    user = "before the first user message"


class Codes(Enum):
    """Which prompts of data=control_codes hold the steering sentence."""

    train = "those of the training records"
    all = "those of the held-out records, too"


def check_cone(k: int, theta_max: float) -> None:
    """Raise ConfigError for a pool or a cone that cannot be."""
    if k < 1:
        raise ConfigError(f"algo.k={k} must be at least 1")
    if not 0 <= theta_max < 180:
        raise ConfigError(f"algo.theta_max={theta_max} must be in [0, 180), in degrees")


def check_template(key: str, template: str | None) -> None:
    """Raise ConfigError where TEMPLATE has no place for the weights."""
    if template is not None and "{weights}" not in template:
        raise ConfigError(
            f"{key}={template!r} has no {{weights}}: candidates would all get the same prompt"
        )


@dataclass
class RpsConfig:
    """Robust Preference Selection (arXiv 2510.20498), and best-of-n at the same budget."""

    method: Method = Method.rps
    """rps: one candidate from each of k directions; best_of_n: k candidates from the user's own."""
    k: int = 5
    """Candidates per prompt, >= 1."""
    theta_max: float = 30.0
    """Widest angle between a candidate's direction and the user's, degrees, in [0, 180)."""
    scheme: Scheme = Scheme.uniform
    """uniform, grid (two objectives only) or toward_train."""
    include_target: bool = False
    """The first candidate's direction is the user's own."""
    clip: bool = False
    """Negative weights become 0. DPA uses negative weights, so they stay by default."""
    reward_norm: RewardNorm = RewardNorm.none
    """none, per_pool or dataset: z-scores for objectives of different scales."""
    objectives: list[str] = field(default_factory=list)
    """The axes of the preference space, by name and in order; [] = all the reward's."""
    preference: dict[str, float] = field(default_factory=dict)
    """Weight by objective, for all prompts; {} = each record's own metadata."""
    angle_deg: float | None = None
    """Two objectives: the angle from the first one, for all prompts; null = the records' own."""
    template: str | None = None
    """The steering sentence; {weights} becomes 'NAME*87 + NAME*50'; null = DPA's sentence."""
    placement: Placement = Placement.system
    """system: a system message; user: before the first user message, for templates without one."""
    temperature: float = 0.7
    """Of the candidates, >= 0; 0 = greedy."""
    top_p: float = 0.95
    """Candidates' tokens come from the likeliest ones of this mass, in (0, 1]."""
    max_new_tokens: int | None = None
    """Tokens of a candidate, >= 1; null = evaluation.max_new_tokens."""

    def __post_init__(self) -> None:
        check_cone(self.k, self.theta_max)
        check_template("algo.template", self.template)
        if self.preference and self.angle_deg is not None:
            raise ConfigError("algo.preference and algo.angle_deg name two directions: give one")
        if self.preference and not any(self.preference.values()):
            raise ConfigError(
                f"algo.preference={dict(self.preference)} is a zero vector: it names no direction\n"
                "  remedy: give at least one objective a weight other than 0"
            )
        numbers = {f"preference.{name}": weight for name, weight in self.preference.items()}
        if self.angle_deg is not None:
            numbers["angle_deg"] = self.angle_deg
        for key, number in numbers.items():
            if not math.isfinite(number):
                raise ConfigError(f"algo.{key}={number} must be finite")
        if len(set(self.objectives)) < len(self.objectives):
            raise ConfigError(f"algo.objectives={list(self.objectives)} names one twice")
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(f"algo.temperature={self.temperature} must be at least 0, and finite")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"algo.top_p={self.top_p} must be in (0, 1]")
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise ConfigError(f"algo.max_new_tokens={self.max_new_tokens} must be at least 1")


@dataclass
class SimulationConfig:
    """RPS on a simulated generator that is good in one band of directions."""

    k: int = 5
    """Candidates per trial, >= 1."""
    theta_max: float = 30.0
    """Widest angle between a candidate's direction and the target, degrees, in [0, 180)."""
    scheme: Scheme = Scheme.uniform
    """uniform, grid or toward_train (towards the nearest covered direction)."""
    trials: int = 2000
    """Trials per target, >= 2."""
    center: float = 0.0
    """a0, the middle of the covered band, degrees."""
    width: float = 15.0
    """w, half the covered band, degrees, >= 0: quality is 1 up to here."""
    falloff: float = 20.0
    """b, degrees, > 0: beyond the band quality is exp(-(distance / b)^2)."""
    sigma: float = 0.15
    """Standard deviation of each objective's noise, >= 0."""

    def __post_init__(self) -> None:
        check_cone(self.k, self.theta_max)
        if self.trials < 2:
            raise ConfigError(f"algo.trials={self.trials} must be at least 2")
        if not math.isfinite(self.center):
            raise ConfigError(f"algo.center={self.center} must be finite")
        if not 0 <= self.width < math.inf:
            raise ConfigError(f"algo.width={self.width} must be at least 0, and finite")
        if not 0 < self.falloff < math.inf:
            raise ConfigError(f"algo.falloff={self.falloff} must be above 0, and finite")
        if not 0 <= self.sigma < math.inf:
            raise ConfigError(f"algo.sigma={self.sigma} must be at least 0, and finite")


@dataclass
class RpsEvaluatorConfig:
    """RPS against best-of-n at the same budget, by direction."""

    bins: list[float] = field(default_factory=lambda: [1.0, 10.0, 20.0])
    """Upper ends, in degrees and rising, of the bins of distance to the nearest training
    direction; what lies beyond the last is a bin of its own."""

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip(self.bins, self.bins[1:], strict=False))
        if not self.bins or not rising or not all(0 <= end < 180 for end in self.bins):
            raise ConfigError(
                f"evaluator.rps.bins={list(self.bins)} must be one or more rising angles in "
                "[0, 180)"
            )


@dataclass
class ControlCodesConfig:
    """Generated descriptions, steered by two objectives, with an exact judge."""

    train_records: int = 768
    """Training records, >= 1."""
    train_max_angle: float = 25.0
    """Training directions are uniform between 0 and this angle, degrees, in [0, 90]."""
    test_angles: list[float] = field(default_factory=lambda: list(TARGETS))
    """Directions of the held-out records, degrees, each in [0, 90]."""
    test_prompts: int = 10
    """Held-out prompts per direction, 1 to 24."""
    answers: int = 4
    """Answers of a record, 2 to 6: the first is on its direction, the others are not."""
    codes: Codes = Codes.train
    """Which prompts hold the steering sentence: train (algo=rps writes its own) or all."""
    template: str | None = None
    """The steering sentence of these prompts; {weights} becomes 'length*91 + positivity*42';
    null = DPA's sentence."""

    def __post_init__(self) -> None:
        check_template("data.template", self.template)
        if self.train_records < 1:
            raise ConfigError(f"data.train_records={self.train_records} must be at least 1")
        if not 0 <= self.train_max_angle <= 90:
            raise ConfigError(f"data.train_max_angle={self.train_max_angle} must be in [0, 90]")
        if not self.test_angles or not all(0 <= angle <= 90 for angle in self.test_angles):
            raise ConfigError(
                f"data.test_angles={list(self.test_angles)} must be one or more angles in [0, 90]"
            )
        if len(set(self.test_angles)) < len(self.test_angles):
            raise ConfigError(f"data.test_angles={list(self.test_angles)} names one twice")
        if not 1 <= self.test_prompts <= 24:
            raise ConfigError(f"data.test_prompts={self.test_prompts} must be between 1 and 24")
        if not 2 <= self.answers <= 6:
            raise ConfigError(f"data.answers={self.answers} must be between 2 and 6")
