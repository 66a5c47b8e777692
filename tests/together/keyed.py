"""A tracker that needs a key, and a look for the key in files."""

from __future__ import annotations

from pathlib import Path

SECRET = "hunter2hunter2"
TRACKER = """
import logging
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl
from prefrun.tracker import Tracker


@dataclass
class KeyedConfig:
    api_key: str | None = None
    url: str | None = None
    fails: bool = False


class Keyed(Tracker):
    def start(self, run):
        assert self.config.api_key == "hunter2hunter2"
        assert "hunter2hunter2" not in repr(run)
        logging.getLogger("keyed").warning("logged in with api_key=%s", self.config.api_key)
        if self.config.fails:
            raise RuntimeError(f"refused: api_key={self.config.api_key}")


@hookimpl
def prefrun_components():
    return [Component("tracker", "keyed", KeyedConfig, "prefrun_keyed:Keyed", "needs a key")]


@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_keyed")
"""
YAML = "defaults:\n  - /schema/tracker/keyed@_here_\n  - _self_\n"
KEYED = (
    "tracker=keyed",
    f"tracker.api_key={SECRET}",
    f"tracker.url=https://me:{SECRET}@example.org",
)


def leaks(folder: Path) -> list[str]:
    """The files of FOLDER that hold the secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    texts = {path: path.read_text(errors="replace") for path in files}
    return [
        f"{path}: {text[: text.index(SECRET)][-90:]}"
        for path, text in texts.items()
        if SECRET in text
    ]
