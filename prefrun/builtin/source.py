"""Where a model comes from, as transformers is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefrun.builtin.config import AdapterUse, ModelDevice
from prefrun.builtin.hub import is_reachable
from prefrun.policy.attention.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from and how it is to be loaded."""

    path: str
    """Folder, or name on the hub."""
    name: str
    """Readable; part of the run's name."""
    revision: str | None = None
    dtype: str = "auto"
    attention: str | None = None
    device: ModelDevice = ModelDevice.auto
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
    def place(self) -> str:
        """What transformers is given."""
        return str(self.folder.absolute() if self.folder else self.path)

    def options(self) -> dict[str, Any]:
        """What every from_pretrained gets. Code from the hub is never run."""
        cached = self.folder is None and not is_reachable()
        return {
            "revision": self.revision or "main",
            "trust_remote_code": False,
            "local_files_only": cached,
        }
