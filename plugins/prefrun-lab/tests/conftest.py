"""The components of `toy_words` as if they were installed, and a cache folder of the test's own."""

import sys
from pathlib import Path

import pytest

from prefrun.plugins import components

sys.path.insert(0, str(Path(__file__).parent))

from toy_words import COMPONENTS


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    known = {**components(), **COMPONENTS}
    monkeypatch.setattr("prefrun_lab.corpus.components", lambda: known)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
