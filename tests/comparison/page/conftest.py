"""Fixtures for tests of the page: a small sweep, its comparison, an open browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefrun.comparison.compare import Comparison, compare
from prefrun.comparison.runs import load_runs
from tests.comparison.page.browser import chromium, why_not
from tests.rundir.fake_run import write_run

HOSTILE = '</script><!--<img src=x onerror="window.hacked=1">`\\u2028\u2028{{style}}'


def sample(number: int, response: str, reward: float, ratios: list[float]) -> dict[str, Any]:
    """A line of samples.jsonl."""
    answers = [
        {"text": f"answer {place} of {number}", "score": float(-place), "log_ratio": ratio}
        for place, ratio in enumerate(ratios)
    ]
    return {
        "id": f"record-{number}",
        "prompt": f"Prompt number {number}. {HOSTILE}",
        "response": response,
        "reward": reward,
        "baseline_response": "as before",
        "baseline_reward": 0.5,
        "answers": answers,
    }


def lines(offset: float) -> list[dict[str, float]]:
    """Steps 2, 4, ..., 20 with a falling loss."""
    return [{"step": step, "loss": offset + 1 / step, "margin": step} for step in range(2, 21, 2)]


def write_sweep(folder: Path) -> Path:
    """Three configurations, two of two seeds; a failed run; hostile texts."""
    for seed in (1, 2):
        write_run(
            folder / str(seed),
            {"reward": 0.7 + 0.01 * seed, "kl": 2.0, "win_rate": 0.6},
            before={"reward": 0.5, "kl": 0.0, "win_rate": 0.5},
            cost={"seconds": 30.0 + seed, "tokens": 2e6},
            seed=seed,
            per_record={"win_rate": [1.0, 0.0, 0.5]},
            lines=lines(0.1 * seed),
            samples=[sample(number, f"lipo says {number}", 1.0, [2, 1, 0]) for number in range(3)],
        )
        write_run(
            folder / str(seed + 2),
            {"reward": 0.8 + 0.02 * seed, "kl": 4.0, "win_rate": 0.4},
            before={"reward": 0.5, "kl": 0.0, "win_rate": 0.5},
            algo="dpo",
            cost={"seconds": 50.0 + seed, "tokens": 2e6},
            seed=seed,
            per_record={"win_rate": [1.0, 1.0, 0.5]},
            lines=lines(0.3 * seed),
            samples=[
                sample(0, "dpo says 0", 1.0, [2, 1, 0]),
                sample(1, "dpo says 1", 3.0, [0, 1, 2]),
                sample(2, "dpo says 2", 1.5, [1, 2, 0]),
            ],
        )
    write_run(folder / "5", {"reward": 0.1}, algo="dpo", data__source=HOSTILE, algo__beta=0.7)
    write_run(folder / "6", None, algo="dpo", seed=3, error=f"boom {HOSTILE}")
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """The folder of a small sweep."""
    return write_sweep(tmp_path / "sweep")


@pytest.fixture
def comparison(sweep: Path) -> Comparison:
    """Its comparison."""
    return compare(load_runs([sweep]))


@pytest.fixture(scope="session")
def _browser() -> Iterator[Any]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with chromium() as driver:
        yield driver


@pytest.fixture
def browse(_browser: Any) -> Iterator[Callable[[Path], Any]]:
    """Return `browse(path)`: a driver with that page open. Its console must stay silent."""
    _browser.get_log("browser"), _browser.get_log("performance")

    def browse(path: Path) -> Any:
        _browser.get(path.as_uri())
        return _browser

    yield browse
    assert _browser.get_log("browser") == []
