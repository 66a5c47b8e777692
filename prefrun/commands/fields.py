"""Reads the keys of a config dataclass: name, type, default and the docstring below each field."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from dataclasses import dataclass
from itertools import pairwise

from prefrun.nested_keys import declared_groups


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a component's configuration."""

    name: str
    type: str
    default: str
    text: str
    """The docstring line below the field, or an empty string."""
    nested: str = ""
    """The group of the component that the key takes; '' if it takes a value."""


def keys_of(config: type) -> list[Key]:
    """List the keys of dataclass CONFIG in order."""
    texts, groups = _docstrings(config), declared_groups(config)
    return [
        Key(
            field.name,
            _type_name(field),
            _default(field),
            field.metadata.get("text") or texts.get(field.name, ""),
            groups.get(field.name, ""),
        )
        for field in dataclasses.fields(config)
    ]


def all_keys_of(config: type) -> list[Key]:
    """List the keys of dataclass CONFIG and of the dataclasses inside it, as 'lora.rank'."""
    found = []
    for key, field in zip(keys_of(config), dataclasses.fields(config), strict=True):
        inner: object = field.default_factory
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            found += [
                dataclasses.replace(each, name=f"{key.name}.{each.name}")
                for each in all_keys_of(inner)
            ]
        else:
            found.append(key)
    return found


def _docstrings(config: type) -> dict[str, str]:
    texts: dict[str, str] = {}
    for owner in reversed(config.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        try:
            source = inspect.getsource(owner)
        except OSError:  # made from the parameters of a function
            continue
        tree = ast.parse(textwrap.dedent(source))
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for before, after in pairwise(body):
            if (
                isinstance(before, ast.AnnAssign)
                and isinstance(before.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                texts[before.target.id] = " ".join(str(after.value.value).split())
    return texts


def _type_name(field: dataclasses.Field[object]) -> str:
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        value = getattr(field.default, "name", field.default)
        return "required" if value == "???" else "null" if value is None else str(value)
    if field.default_factory is not dataclasses.MISSING:
        return str(field.default_factory())
    return "required"
