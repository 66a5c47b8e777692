"""Reads the user's preference: from the configuration, or from each record's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefrun.errors import ConfigError, DataError, closest
from prefrun.reward import ObjectivesReward
from prefrun_rps.directions import Vector, from_angles, unit

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward
    from prefrun_rps.config import RpsConfig

PREFERENCE, ANGLE = "preference", "angle_deg"
"""Fields of a record's metadata: {objective: weight}, or degrees from the first of two."""
REMEDY = (
    "give the record metadata such as {'preference': {'helpfulness': 0.9, 'verbosity': 0.4}} or "
    "{'angle_deg': 30}, or set algo.preference or algo.angle_deg for all records"
)


def judged_objectives(reward: Reward | None, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the axes of the preference space. Raises ConfigError where REWARD cannot give them."""
    if not isinstance(reward, ObjectivesReward):
        what = f"reward {reward.name} gives one overall score" if reward else "the run has none"
        raise ConfigError(
            f"algo=rps needs a reward with several objectives: {what}\n"
            "  remedy: reward=several with a part per objective, or data whose judge has objectives"
        )
    unknown = [name for name in wanted if name not in reward.objectives]
    if unknown:
        known = list(reward.objectives)
        raise ConfigError(
            f"algo.objectives: the reward has no objective '{unknown[0]}'."
            f"{closest(unknown[0], known)} It has {', '.join(known)}"
        )
    return tuple(wanted) or tuple(reward.objectives)


def configured_direction(config: RpsConfig, objectives: Sequence[str]) -> Vector | None:
    """Return the direction [d] that the configuration sets for all records, if it sets one.

    Raises ConfigError where it does not fit the objectives.
    """
    if config.preference:
        return _checked("algo", {PREFERENCE: dict(config.preference)}, objectives)
    if config.angle_deg is not None:
        return _checked("algo", {ANGLE: config.angle_deg}, objectives)
    return None


def _checked(where: str, source: Mapping[str, Any], objectives: Sequence[str]) -> Vector:
    try:
        return _direction(source, objectives)
    except DataError as error:
        remedy = f"\n  remedy: {error.remedy}" if error.remedy else ""
        raise ConfigError(f"{where}.{error.field}: {error.problem}{remedy}") from error


def direction_of(tree: PreferenceTree, objectives: Sequence[str]) -> Vector:
    """Return the direction [d] in TREE's metadata. Raises DataError naming record and field."""
    if not has_preference(tree):
        raise DataError(
            "the record says nothing of the user's preference",
            record=tree.id,
            field=f"metadata.{PREFERENCE}",
            remedy=REMEDY,
        )
    try:
        return _direction(tree.metadata, objectives)
    except DataError as error:
        raise DataError(
            error.problem, record=tree.id, field=f"metadata.{error.field}", remedy=error.remedy
        ) from error


def has_preference(tree: PreferenceTree) -> bool:
    """Return whether TREE's metadata hold a preference."""
    return any(tree.metadata.get(name) is not None for name in (PREFERENCE, ANGLE))


def preference_names(tree: PreferenceTree) -> tuple[str, ...]:
    """Return the objectives that TREE's preference names; of an angle, two without a name."""
    given = tree.metadata.get(PREFERENCE)
    return tuple(map(str, given)) if isinstance(given, Mapping) else ("first", "second")


def _direction(source: Mapping[str, Any], objectives: Sequence[str]) -> Vector:
    """Raises DataError with the field that is wrong."""
    given = source.get(PREFERENCE)
    if given is None:
        return _from_angle(source[ANGLE], objectives)
    if not isinstance(given, Mapping):
        raise DataError(f"{given!r} is no mapping of objectives to weights", field=PREFERENCE)
    for name, weight in given.items():
        if name not in objectives:
            raise DataError(
                f"'{name}' is no objective.{closest(str(name), list(objectives))}",
                field=PREFERENCE,
                remedy=f"name some of {', '.join(objectives)}",
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise DataError(f"the weight {weight!r} is no number", field=f"{PREFERENCE}.{name}")
    try:
        return unit([float(given.get(name, 0.0)) for name in objectives])
    except ValueError as error:
        remedy = "give at least one objective a finite weight other than 0"
        raise DataError(str(error), field=PREFERENCE, remedy=remedy) from error


def _from_angle(degrees: Any, objectives: Sequence[str]) -> Vector:
    if isinstance(degrees, bool) or not isinstance(degrees, int | float):
        raise DataError(f"{degrees!r} is no number of degrees", field=ANGLE)
    if not -180 <= degrees <= 180:
        raise DataError(f"{degrees} is no angle between -180 and 180 degrees", field=ANGLE)
    if len(objectives) != 2:
        raise DataError(
            f"an angle needs 2 objectives, and there are {len(objectives)}: "
            f"{', '.join(objectives)}",
            field=ANGLE,
            remedy="name the two axes with algo.objectives=[NAME,NAME], or give a preference",
        )
    vector: Vector = from_angles([degrees])[0]
    return vector
