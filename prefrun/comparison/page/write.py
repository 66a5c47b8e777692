"""Puts the page together: one HTML file with its style, script and data inside."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from prefrun.comparison.compare import Comparison
from prefrun.comparison.page.curves import curves_payload
from prefrun.comparison.page.records import records_payload
from prefrun.comparison.page.settings import settings_payload
from prefrun.comparison.page.table import table_payload
from prefrun.rundir.files import write_atomically

NAME = "report.html"
ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "core",
    "chart",
    "table",
    "detail",
    "results",
    "curves",
    "frontier",
    "disagreement",
    "records",
    "diff",
    "main",
)
"""One after the other: a script uses only what those before it define."""


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write report.html into FOLDER and return its path. The page asks no network for anything.

    Raises PrefrunError where it cannot be written.
    """
    path = folder / NAME
    write_atomically(path, to_html(comparison, folder))
    return path


def to_html(comparison: Comparison, folder: Path) -> str:
    """Return the page; links to run directories are relative to FOLDER."""
    payloads = {
        "table": table_payload(comparison, folder),
        "curves": curves_payload(comparison.rows),
        "records": records_payload(comparison.rows),
        "settings": settings_payload(comparison.rows),
    }
    style = _asset("style.css")
    script = '"use strict";\n' + "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    parts = {
        "title": html.escape(folder.resolve().name),
        "policy": "; ".join(
            ("default-src 'none'", f"style-src {_digest(style)}", f"script-src {_digest(script)}")
        ),
        "style": style,
        "script": script,
        "data": "\n".join(
            f'<script type="application/json" id="data-{name}">{embedded(payload)}</script>'
            for name, payload in payloads.items()
        ),
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("page.html"))
    return page.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be written


def embedded(payload: object) -> str:
    """Return PAYLOAD as JSON that can end no script element, whatever texts it holds."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _digest(text: str) -> str:
    """Return the content security policy's name for the inline TEXT; no other may run."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
