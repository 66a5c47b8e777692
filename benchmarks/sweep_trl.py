"""One cell of a sweep with TRL: load, train, save. Settings for a CPU as in `trl_side`."""

from __future__ import annotations

import argparse

from datasets import load_dataset
from trl import DPOConfig, DPOTrainer


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "data", "output", "loss"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--pairs-per-step", type=int, required=True)
    arguments = parser.parse_args()
    trainer = DPOTrainer(
        model=arguments.model,
        args=DPOConfig(
            output_dir=arguments.output,
            loss_type=[arguments.loss],
            learning_rate=arguments.learning_rate,
            max_steps=arguments.steps,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=arguments.pairs_per_step,
            optim="adamw_torch_fused",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            dataloader_pin_memory=False,
        ),
        train_dataset=load_dataset("json", data_files=arguments.data, split="train"),
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
