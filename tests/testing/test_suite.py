"""Verdicts, expected failures and what blocks what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from unittest import SkipTest

import pytest

from prefrun.errors import PluginError
from prefrun.testing.suite import Property, Suite, checks_of, settle


def passes(subject: str) -> str:
    return "3 cases"


def fails(subject: str) -> None:
    raise AssertionError(f"{subject} is wrong")


def crashes(subject: str) -> None:
    raise KeyError("weights")


def is_skipped(subject: str) -> None:
    raise SkipTest("nothing to do")


def needs_fails(subject: str) -> None:
    raise AssertionError("never looked at")


def needs_that(subject: str) -> None:
    raise AssertionError("never looked at")


def needs_skipped(subject: str) -> None:
    """Judged although what it needs was not."""


ALL = (
    Property(needs_that, ("needs_fails",)),
    Property(needs_fails, ("passes", "fails")),
    Property(passes, has_parts=True),
    Property(fails),
    Property(crashes),
    Property(is_skipped),
    Property(needs_skipped, ("is_skipped",)),
)


class Subject(str):
    """A text that says what it fails."""

    expected_failures: Mapping[str, str]


def suite(properties: Sequence[Property], expected: Mapping[str, str] | None = None) -> Suite:
    subject = Subject("demo")
    subject.expected_failures = expected or {}
    return Suite(subject, properties)


def test_statuses() -> None:
    report = suite(ALL).report()
    assert {verdict.name: verdict.status for verdict in report.verdicts} == {
        "needs_that": "blocked",
        "needs_fails": "blocked",
        "passes": "passed",
        "fails": "failed",
        "crashes": "failed",
        "is_skipped": "skipped",
        "needs_skipped": "passed",
    }


def test_one_error_lists_every_failure_with_what_was_seen() -> None:
    with pytest.raises(AssertionError) as caught:
        settle(suite(ALL))
    headline, first, second = str(caught.value).splitlines()
    assert headline == "demo fails 2 of 7 checks (2 more could not be judged)"
    assert first == "  fails: demo is wrong"
    assert second.startswith("  crashes: raised KeyError: 'weights' at ")
    assert __file__ in second


def test_announced_failure_is_no_failure_but_blocks() -> None:
    announced = {"fails": "by design", "crashes": "known"}
    report = settle(suite(ALL, announced))
    verdicts = {verdict.name: verdict for verdict in report.verdicts}
    assert verdicts["fails"].status == "expected"
    assert verdicts["fails"].seen == "by design (demo is wrong)"
    assert verdicts["needs_fails"].status == "blocked"


def test_announced_failure_that_passes_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="passes: passes, though a failure is expected: old"):
        settle(suite([Property(passes)], {"passes": "old"}))


@pytest.mark.parametrize("name", ["fail", "fails/part"])
def test_unknown_announcement_names_the_closest_check(name: str) -> None:
    with pytest.raises(PluginError, match="Did you mean 'fails'"):
        suite(ALL, {name: "typo"}).report()


def test_parts_may_be_announced_where_a_property_has_them() -> None:
    assert not suite([Property(passes, has_parts=True)], {"passes/x": "y"}).report().failed


def test_checks_raise_what_test_runners_understand() -> None:
    checks = {check.name: check for check in checks_of(suite(ALL, {"crashes": "known"}))}
    checks["passes"]()
    with pytest.raises(AssertionError, match="demo-fails: demo is wrong"):
        checks["fails"]()
    with pytest.raises(SkipTest, match="expected failure: known"):
        checks["crashes"]()
    with pytest.raises(SkipTest, match="means nothing while fails fails"):
        checks["needs_fails"]()


def test_report_reads_as_a_table() -> None:
    assert str(suite([Property(passes)]).report()) == "demo\n  passes: passed: 3 cases"
