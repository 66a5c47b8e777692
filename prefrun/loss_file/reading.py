"""Reads a file that holds one loss function."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from prefrun.errors import ConfigError, PluginError
from prefrun.loss_file.pointing import at_line, where
from prefrun.rundir.files import write_atomically

SUFFIX = ".py"


@dataclass(frozen=True, slots=True)
class LossFile:
    """A file's content and the function in it."""

    path: Path
    content: bytes
    module: ModuleType
    function: Callable[..., Any]

    @property
    def sha256(self) -> str:
        """12 hex digits of the content."""
        return _digest(self.content)

    @property
    def line(self) -> int:
        """Where the function begins."""
        return self.function.__code__.co_firstlineno

    def keep_in(self, folder: Path) -> None:
        """Write a copy into FOLDER: what a resumed or repeated run is made from."""
        write_atomically(folder / self.path.name, self.content)


def read_loss_file(path: Path) -> LossFile:
    """Run the file at PATH, an absolute one, and return the one public function it defines.

    Raises ConfigError where PATH cannot be read, PluginError, naming the line, where its code fails
    or it defines none or several.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", path.name):
        raise ConfigError(
            f"algo={path}: the file's name may hold letters, digits, '_', '-' and '.' only\n"
            "  remedy: rename the file"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"algo={path} cannot be read: {error.strerror}") from error
    module = _run(path, content)
    functions = [
        value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    if not functions:
        raise PluginError(f"{path} defines no function: a loss is `def my_loss(batch, ...)`")
    if len(functions) > 1:
        names = ", ".join(function.__name__ for function in functions)
        line = functions[1].__code__.co_firstlineno
        problem = f"the file defines several functions ({names}); one of them is the loss"
        raise PluginError(
            f"{at_line(path, line, problem)}\n  remedy: let the names of the others begin with '_'"
        )
    return LossFile(path, content, module, functions[0])


def _run(path: Path, content: bytes) -> ModuleType:
    """Return the module, under a name that holds the content's hash, so that runs know the code."""
    name = re.sub(r"\W", "_", f"prefrun_loss_{path.stem}_{_digest(content)}")
    module = ModuleType(name)
    module.__file__, module.__spec__ = str(path), ModuleSpec(name, None)
    sys.modules[name] = module
    try:
        exec(compile(content, str(path), "exec", dont_inherit=True), vars(module))
    except Exception as error:
        del sys.modules[name]
        raise PluginError(where(error, path)) from error
    return module


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
