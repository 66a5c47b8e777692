"""Makes the config dataclass of a loss function from its parameters."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, get_origin, get_type_hints

from prefrun.errors import ConfigError, PluginError
from prefrun.loss_file.pointing import at_line
from prefrun.loss_file.reading import LossFile

CONTENT = "sha256"
"""Key that every loss file has, so that results of other content are told apart."""
REQUIRED = "???"
EXAMPLE = "  remedy: for example `def my_loss(batch, beta: float = 0.1)`"


def config_class(file: LossFile, name: str, module: str) -> type:
    """Return the dataclass NAME of MODULE: a key for each parameter but the first, the batch.

    Raises PluginError, naming the line, for a parameter that cannot be a key.
    """
    parameters = list(inspect.signature(file.function).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    if not parameters or parameters[0].kind not in positional:
        problem = f"{file.function.__name__} takes no batch as its first parameter"
        raise PluginError(f"{at_line(file.path, file.line, problem)}\n{EXAMPLE}")
    fields = [_field(file, parameter) for parameter in parameters[1:]]
    text = {"text": "Of the file's content; no key to set."}
    fields.append((CONTENT, str, dataclasses.field(default=file.sha256, metadata=text)))

    def check(config: Any) -> None:
        """Refuse settings that were made for other content."""
        if config.sha256 != file.sha256:
            raise ConfigError(
                f"{file.path} has changed: its sha256 is {file.sha256}, not {config.sha256}\n"
                "  remedy: restore the file, or begin a new run with `prefrun algo=FILE`"
            )

    made = dataclasses.make_dataclass(name, fields, namespace={"__post_init__": check})
    made.__module__ = module
    return made


def settings_of(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parameters in CONFIG, by name."""
    for field in dataclasses.fields(config):
        if field.name != CONTENT:
            yield field.name, getattr(config, field.name)


def _field(file: LossFile, parameter: inspect.Parameter) -> tuple[str, Any, Any]:
    name = parameter.name
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise _refused(file, name, "is no named parameter with one value")
    if name == CONTENT:
        raise _refused(file, name, "is a name that prefrun uses itself")
    if parameter.annotation is parameter.empty:
        raise _refused(file, name, "has no type hint")
    try:
        hint, text = _hint(file, parameter)
    except Exception as error:
        raise _refused(file, name, f"has a type hint that cannot be read: {error}") from error
    default: Any = REQUIRED if parameter.default is parameter.empty else parameter.default
    metadata = {"text": text}
    if isinstance(default, list | dict | set):
        make_default = partial(copy.deepcopy, default)
        made = dataclasses.field(default_factory=make_default, metadata=metadata)
    else:
        made = dataclasses.field(default=default, metadata=metadata)
    _check(file, name, hint, made)
    return name, hint, made


def _hint(file: LossFile, parameter: inspect.Parameter) -> tuple[Any, str]:
    """Return the hint, and the text of `Annotated[hint, "text"]`.

    It is evaluated alone: that of the batch may be imported for type checkers only.
    """
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    hints = get_type_hints(holder, globalns=vars(file.module), include_extras=True)
    hint = hints[parameter.name]
    if get_origin(hint) is not Annotated:
        return hint, ""
    texts = [extra for extra in hint.__metadata__ if isinstance(extra, str)]
    return hint.__origin__, " ".join(texts)


def _check(file: LossFile, name: str, hint: Any, field: Any) -> None:
    """Let OmegaConf say whether it can hold such a value."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        alone = dataclasses.make_dataclass("Alone", [(name, hint, copy.copy(field))])
        OmegaConf.structured(alone)
    except (OmegaConfBaseException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise _refused(file, name, f"cannot be a key of the configuration: {reason}") from error


def _refused(file: LossFile, name: str, problem: str) -> PluginError:
    line = next(
        (
            node.lineno
            for node in ast.walk(ast.parse(file.content))
            if isinstance(node, ast.arg) and node.arg == name and node.lineno >= file.line
        ),
        file.line,
    )
    text = at_line(file.path, line, f"parameter '{name}' {problem}")
    return PluginError(
        f"{text}\n  remedy: give it a hint such as int, float, bool, str, an Enum, `float | None` "
        "or list[float], and a default that fits"
    )
