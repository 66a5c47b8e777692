"""Maps prefrun's trainer settings to transformers.TrainingArguments."""

from __future__ import annotations

from pathlib import Path

from transformers import TrainingArguments

from prefrun.errors import ConfigError
from prefrun.schema import TrainerConfig


def training_arguments(
    config: TrainerConfig, checkpoints: Path, seed: int, device: str
) -> TrainingArguments:
    """Return the arguments of one run. Raises ConfigError for names transformers does not know.

    DEVICE is the loaded model's; its dtype stands as it is, the trainer casts nothing.
    """
    saves = config.checkpoint_steps > 0
    try:
        return TrainingArguments(
            output_dir=str(checkpoints),
            max_steps=config.max_steps,
            num_train_epochs=config.epochs,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            lr_scheduler_type=config.lr_scheduler,
            warmup_steps=config.warmup_steps,
            weight_decay=config.weight_decay,
            max_grad_norm=config.max_grad_norm,
            optim=config.optimizer,
            logging_steps=config.logging_steps,
            logging_nan_inf_filter=False,
            save_strategy="steps" if saves else "no",
            save_steps=max(1, config.checkpoint_steps),
            save_total_limit=config.keep_checkpoints,
            activation_checkpointing=config.gradient_checkpointing,
            activation_checkpointing_kwargs={"use_reentrant": False},
            seed=seed,
            data_seed=seed,
            use_cpu=device == "cpu",
            bf16=False,
            fp16=False,
            remove_unused_columns=False,
            dataloader_pin_memory=device != "cpu",
            disable_tqdm=True,
            report_to="none",
            log_level="error",
        )
    except ValueError as error:
        raise ConfigError(f"trainer: {error}") from error
