"""The site: the reference has what is installed, and no built page loads anything from a network.

`nox -s docs` builds the site and says where it is in PREFRUN_SITE.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefrun.cli import COMMANDS
from prefrun.commands.fields import all_keys_of
from prefrun.component import GROUPS
from prefrun.plugins import components
from prefrun.schema import RunConfig
from tests.comparison.page.browser import chromium, why_not

ROOT = Path(__file__).parents[1]
SITE = os.environ.get("PREFRUN_SITE")
built = pytest.mark.skipif(not SITE, reason="PREFRUN_SITE names no built site: `nox -s docs` does")


def hook(name: str) -> Any:
    """Load a file of mkdocs.yml's `hooks`, as mkdocs does."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = hook("reference_pages")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The Markdown of the generated pages."""
    made: dict[str, str] = REFERENCE.pages()
    return made


def rows(page: str) -> dict[str, list[str]]:
    """The tables' rows of keys, by key."""
    found = (line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `"))
    return {cells[0].strip("`"): cells[1:] for cells in found}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_a_page_with_every_component_its_card_and_its_keys(pages, group):
    page = pages[f"reference/{group}.md"]
    for (owner, name), component in components().items():
        if owner == group:
            assert f"\n## {group}={name} {{ #{name} }}\n" in page
            assert f"[`{name}`](#{name})" in page
            names = {f"{component.prefix}.{key.name}" for key in all_keys_of(component.config)}
            assert names <= set(rows(page))
    assert all(meaning for *_, meaning in rows(page).values())


def test_every_key_of_a_run_has_its_default_and_a_meaning(pages):
    found = rows(pages["reference/run.md"])
    assert list(found) == sorted((k.name for k in all_keys_of(RunConfig)), key=lambda n: "." in n)
    assert found["trainer.max_steps"][1] == "`100`"
    assert found["reward"][1] == "`data`"
    assert all(meaning for *_, meaning in found.values())


def test_the_command_line_has_every_command_with_its_help(pages):
    page = pages["reference/command-line.md"]
    assert set(re.findall(r"^## prefrun (\w+)$", page, re.MULTILINE)) == set(COMMANDS)
    assert "prefrun algo=NAME data=NAME" in page
    assert set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE)) == {"0", "1", "2", "130"}


@pytest.mark.parametrize("module", REFERENCE.API)
def test_a_public_module_has_a_page(pages, module):
    assert importlib.import_module(module).__doc__
    assert pages[f"reference/api/{module}.md"].endswith(f"\n::: {module}\n")


def test_the_navigation_leads_to_every_page(pages):
    config = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r": (\S+\.md)$", config, re.MULTILINE))
    own = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    readmes = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("plugins/*/README.md")}
    assert named == {*pages, *own, *readmes}
    assert yaml.safe_load(config)["theme"]["font"] is False


def test_a_link_between_page_and_readme_is_that_of_the_site():
    class File:
        src_uri = "guides/scaling.md"

    class Page:
        file = File()

    rewrite = partial(hook("readme_pages").on_page_markdown, page=Page())
    link = "[x](../../plugins/prefrun-optuna/README.md#a)"
    assert rewrite(link) == "[x](../plugins/prefrun-optuna/README.md#a)"
    File.src_uri = "plugins/prefrun-launchers/README.md"
    assert rewrite("[x](../../docs/guides/scaling.md)") == "[x](../../guides/scaling.md)"


class Loaded(HTMLParser):
    """Collects what a browser fetches by itself to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [
            given[name] or "" for name in ("src", "srcset", "poster") if name in given
        ]
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(given.get("href") or "")
        self.addresses += re.findall(r"url\(([^)]*)\)", given.get("style") or "")


def is_remote(address: str) -> bool:
    return re.match(r"""['"]?(https?:)?//""", address) is not None


@built
def test_no_page_and_no_style_names_anything_of_a_network_to_load():
    site = Path(SITE or "")
    remote = {}
    for path in site.rglob("*.html"):
        parser = Loaded()
        parser.feed(path.read_text())
        assert parser.addresses
        remote[path] = list(filter(is_remote, parser.addresses))
    for path in site.rglob("*.css"):
        named = re.findall(r"(?:url\(|@import\s+)([^);]*)", path.read_text())
        remote[path] = list(filter(is_remote, named))
    assert not {path: named for path, named in remote.items() if named}


SENT = "Network.requestWillBeSent"


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where the built site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join(60)
    server.server_close()


@built
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_the_search_finds_a_loss_and_the_console_stays_empty(address):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    with chromium() as page:
        page.get(address)
        page.find_element(By.CSS_SELECTOR, ".md-search__input").send_keys("lambda_scale")
        links = "a.md-search-result__link"
        found = WebDriverWait(page, 60).until(lambda p: p.find_elements(By.CSS_SELECTOR, links))
        assert any("/reference/algo/" in link.get_attribute("href") for link in found)
        logged = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
        asked = [each["params"]["request"]["url"] for each in logged if each["method"] == SENT]
        assert f"{address}search/search_index.json" in asked
        local = (address, "data:", "blob:", "chrome:")  # the last: the empty tab it begins with
        assert not [url for url in asked if not url.startswith(local)]
        assert page.get_log("browser") == []
