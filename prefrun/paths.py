"""Where a package keeps its conf/ folder, installed or editable."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from prefrun.errors import PluginError


def conf_dir(package: str) -> Path:
    """Return the conf/ folder of PACKAGE: inside the package in a wheel, beside it in a checkout.

    Raises PluginError where neither exists. Does not import the package.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"'{package}' is not an importable package, so it has no conf/ folder")
    root = Path(next(iter(spec.submodule_search_locations)))
    for folder in (root / "conf", root.parent / "conf"):
        if folder.is_dir():
            return folder
    raise PluginError(f"'{package}' has no conf/ folder: looked in {root} and {root.parent}")
