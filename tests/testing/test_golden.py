"""Golden vectors: what counts as equal, where files are found, what is said of a difference."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from prefrun import Component
from prefrun.algorithm import RunAlgorithm
from prefrun.policy.policy import Policy
from prefrun.testing import check_algorithm
from prefrun.testing.golden import compare_case, vector_file


@dataclass
class DemoConfig:
    """No keys."""


class Demo(RunAlgorithm):
    """Only its golden function is called."""

    card = "Source: this test."
    golden = f"{__name__}:compute"
    vectors = "demo.json"

    def run(self, services: object) -> Policy | None:
        raise AssertionError("the kit runs no RunAlgorithm")


class NoFunction(Demo):
    golden = None


COMPONENT = Component("algo", "demo", DemoConfig, f"{__name__}:Demo", "a demo")


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    if name.startswith("foreign"):
        return None
    return {"sum": math.fsum(inputs["x"]) * hyper["scale"], "extra": 1.0}


def case(name: str = "one", **expected: Any) -> dict[str, Any]:
    return {"name": name, "inputs": {"x": [1, 2]}, "hyper": {"scale": 2.0}, "expected": expected}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PREFRUN_VECTORS", str(tmp_path))

    def write_cases(*cases: Mapping[str, Any]) -> None:
        (tmp_path / "demo.json").write_text(json.dumps(cases))

    return write_cases


def test_agreeing_cases_are_counted(write: Any) -> None:
    write(case(sum=6.0), case("two", sum=6.0000001), case("foreign", other=1))
    verdicts = {verdict.name: verdict for verdict in check_algorithm(COMPONENT).verdicts}
    assert verdicts["golden_vectors"].seen == "2 of 3 cases of demo.json"


def test_differences_name_case_key_and_both_numbers(write: Any) -> None:
    write(case(sum=6.0), case("off", sum=6.1, loss=1.0))
    with pytest.raises(AssertionError) as caught:
        check_algorithm(COMPONENT)
    assert "off/sum: 6.0, expected 6.1" in str(caught.value)
    assert "off/loss: the function does not return this key" in str(caught.value)
    assert "one/" not in str(caught.value)


@pytest.mark.parametrize("place", ["off/sum", "off/*", "*/sum"])
def test_a_published_number_may_be_wrong_but_only_while_it_differs(
    write: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    known = {f"golden_vectors/{place}": "the paper's table has a typo"}
    monkeypatch.setattr(Demo, "expected_failures", known)
    write(case(sum=6.0), case("off", sum=6.1))
    check_algorithm(COMPONENT)
    write(case(sum=6.0), case("off", sum=6.0))
    with pytest.raises(AssertionError) as caught:
        check_algorithm(COMPONENT)
    assert f"{place}: agrees, though a difference is expected" in str(caught.value)


def test_file_without_a_case_of_ours_is_a_failure(write: Any) -> None:
    write(case("foreign", sum=6.0))
    with pytest.raises(AssertionError, match=r"computed none of the 1 cases"):
        check_algorithm(COMPONENT)


def test_missing_file_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFRUN_VECTORS", str(tmp_path / "nowhere"))
    with pytest.raises(AssertionError, match=r"no vector file .*nowhere/demo\.json"):
        check_algorithm(COMPONENT)


def test_vectors_without_a_function_are_a_failure(write: Any) -> None:
    write(case(sum=6.0))
    broken = Component("algo", "demo", DemoConfig, f"{__name__}:NoFunction", "a demo")
    with pytest.raises(AssertionError, match="`golden` names no function"):
        check_algorithm(broken)


def test_files_lie_beside_the_plugins_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFRUN_VECTORS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "prefrun_boxed").mkdir()
    (tmp_path / "prefrun_boxed" / "__init__.py").touch()
    (tmp_path / "single_loss.py").touch()
    for module in ("prefrun_boxed.algo", "single_loss"):
        found = vector_file(Component("algo", "x", DemoConfig, f"{module}:X", "x"), "x.json")
        assert found == tmp_path / "tests" / "vectors" / "x.json"


def test_files_that_a_wheel_brings_lie_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFRUN_VECTORS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    shipped = tmp_path / "prefrun_wheeled" / "vectors" / "x.json"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("[]")
    (tmp_path / "prefrun_wheeled" / "__init__.py").touch()
    component = Component("algo", "x", DemoConfig, "prefrun_wheeled.algo:X", "x")
    assert vector_file(component, "x.json") == shipped


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (torch.tensor([[1.0, 2.0]]), [[1.0, 2.0]]),
        ((1.0, 2.0), [1, 2]),
        (torch.tensor(True), 1),
        (math.nan, math.nan),
        (math.inf, math.inf),
        (1e-10, 0.0),
        ({"a": {"b": [1.0], "c": 2}}, {"a": {"b": [1.0]}}),
        (None, None),
        ("yes", "yes"),
    ],
)
def test_equal(seen: Any, expected: Any) -> None:
    assert compare_case({"name": "x", "expected": {"k": expected}}, {"k": seen}) == {}


@pytest.mark.parametrize(
    ("seen", "expected", "place"),
    [
        ([[1.0, 2.1]], [[1.0, 2.0]], r"[0][1]: 2.1, expected 2.0"),
        ([1.0], [1.0, 2.0], "[1.0], expected 2 entries"),
        (1.0, [1.0], "1.0, expected 1 entries"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ".a.b: 1, expected 2"),
        ({"a": {}}, {"a": {"b": 2}}, ".a.b is missing"),
        (3.0, {"a": 1}, "3.0, expected a mapping"),
        (math.nan, 1.0, "nan, expected 1.0"),
        (math.inf, -math.inf, "inf, expected -inf"),
        (1e-8, 0.0, "1e-08, expected 0.0"),
        (None, 1.0, "None, expected 1.0"),
        ("no", "yes", "'no', expected 'yes'"),
    ],
)
def test_unequal(seen: Any, expected: Any, place: str) -> None:
    assert compare_case({"name": "x", "expected": {"k": expected}}, {"k": seen}) == {"x/k": place}
