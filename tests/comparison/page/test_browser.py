"""report.html in a real browser, as a reader uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefrun.comparison.compare import compare
from prefrun.comparison.page.write import write_page
from prefrun.comparison.runs import RunResult

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

Browse = Callable[[Path], Any]


@pytest.fixture
def page(comparison: Any, sweep: Path, browse: Browse) -> Any:
    """The small sweep's page, open."""
    return browse(write_page(comparison, sweep))


def find(page: Any, css: str) -> Any:
    return page.find_element(By.CSS_SELECTOR, css)


def texts(page: Any, css: str) -> list[str]:
    return [item.text for item in page.find_elements(By.CSS_SELECTOR, css)]


def names(page: Any) -> list[str]:
    """The configurations in the order of the table, shortened to what tells them apart."""
    found = texts(page, "#results tbody th .expand")
    return ["odd" if "0.7" in text else text.split()[0] for text in found]


def head(page: Any, name: str) -> Any:
    heads = page.find_elements(By.CSS_SELECTOR, "#results thead button")
    return next(item for item in heads if item.text.startswith(name))


def aria_sort(page: Any, name: str) -> str:
    return head(page, name).find_element(By.XPATH, "..").get_attribute("aria-sort")


def show(page: Any, section: str) -> Any:
    """Scroll to SECTION and wait until it is drawn."""
    page.execute_script(f"document.getElementById('{section}').scrollIntoView()")
    return WebDriverWait(page, 20).until(lambda page: find(page, f"#{section} .body > *"))


def choose(page: Any, section: str, label: str, value: str) -> None:
    path = f"//section[@id='{section}']//label[starts-with(normalize-space(), '{label}')]//select"
    Select(page.find_element(By.XPATH, path)).select_by_value(value)


def test_the_head_counts(page):
    assert find(page, "h1").text == "sweep"
    assert "3 configurations · 5 runs · 3 metrics · 1 unfinished" in find(page, "#counts").text
    assert "boom" in find(page, "#unfinished").text


def test_the_table_sorts_both_ways_and_puts_missing_values_last(page):
    assert names(page) == ["algo=dpo", "algo=lipo", "odd"]  # by reward, its first metric
    assert aria_sort(page, "reward") == "descending"
    head(page, "reward").click()
    assert names(page) == ["odd", "algo=lipo", "algo=dpo"]
    assert aria_sort(page, "reward") == "ascending"
    head(page, "kl").click()
    assert names(page) == ["algo=lipo", "algo=dpo", "odd"]
    assert aria_sort(page, "reward") == "none"
    head(page, "kl").click()
    assert names(page) == ["algo=dpo", "algo=lipo", "odd"]


def test_sorting_is_stable_and_works_from_the_keyboard(page):
    head(page, "kl").click()
    button = head(page, "seeds")
    button.send_keys(Keys.ENTER)
    assert aria_sort(page, "seeds") == "descending"
    assert names(page) == ["algo=lipo", "algo=dpo", "odd"]  # equal seeds keep the order by KL
    assert page.switch_to.active_element.text.startswith("seeds")
    page.switch_to.active_element.send_keys(Keys.SPACE)
    assert names(page) == ["odd", "algo=lipo", "algo=dpo"]


def test_the_filter_keeps_rows_with_all_words(page):
    box = find(page, "#filter")
    box.send_keys("DPO 0.7")
    assert names(page) == ["odd"]
    assert find(page, "#shown").text == "1 of 1 configuration shown, 3 in all"
    box.clear()
    box.send_keys("nothing")
    assert names(page) == []


def test_columns_are_chosen(page):
    find(page, "#columns summary").click()
    boxes = page.find_elements(By.CSS_SELECTOR, "#columns label")
    next(box for box in boxes if box.text == "kl").click()
    heads = texts(page, "#results thead button")
    assert not any(text.startswith("kl") for text in heads)
    assert any(text.startswith("reward") for text in heads)


def test_the_best_is_bold_and_a_row_opens_to_runs_and_tests(page):
    assert "0.830 ± 0.010" in texts(page, "#results tbody strong")
    button = find(page, "#results .expand")
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    runs, tests = page.find_elements(By.CSS_SELECTOR, "#results .detail table")
    assert [link.get_dom_attribute("href") for link in runs.find_elements(By.TAG_NAME, "a")] == [
        "./3/",
        "./4/",
    ]
    assert "finished" in runs.text
    assert "+0.115" in tests.text
    assert "2 seeds" in tests.text
    assert "p after Holm" in tests.text
    button.click()
    assert not page.find_elements(By.CSS_SELECTOR, "#results .detail")


def test_costs_the_pareto_front_and_the_choice_of_validation_are_marked(page):
    assert texts(page, "#results thead button")[-2:] == ["seconds", "tokens"]
    assert "2M" in texts(page, "#results tbody tr:first-child td")
    marks = page.find_elements(By.CSS_SELECTOR, "#results .mark")
    words = {mark.get_attribute("aria-label") for mark in marks}
    assert words == {
        "chosen on the validation half",
        "on the Pareto front of this metric and seconds",
    }
    head(page, "seconds").click()
    assert names(page) == ["algo=lipo", "algo=dpo", "odd"]  # cheapest first


def test_curves_are_drawn_and_lines_can_be_hidden(page):
    show(page, "curves")
    assert len(page.find_elements(By.CSS_SELECTOR, "#curves .chart .line")) == 2
    assert len(page.find_elements(By.CSS_SELECTOR, "#curves .band")) == 2
    find(page, "#curves .lines input").click()
    assert len(page.find_elements(By.CSS_SELECTOR, "#curves .chart .line")) == 1
    choose(page, "curves", "Band", "none")
    choose(page, "curves", "Metric", "1")
    assert not page.find_elements(By.CSS_SELECTOR, "#curves .band")
    assert "margin" in texts(page, "#curves .chart .label")


def test_the_frontier_shows_reward_against_kl_and_any_other_pair(page):
    show(page, "frontier")
    axes = texts(page, "#frontier .label")
    assert axes == ["KL to the starting model (nats per answer)", "reward (score) ↑"]
    assert len(page.find_elements(By.CSS_SELECTOR, "#frontier .point")) == 2
    assert len(page.find_elements(By.CSS_SELECTOR, "#frontier .point.best")) == 2
    assert find(page, "#frontier path.front")
    assert "before training" in texts(page, "#frontier .name")
    choose(page, "frontier", "Up", "2")
    assert len(page.find_elements(By.CSS_SELECTOR, "#frontier .point.best")) == 1  # dpo is beaten


def test_a_record_shows_prompt_answers_and_implied_rewards(page):
    show(page, "records")
    find(page, "#records [data-record='1']").click()
    record = find(page, "#records .record").text
    assert "Prompt number 1." in record
    for part in ("lipo says 1", "dpo says 1", "as before", "answer 2 of 1", "+2.000 #1"):
        assert part in record


def test_where_two_configurations_disagree(page):
    show(page, "records")
    find(page, "#disagree").click()
    assert texts(page, "#records .amount") == ["1.000", "0.333"]  # orders: reversed, one pair
    assert "Prompt number 1." in find(page, "#records blockquote").text
    choose(page, "records", "Compare by", "sampled")
    assert texts(page, "#records .amount") == ["2.000", "0.500"]
    choose(
        page,
        "records",
        "B",
        Select(find(page, "#records select")).first_selected_option.get_attribute("value"),
    )
    assert "disagree nowhere" in find(page, "#records .record-list").text


def test_the_diff_shows_only_keys_that_differ(page):
    show(page, "diff")
    keys = texts(page, "#diff tbody th")
    assert {"algo", "algo.beta", "algo.loss", "algo.label_smoothing"} == set(keys)
    choose(page, "diff", "B", "2")
    assert {"algo.beta", "data.source"} == set(texts(page, "#diff tbody th"))


def test_hostile_texts_are_shown_as_text_and_nothing_is_requested(page):
    for section in ("curves", "frontier", "records", "diff"):
        show(page, section)
    assert page.execute_script("return window.hacked === undefined")
    assert not page.find_elements(By.TAG_NAME, "img")
    assert "<img src=x" in find(page, "#records blockquote").text
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requests = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.endswith("/report.html")] == []


def test_a_page_without_a_result_says_so(result, tmp_path, browse):
    page = browse(write_page(compare([result(None, error="boom")]), tmp_path))
    assert "No run has finished" in find(page, "#results").text
    assert "boom" in find(page, "#unfinished").text
    for section in ("curves", "frontier", "records", "diff"):
        show(page, section)


def test_a_thousand_runs_are_drawn_bit_by_bit(tmp_path, browse):
    metrics = [f"metric_{number}" for number in range(50)]
    runs = [
        RunResult(
            tmp_path / str(number),
            seed=1,
            choices={"algo": "lipo"},
            config={"algo": {"beta": number}},
            fingerprint="f",
            after={name: (number * place) % 997 / 997 for place, name in enumerate(metrics)},
            directions=dict.fromkeys(metrics, "max"),
        )
        for number in range(1000)
    ]
    path = write_page(compare(runs), tmp_path)
    assert path.stat().st_size < 20e6
    page = browse(path)
    assert len(page.find_elements(By.CSS_SELECTOR, "#results tbody tr")) == 100
    assert find(page, "#shown").text == "100 of 1,000 configurations shown"
    assert find(page, "#columns summary").text == "Columns: 12 of 50"
    assert not page.find_elements(By.CSS_SELECTOR, "#diff .body > *")
    page.execute_script("document.querySelector('#more').scrollIntoView()")
    WebDriverWait(page, 20).until(lambda page: len(names(page)) > 100)
