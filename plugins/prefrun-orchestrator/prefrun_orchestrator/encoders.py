"""What reads a prompt: a bag of hashed words, or a transformers encoder. Both give features."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prefrun.builtin.hub import is_reachable
from prefrun.errors import ConfigError, first_sentence

WORD = re.compile(r"\w+")
BUCKETS, WIDTH = 4096, 64
DEFAULT_NAME = "FacebookAI/xlm-roberta-base"


class HashEncoder(nn.Module):
    """Mean of the embeddings of a prompt's words, each hashed to one of 4096; zeros without any."""

    width = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.EmbeddingBag(BUCKETS, WIDTH, mode="mean")

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Return features [B, 64] of B texts."""
        bags = [[_bucket(word) for word in WORD.findall(text.lower())] for text in texts]
        starts = [0]
        for bag in bags[:-1]:
            starts.append(starts[-1] + len(bag))
        device = self.embeddings.weight.device
        flat = torch.tensor([bucket for bag in bags for bucket in bag], dtype=torch.long)
        found: Tensor = self.embeddings(flat.to(device), torch.tensor(starts, device=device))
        return found

    def save(self, folder: Path) -> None:
        """Nothing but weights, which the adapter saves."""


class HFEncoder(nn.Module):
    """Mean of a transformers encoder's last hidden states over a prompt's tokens."""

    def __init__(self, name: str, max_length: int) -> None:
        """Load folder or hub model NAME. Raises ConfigError where that cannot be done."""
        from transformers import AutoModel, AutoTokenizer

        super().__init__()
        options: dict[str, Any] = {"trust_remote_code": False}
        if not Path(name).expanduser().is_dir():
            options["local_files_only"] = not is_reachable()
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(name, **options)
            self.model = AutoModel.from_pretrained(name, dtype=torch.float32, **options)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"algo.encoder_name={name}: cannot be loaded: {first_sentence(error)}\n"
                "  remedy: give the folder of an encoder, or use algo.encoder=hash"
            ) from error
        self.max_length = max_length
        self.width = int(self.model.config.hidden_size)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Return features [B, H] of B texts."""
        inputs = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        ).to(self.model.device)
        hidden: Tensor = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden)
        mean: Tensor = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        return mean

    def save(self, folder: Path) -> None:
        """Write tokenizer and model to FOLDER, in Hugging Face layout."""
        self.tokenizer.save_pretrained(folder)
        self.model.save_pretrained(folder)


def check_encoder(name: str) -> None:
    """Raise ConfigError where NAME is plainly a folder and there is none."""
    if name.startswith((".", "~", "/")) and not Path(name).expanduser().is_dir():
        raise ConfigError(
            f"algo.encoder_name={name}: there is no such folder\n"
            "  remedy: give the folder of an encoder, or a name on the hub"
        )


def _bucket(word: str) -> int:
    return zlib.crc32(word.encode()) % BUCKETS
