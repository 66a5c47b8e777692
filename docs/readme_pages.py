"""Makes a page of every plugin's README, with its pictures, as mkdocs builds.

In the repository a page and a README link to each other by their paths there; on the site both are
below the same folder, so one step is taken out of such links.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PLUGINS = Path(__file__).parents[1] / "plugins"
TO_PLUGIN = re.compile(r"\]\(((?:\.\./)*)\.\./plugins/")
TO_DOCUMENT = re.compile(r"\]\(\.\./\.\./docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README and pictures of every plugin to FILES, at plugins/NAME/."""
    from mkdocs.structure.files import File

    for readme in sorted(PLUGINS.glob("*/README.md")):
        for path in [readme, *sorted(readme.parent.glob("*/*.png"))]:
            place = path.relative_to(PLUGINS.parent).as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, **_: Any) -> str:
    """Return the text of PAGE with links as they are on the site."""
    if page.file.src_uri.startswith("plugins/"):
        return TO_DOCUMENT.sub("](../../", markdown)
    return TO_PLUGIN.sub(r"](\1plugins/", markdown)
