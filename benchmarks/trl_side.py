"""TRL's DPOTrainer as it runs fastest on a CPU.

Set, against its defaults: bf16 and gradient checkpointing off (most CPUs have no fast bfloat16, and
recomputation costs a third), the reference model handed over, nothing logged, and one pair a
forward pass, accumulated to the same optimizer step: on a CPU that beats all pairs in one batch,
which is measured beside it. Untouched: its loss, head, collator and training loop.
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here may wait for a network
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from pathlib import Path
from typing import Any

import datasets
from algorithms import BETA
from data import pair_examples, pairs_of
from interleave import StepLosses
from models import make_model, make_tokenizer
from plan import Plan
from transformers import PrinterCallback
from trl import DPOConfig, DPOTrainer

datasets.disable_progress_bars()


class TokenisedDPOTrainer(StepLosses, DPOTrainer):
    """Takes token ids: DPOTrainer would render and tokenise texts here, before training."""

    def _prepare_dataset(self, dataset: Any, *rest: Any) -> Any:
        return dataset


def make_trl(plan: Plan, method: str, folder: Path) -> TokenisedDPOTrainer:
    """Return the trainer of METHOD, one of TRL_METHODS; a precomputed reference is made here."""
    examples = plan.examples()
    rows = [
        {
            "prompt_ids": list(pair.encoded.prompt_ids),
            "chosen_ids": list(pair.encoded.branches[0]),
            "rejected_ids": list(pair.encoded.branches[1]),
        }
        for pair in pair_examples(plan.shape, examples)
    ]
    precomputed = method == "trl_precomputed"
    pairs = plan.batch * len(pairs_of(plan.shape, examples[0]))
    micro = pairs if method == "trl_one_batch" else 1
    trainer = TokenisedDPOTrainer(
        model=make_model(plan.shape, plan.seed).train(),
        ref_model=None if precomputed else make_model(plan.shape, plan.seed),
        args=DPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=pairs // micro,
            precompute_ref_log_probs=precomputed,
            **_settings(plan),
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=make_tokenizer(),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _settings(plan: Plan) -> dict[str, Any]:
    """What all methods have in common, and what is set for the CPU."""
    return {
        "beta": BETA,
        "max_length": None,
        "max_steps": plan.steps,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": "linear",
        "max_grad_norm": 1.0,
        "optim": plan.optimizer,
        "train_sampling_strategy": "sequential",
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
    }
