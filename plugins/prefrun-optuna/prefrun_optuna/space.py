"""From Hydra's words to Optuna's distributions and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from prefrun.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Space:
    """What is fixed and what is searched."""

    fixed: tuple[str, ...]
    """key=value words."""
    distributions: Mapping[str, BaseDistribution]
    """By key."""

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return the key=value words of the trial with VALUES."""
        return [*self.fixed, *(f"{key}={values[key]}" for key in self.distributions)]


def read_space(words: Sequence[str], loader: ConfigLoader) -> Space:
    """Read the WORDS of a command line; LOADER knows the choices that `glob(*)` means.

    Raises ConfigError where there is nothing to search, or a range cannot be searched.
    """
    fixed: dict[str, str] = {}
    found: dict[str, BaseDistribution] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(words)):
        key = override.get_key_element()
        fixed.pop(key, None)  # a later word takes the place of an earlier one
        found.pop(key, None)
        if override.is_sweep_override():
            found[key] = distribution(override)
        else:
            fixed[key] = f"{key}={override.get_value_element_as_str()}"
    if not found:
        raise ConfigError(
            "hydra/sweeper=optuna has nothing to search\n"
            "  remedy: give a key several values, such as 'algo.beta=interval(0.01,1)', "
            "'trainer.max_steps=range(50,201,50)' or algo=lipo,dpo"
        )
    return Space(tuple(fixed.values()), found)


def distribution(override: Override) -> BaseDistribution:
    """Return the distribution that OVERRIDE describes. Raises ConfigError."""
    value = override.value()
    tags = set(getattr(value, "tags", ()))
    log = "log" in tags
    if unknown := tags - {"log", "int"}:
        raise _refused(override, f"has the tag {', '.join(sorted(unknown))}; tags: log, int")
    try:
        if isinstance(value, IntervalSweep):
            assert value.start is not None
            assert value.end is not None
            if "int" in tags:
                return IntDistribution(int(value.start), int(value.end), log=log)
            return FloatDistribution(float(value.start), float(value.end), log=log)
        if isinstance(value, RangeSweep) and not value.shuffle:
            return _of_range(list(value.range()), abs(value.step), log)
    except ValueError as error:  # such as low > high, or log of 0
        raise _refused(override, f"cannot be searched: {error}") from error
    return CategoricalDistribution(tuple(_choices(override)))


def _of_range(values: Sequence[int | float], step: int | float, log: bool) -> BaseDistribution:
    """Hydra's range leaves out its end."""
    if log:
        raise ValueError("a range has even steps, so tag(log, ...) wants an interval")
    if not values:
        raise ValueError("it is empty")
    low, high = min(values), max(values)
    if all(isinstance(value, int) for value in values):
        return IntDistribution(int(low), int(high), step=int(step))
    return FloatDistribution(low, high, step=step)


def _choices(override: Override) -> Iterator[str]:
    """The values as words: Hydra's own text, so that lists and mappings are choices, too."""
    seen = dict.fromkeys(map(str, override.sweep_string_iterator()))
    return iter(seen)


def _refused(override: Override, problem: str) -> ConfigError:
    return ConfigError(f"{override.input_line} {problem}")
