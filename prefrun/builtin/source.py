"""Where a causal language model comes from, and what transformers is told to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefrun.builtin.config import AdapterUse, ModelDevice
from prefrun.builtin.gguf_file import gguf_file
from prefrun.builtin.hub import is_reachable
from prefrun.policy.attention.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from and how it is to be loaded."""

    path: str
    """Folder, GGUF file, or name on the hub."""
    name: str
    """Readable; part of the run's name."""
    revision: str | None = None
    dtype: str = "auto"
    attention: str | None = None
    device: ModelDevice = ModelDevice.auto
    template: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the chat template."""
    adapter: AdapterUse = AdapterUse.auto
    """What to do with the adapter in the folder; auto = it holds none."""
    base_of: Path | None = None
    """The adapter's folder, if this is an adapter's base model."""

    @property
    def own_attention(self) -> str | None:
        """What transformers is asked for; packed trees switch it only while they are scored."""
        packed = {kernel.value for kernel in Kernel}
        return None if self.attention in packed else self.attention

    @property
    def folder(self) -> Path | None:
        """The local folder; None on the hub."""
        folder = Path(self.path).expanduser()
        return folder if folder.is_dir() else None

    @property
    def file(self) -> Path | None:
        """The GGUF file; None for any other source."""
        return gguf_file(self.path)

    @property
    def is_local(self) -> bool:
        """Whether nothing is to be asked of the hub."""
        return self.folder is not None or self.file is not None

    @property
    def place(self) -> str:
        """What transformers is given."""
        folder = self.file.parent if self.file else self.folder
        return str(folder.absolute() if folder else self.path)

    def options(self) -> dict[str, Any]:
        """What every from_pretrained gets. Code from the hub is never run."""
        options = {
            "revision": self.revision or "main",
            "trust_remote_code": False,
            "local_files_only": not self.is_local and not is_reachable(),
        }
        return options | {"gguf_file": self.file.name} if self.file else options
