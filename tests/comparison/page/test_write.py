"""report.html as a file: self-contained, safe against its own texts, bounded."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from prefrun.comparison.compare import compare
from prefrun.comparison.page.write import embedded, to_html, write_page
from prefrun.errors import PrefrunError


class Reader(HTMLParser):
    """Collects elements and the data blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.blocks: list[str] = []
        self._in_block = False

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.append(tag)
        self.links += [value for name, value in named.items() if name in ("src", "href")]
        self._in_block = named.get("type") == "application/json"

    def handle_endtag(self, tag):
        self._in_block = False

    def handle_data(self, data):
        if self._in_block:
            self.blocks.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_hostile_texts_stay_data(comparison, sweep):
    reader = read(to_html(comparison, sweep))
    assert "img" not in reader.tags
    assert reader.tags.count("script") == 5
    records = json.loads(reader.blocks[2])
    assert any("</script><!--<img" in text for text in records["texts"])


def test_nothing_comes_from_elsewhere(comparison, sweep):
    text = to_html(comparison, sweep)
    assert all(link.startswith("#") for link in read(text).links)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_a_text_that_is_no_unicode_does_not_stop_the_page(result, tmp_path):
    runs = [result({"kl": 1.0}, data__name=name) for name in ("half \ud83d", "whole")]
    assert "half ?" in write_page(compare(runs), tmp_path).read_text(encoding="utf-8")


def test_numbers_that_are_not_finite_never_reach_the_page():
    with pytest.raises(ValueError, match="Out of range float"):
        embedded([float("nan")])


def test_without_a_finished_run_there_is_still_a_page(result, tmp_path):
    page = write_page(compare([result(None, error="boom")]), tmp_path)
    assert "boom" in page.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_named(comparison, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PrefrunError, match="file"):
        write_page(comparison, tmp_path / "file")


def test_a_title_is_text(comparison, sweep):
    folder = sweep.parent / "<b>bold & brave"
    assert "<h1>&lt;b&gt;bold &amp; brave</h1>" in to_html(comparison, folder)
