"""Small training runs that must be the same alone and spread over processes.

As a program, `torchrun -m tests.training.distributed_worker FOLDER` writes what each of CASES came
to as FOLDER/NAME-RANK.pt.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed
from tokenizers import Tokenizer
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedTokenizerFast, TrainerCallback

from prefrun.builtin.config import LoraSettings
from prefrun.models.text import LanguageModel
from prefrun.policy import linear_logps, logprobs
from prefrun.policy.adapter import with_lora
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import Example
from prefrun.policy.packing import Packing
from prefrun.policy.policy import BranchLogps, LoadedModel
from prefrun.policy.tokenise import Tokeniser
from prefrun.schema import TrainerConfig
from prefrun.testing import make_trees
from prefrun.training.arguments import training_arguments
from prefrun.training.dataset import ExampleDataset
from prefrun.training.spread import full, shard
from prefrun.training.trainer import PreferenceTrainer
from tests.policy.conftest import BPE, CHATML, build_model
from tests.training.test_trainer import BestOfTheBatch, BestVsRest

PACKED = Packing(Kernel.segments)
PROCESSES = 2
RECORDS = 3
"""Per step and process."""
STEPS = 3


@dataclass(frozen=True)
class Case:
    """One training run."""

    fsdp: str | None = None
    """None: DDP. 'accelerate': FSDP2 as accelerate wraps it; 'layers': layers and root only."""
    algorithm: Any = BestVsRest
    tokens: int = 240
    """Per pass."""
    settings: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    lora: tuple[str, ...] = ()
    resumes: bool = False
    """Whether the last step is a run of its own that goes on from a checkpoint."""


CHECKPOINTING = {"gradient_checkpointing": True}
CASES = {
    "ddp": Case(),
    "ddp-cut-trees": Case(tokens=120),
    "ddp-coupled": Case(algorithm=BestOfTheBatch),
    "ddp-checkpointing": Case(settings=CHECKPOINTING),
    "ddp-lora": Case(lora=("q_proj", "lm_head")),
    "ddp-resumed": Case(resumes=True),
    "fsdp": Case("accelerate"),
    "fsdp-cut-trees": Case("accelerate", tokens=120),
    "fsdp-coupled": Case("accelerate", BestOfTheBatch),
    "fsdp-checkpointing": Case("accelerate", settings=CHECKPOINTING),
    "fsdp-lora": Case("accelerate", lora=("q_proj", "lm_head")),
    "fsdp-tied": Case("accelerate", model={"tie_word_embeddings": True}),
    "fsdp-softcap": Case("accelerate", model={"family": "gemma2"}),
    "fsdp-resumed": Case("accelerate", resumes=True),
    "fsdp-layers": Case("layers"),
    "fsdp-layers-cut-trees": Case("layers", tokens=120),
}


class Watch(TrainerCallback):
    """Checks gradients before each step, as a run does."""

    def __init__(self, trainer: PreferenceTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.trainer.check_gradients(rest["model"])


def make_examples() -> list[Example]:
    """Records of which, in turn, the first process gets short and long ones."""
    short, long = make_trees(9, 2, seed=2), make_trees(9, 9, seed=9)
    order = [*short[:3], *long[:3], *long[3:6], *short[3:6], *short[6:], *long[6:]]
    trees = [replace(tree, id=f"{place}") for place, tree in enumerate(order)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(BPE), eos_token="<|im_end|>", pad_token="<pad>"
    )
    tokenizer.chat_template = CHATML
    tokens = Tokeniser(tokenizer, 128).tokenise_all(trees)
    draw = torch.Generator().manual_seed(0)
    references = [
        BranchLogps(tuple(-3 - torch.rand(len(ids), generator=draw) for ids in each.branches))
        for each in tokens
    ]
    return [
        Example.of(*parts[:2], "overall", parts[2])
        for parts in zip(trees, tokens, references, strict=True)
    ]


def train(case: Case, examples: list[Example], folder: Path, batches: int = 1) -> dict[str, Any]:
    """Train and return losses, weights, wrapping, and each step's records and numbers of passes.

    A process takes BATCHES batches per step, one after the other.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    passes: list[int] = []
    seen: list[str] = []

    def watched(collator: Any) -> Any:
        def collate(items: list[Example]) -> dict[str, Any]:
            step: dict[str, Any] = collator(items)
            seen.extend(item.encoded.id for item in items)
            passes.append(len(step["passes"]))
            return step

        return collate

    def run(checkpoint: Path | None) -> PreferenceTrainer:
        model = build_model(**{"family": "llama"} | case.model)
        if case.lora:
            model = with_lora(model, LoraSettings(rank=4, target_modules=list(case.lora)))
        trainer = PreferenceTrainer(
            kind=LanguageModel(LoadedModel(model, SimpleNamespace(pad_token_id=0), "", ""), PACKED),
            algorithm=case.algorithm(None),
            budget=case.tokens,
            args=_arguments(case, folder, RECORDS * PROCESSES // processes // batches, batches),
            train_dataset=ExampleDataset(examples),
        )
        trainer.data_collator = watched(trainer.data_collator)
        trainer.add_callback(Watch(trainer))
        if case.fsdp and processes > 1:
            _shard(trainer, case.fsdp)
        with tree_attention(model):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return trainer

    trainer = run(None)
    if case.resumes:
        trainer = run(folder / f"checkpoint-{STEPS - 1}")
    return {
        "losses": [line["loss"] for line in trainer.state.log_history if "loss" in line],
        "weights": {name: full(value) for name, value in trainer.model.named_parameters()},
        "wrapped": _wrapping(trainer),
        "passes": passes,
        "seen": seen,
    }


def _arguments(case: Case, folder: Path, batch_size: int, batches: int) -> Any:
    config = TrainerConfig(
        max_steps=STEPS,
        batch_size=batch_size,
        learning_rate=1e-2,
        logging_steps=1,
        checkpoint_steps=STEPS - 1 if case.resumes else 0,
        **case.settings,
    )
    arguments = training_arguments(config, folder, 0, "cpu")
    arguments.gradient_accumulation_steps = batches
    arguments.train_sampling_strategy = "sequential"
    return arguments


def _shard(trainer: PreferenceTrainer, how: str) -> None:
    shard(trainer, "transformer_based_wrap" if how == "accelerate" else "no_wrap")
    if how == "layers":
        for layer in trainer.model.model.layers:
            fully_shard(layer)
        fully_shard(trainer.model)


def _wrapping(trainer: PreferenceTrainer) -> str:
    if isinstance(trainer.model_wrapped, FSDPModule):
        return "fsdp"
    return "ddp" if isinstance(trainer.model_wrapped, DistributedDataParallel) else ""


def main() -> None:
    """Run all cases, with a head that goes over many chunks and keeps nothing of them."""
    folder = Path(sys.argv[1])
    examples = make_examples()
    for name, case in CASES.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        with (
            patch.object(logprobs, "chunk_rows", lambda vocabulary: 16),
            patch.object(linear_logps, "chunk_rows", lambda vocabulary: 16),
            patch.object(linear_logps, "KEEP_BYTES", 0),
        ):
            result = train(case, examples, folder / name)
        torch.save(result, folder / f"{name}-{os.environ['RANK']}.pt")
        print(f"{name} is done", flush=True)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
