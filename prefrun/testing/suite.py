"""Named properties, their verdicts, and the report: what every conformance suite is made of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unittest import SkipTest

from prefrun.errors import PluginError, closest

FOREIGN = ("prefrun.testing", "torch", "functools", "omegaconf", "hydra")
"""Modules that are not the place of an author's mistake."""


@dataclass(frozen=True, slots=True)
class Property:
    """One thing a component must do. Its name is the function's name."""

    check: Callable[[Any], str | None]
    """Called with the subject; raises AssertionError with what was seen, or SkipTest with why the
    property does not apply. A returned text is shown beside 'passed'."""
    requires: tuple[str, ...] = ()
    """Properties without which this one means nothing; it is blocked where one of them fails."""
    has_parts: bool = False
    """Whether 'NAME/PART' may be expected to fail; the property itself then allows for it."""

    @property
    def name(self) -> str:
        """Such as 'ties_are_finite'."""
        return self.check.__name__

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.check) or "").partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one property."""

    name: str
    status: str
    """passed | failed | expected (failed, as announced) | skipped | blocked."""
    seen: str = ""
    """What was seen, or why nothing was looked at; one line."""
    error: BaseException | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.status}" + (f": {self.seen}" if self.seen else "")


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts on one component."""

    component: str
    """Such as 'algo=lipo'."""
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """Those that count as failures."""
        return tuple(verdict for verdict in self.verdicts if verdict.status == "failed")

    def __str__(self) -> str:
        """One line per property."""
        return "\n".join([self.component, *(f"  {verdict}" for verdict in self.verdicts)])

    def raise_failures(self) -> None:
        """Raise AssertionError that names every failed property, where there is one."""
        if self.failed:
            blocked = sum(verdict.status == "blocked" for verdict in self.verdicts)
            lines = [
                f"{self.component} fails {len(self.failed)} of {len(self.verdicts)} checks"
                + (f" ({blocked} more could not be judged)" if blocked else "")
            ]
            lines += [f"  {verdict.name}: {verdict.seen}" for verdict in self.failed]
            raise AssertionError("\n".join(lines))


class Suite:
    """The properties of one subject. Each is judged once, on demand, in whatever order."""

    def __init__(self, subject: Any, properties: Sequence[Property]) -> None:
        self.subject = subject
        self.properties = {item.name: item for item in properties}
        self._verdicts: dict[str, Verdict] = {}

    @cached_property
    def _expected(self) -> dict[str, str]:
        """The subject's `expected_failures`. Raises PluginError where one names no property."""
        expected: Mapping[str, str] = self.subject.expected_failures
        for name in expected:
            item, part = name.partition("/")[::2]
            if item not in self.properties or (part and not self.properties[item].has_parts):
                raise PluginError(
                    f"expected_failures of {self.subject}: no check is called '{name}'."
                    f"{closest(name, sorted(self.properties))}"
                )
        return dict(expected)

    def verdict(self, name: str) -> Verdict:
        """Judge the property called NAME, after those it requires."""
        if name not in self._verdicts:
            self._verdicts[name] = self._judge(self.properties[name])
        return self._verdicts[name]

    def report(self) -> Report:
        """Judge every property."""
        return Report(str(self.subject), tuple(self.verdict(name) for name in self.properties))

    def _judge(self, item: Property) -> Verdict:
        for needed in item.requires:
            if self.verdict(needed).status in ("failed", "expected", "blocked"):
                return Verdict(item.name, "blocked", f"means nothing while {needed} fails")
        reason = self._expected.get(item.name)
        try:
            note = item.check(self.subject) or ""
        except SkipTest as why:
            return Verdict(item.name, "skipped", str(why))
        except Exception as error:  # a stranger's code may raise anything
            seen = describe(error)
            if reason is not None:
                return Verdict(item.name, "expected", f"{reason} ({seen})")
            return Verdict(item.name, "failed", seen, error)
        if reason is not None:
            return Verdict(
                item.name, "failed", f"passes, though a failure is expected: {reason}; remove that"
            )
        return Verdict(item.name, "passed", note)


@dataclass(frozen=True)
class Check:
    """One property of one component: a parameter for a test. Calling it checks it."""

    suite: Suite
    name: str

    @property
    def __name__(self) -> str:  # pytest shows it as the parameter's id
        return f"{self.suite.subject}-{self.name}"

    def __str__(self) -> str:
        return self.__name__

    def __call__(self) -> None:
        """Raise AssertionError where the property fails, SkipTest where it was not judged."""
        verdict = self.suite.verdict(self.name)
        if verdict.status == "failed":
            raise AssertionError(f"{self}: {verdict.seen}") from verdict.error
        if verdict.status == "expected":
            raise SkipTest(f"expected failure: {verdict.seen}")
        if verdict.status != "passed":
            raise SkipTest(verdict.seen)


def checks_of(suite: Suite) -> list[Check]:
    """One Check per property."""
    return [Check(suite, name) for name in suite.properties]


def settle(suite: Suite) -> Report:
    """Judge everything, print what was not judged, and raise AssertionError for failures."""
    report = suite.report()
    for verdict in report.verdicts:
        if verdict.status in ("skipped", "expected"):
            print(f"{report.component}: {verdict}")
    report.raise_failures()
    return report


def describe(error: BaseException) -> str:
    """Return, on one line, an assertion's text; of another error also its type and place."""
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if isinstance(error, AssertionError) and text:
        return text
    place, trace = "", error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if not module.startswith(FOREIGN):
            place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"raised {type(error).__name__}: {text}{place}"
