"""Whether a plugin was written for the hooks that this prefrun has, found out before it runs."""

from __future__ import annotations

import ast
from importlib.util import find_spec

from prefrun import hookspecs
from prefrun.errors import PluginError

DECLARATION = "prefrun_api"


def check_api(module: str) -> None:
    """Raise PluginError where MODULE asks for a newer API. It is read, not imported: it may fail.

    Raises PluginError, too, where the declaration is no plain whole number.
    """
    spec = find_spec(module)
    get_source = getattr(spec.loader, "get_source", None) if spec else None
    source = (get_source(module) if get_source else None) or ""
    if DECLARATION not in source:
        return
    needed = _declared(ast.parse(source, spec.origin or module if spec else module))
    if needed is not None and needed > hookspecs.API:
        raise PluginError(f"needs prefrun API {needed}, this is {hookspecs.API}: upgrade prefrun")


def _declared(tree: ast.Module) -> int | None:
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if any(isinstance(each, ast.Name) and each.id == DECLARATION for each in targets):
            value = statement.value
            if isinstance(value, ast.Constant) and type(value.value) is int:
                return value.value
            raise PluginError(f"{DECLARATION} must be a plain whole number, such as 1")
    return None
