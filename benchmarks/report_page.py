"""Times how fast report.html opens in headless Chromium.

    python -m benchmarks.report_page --runs 1000 --metrics 50

Writes that many runs with random numbers, compares them, opens the page several times. One JSON
object comes last: seconds until the page is ready (DOMContentLoaded) and until the first row is on
the screen, median and worst, megabytes of the page, seconds to write it. Needs chromium,
chromedriver and selenium.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from prefrun.comparison.compare import compare
from prefrun.comparison.page.write import write_page
from prefrun.comparison.runs import load_runs
from tests.comparison.page.browser import chromium, why_not
from tests.rundir.fake_run import write_run

STEPS, RECORDS, ANSWERS = 50, 64, 4
READY = "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#results tbody tr")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.rowPainted = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""
"""Runs before the page's own script and notes when the first frame with a row is on the screen."""


def main() -> int:
    """Write the runs, open their page and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--metrics", type=int, default=50)
    parser.add_argument("--opened", type=int, default=5)
    arguments = parser.parse_args()
    reason = why_not()
    if reason:
        parser.error(reason)
    with tempfile.TemporaryDirectory() as folder:
        _write_runs(Path(folder), arguments.runs, arguments.metrics)
        comparison = compare(load_runs([folder]))
        begun = time.perf_counter()
        page = write_page(comparison, Path(folder))
        seconds = time.perf_counter() - begun
        times = _open(page, arguments.opened)
        size = page.stat().st_size / 1e6
    ready, painted = zip(*times, strict=True)
    result = {
        "runs": arguments.runs,
        "metrics": arguments.metrics,
        "ready_s": {"median": median(ready), "worst": max(ready)},
        "painted_s": {"median": median(painted), "worst": max(painted)},
        "page_mb": round(size, 1),
        "write_s": round(seconds, 1),
    }
    print(json.dumps(result))
    return 0


def _write_runs(folder: Path, runs: int, metrics: int) -> None:
    draw = random.Random(0)
    for number in range(runs):
        after = {f"metric_{place}": draw.random() for place in range(metrics)}
        write_run(
            folder / str(number),
            after,
            before=dict.fromkeys(after, 0.5),
            trainer__learning_rate=(number + 1) * 1e-6,
            per_record={"metric_0": [draw.random() for _ in range(RECORDS)]},
            lines=[_line(step, metrics, draw) for step in range(1, STEPS + 1)],
            samples=[_sample(place, number, draw) for place in range(RECORDS)],
        )


def _line(step: int, metrics: int, draw: random.Random) -> dict[str, float]:
    return {"step": step} | {f"logged_{place}": draw.random() / step for place in range(metrics)}


def _sample(place: int, run: int, draw: random.Random) -> dict[str, Any]:
    return {
        "id": f"record-{place}",
        "prompt": f"Prompt {place}: " + "word " * 40,
        "response": f"Answer of run {run}: " + "text " * 30,
        "reward": draw.random(),
        "answers": [
            {"text": f"answer {number} " * 20, "score": number, "log_ratio": draw.gauss(0, 3)}
            for number in range(ANSWERS)
        ],
    }


def _open(page: Path, count: int) -> list[tuple[float, float]]:
    from selenium.webdriver.support.ui import WebDriverWait

    times = []
    for _ in range(count):
        with chromium() as driver:  # a fresh browser, so that nothing is cached
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            driver.get(page.as_uri())
            painted = WebDriverWait(driver, 60).until(
                lambda driver: driver.execute_script("return window.rowPainted")
            )
            times.append((driver.execute_script(READY) / 1000, painted / 1000))
    return times


if __name__ == "__main__":
    raise SystemExit(main())
