"""What is at the paths of a configuration, by content, without loading a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from prefrun.digest import file_digest, joint_digest
from prefrun.path_keys import Holds, PathKey, adapter_base

WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model*.bin", "*.gguf")
TOKENIZER = (
    "*token*.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "chat_template*",
    "additional_chat_templates/*",
)
SETTINGS = ("*.json",)
OF_TRAINING = ("trainer_state.json",)
"""Files of a checkpoint that no model is loaded from."""
ADAPTER = "adapter_config.json"
UNKNOWN = "unknown"
"""Content that cannot be seen from here; loading it says why."""

Content = Mapping[str, str]
"""Digest, or the commit on the hub, by part, such as 'weights'."""


def content_of(key: PathKey, kept_in: Path | None = None) -> Content:
    """Return the content at KEY's path by part; KEPT_IN: see `file_digest`.

    Parts of a model are weights, tokenizer (with its chat template), settings and, of an adapter,
    base.PART; of a name on the hub its commit. Records have names only: their content is the data's
    fingerprint. Nothing that a result does not depend on has a part.
    """
    path = Path(key.value)
    try:
        if key.holds is Holds.model:
            return _model(key.value, key.revision, kept_in)
        if key.holds is Holds.files:
            return {"files": _digest(_files(path), path, kept_in)}
        if key.holds in (Holds.records, Holds.dataset):
            files = _files(path)
            return {"names": joint_digest([path.name, *(str(f.relative_to(path)) for f in files)])}
    except OSError:
        return {"files": UNKNOWN}
    return {}


def digest_of(content: Content) -> str:
    """Return 40 hex digits of CONTENT."""
    return joint_digest(f"{part}={content[part]}" for part in sorted(content))


def _files(path: Path) -> list[Path]:
    """The files below PATH in order; PATH itself if it is one."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())


def _digest(files: list[Path], root: Path, kept_in: Path | None) -> str:
    parts = (f"{file.relative_to(root)} {file_digest(file, kept_in)}" for file in files)
    return joint_digest(parts) if files else "none"


def _model(
    name: str, revision: str | None, kept_in: Path | None, above: tuple[Path, ...] = ()
) -> dict[str, str]:
    """ABOVE: the adapters whose base is asked for."""
    path = Path(name).expanduser()
    if path.is_file():
        return {"weights": file_digest(path, kept_in)}
    if not path.is_dir():
        return {"commit": _commit(name, revision)}
    content = _folder(path, kept_in)
    base, of_base = _base(path)
    if base is not None and path not in above:  # else two adapters are each other's base
        below = _model(base, of_base, kept_in, (*above, path))
        content |= {f"base.{part}": digest for part, digest in below.items()}
    return content


def _folder(path: Path, kept_in: Path | None) -> dict[str, str]:
    weights, tokenizer = _matching(path, WEIGHTS), _matching(path, TOKENIZER)
    named = {*weights, *tokenizer}
    settings = [
        file
        for file in _matching(path, SETTINGS)
        if file not in named and file.name not in OF_TRAINING
    ]
    parts = {"weights": weights, "tokenizer": tokenizer, "settings": settings}
    return {part: _digest(files, path, kept_in) for part, files in parts.items()}


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    return sorted(found)


def _base(folder: Path) -> tuple[str | None, str | None]:
    """The base model of a folder that holds an adapter only, and its revision; None for others."""
    file = folder / ADAPTER
    if (folder / "config.json").exists() or not file.is_file():
        return None, None
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        stored = settings["base_model_name_or_path"]
        return str(adapter_base(folder, stored) or stored), settings.get("revision")
    except (ValueError, TypeError, KeyError):
        return None, None  # loading it says what is wrong


def _commit(name: str, revision: str | None) -> str:
    from prefrun.builtin.hub import commit_of  # its client takes a while to import

    return commit_of(name, revision) or UNKNOWN
