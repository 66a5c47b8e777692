"""The top-level configuration keys, with their types. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from prefrun.errors import ConfigError, closest
from prefrun.path_keys import Holds, path_key

SCHEDULERS = (
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
)
OPTIMIZERS = ("adamw_torch", "adamw_torch_fused", "adafactor", "adagrad", "rmsprop", "sgd")
"""Those that need no further package."""
ERROR, WARN = "error", "warn"
"""What `trainer.on_empty_step` may be."""


@dataclass
class TrainerConfig:
    """How the host trains a loss. The names are those of transformers.TrainingArguments."""

    max_steps: int = 100
    """Optimizer steps; -1 = as many as `epochs` need."""
    epochs: float = 1.0
    """Passes over the training records; used where max_steps is -1."""
    batch_size: int = 16
    """Prompts per optimizer step and process."""
    micro_batch_tokens: int = 16384
    """Distinct tokens per forward pass. Smaller saves memory and changes no result: a tree above it
    goes through the model in pieces, twice."""
    learning_rate: float = 5e-5
    """Suits the embedded model; larger models usually want 1e-6 or less."""
    lr_scheduler: str = "linear"
    """One of SCHEDULERS, as transformers names them."""
    warmup_steps: int = 0
    """Steps in which the learning rate rises from 0, >= 0."""
    weight_decay: float = 0.0
    """>= 0; biases and norms are left out, as transformers does."""
    max_grad_norm: float = 1.0
    """Longer gradients are scaled down to this norm; 0 = never."""
    optimizer: str = "adamw_torch_fused"
    """One of OPTIMIZERS, as transformers names them."""
    logging_steps: int = 5
    """A line in metrics.jsonl every so many steps, >= 1."""
    checkpoint_steps: int = 50
    """A checkpoint every so many steps; 0 = none before the end."""
    keep_checkpoints: int = 2
    """The latest ones, >= 1; older ones are removed."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time."""
    compile: bool = False
    """Compile the decoder layers with torch.compile, for long runs on a GPU: the first step takes
    about a minute, and a CPU gains nothing. Not with gradient_checkpointing."""
    max_length: int = 1024
    """Tokens of prompt and answer together."""
    max_prompt_length: int | None = None
    """Tokens of the prompt, below max_length; None = what the longest answer leaves, at least
    max_length / 2."""
    truncation: str = "keep_end"
    """Which part of a too long prompt stays: keep_end or keep_start. Answers lose their end."""
    on_empty_step: str = ERROR
    """At a step that teaches nothing, since no term of the loss has a weight for its records or
    their loss has a gradient at no log-probs: error ends the run and names them, warn goes on. A
    gradient of 0 for other reasons, such as a hinge loss that is satisfied, is no empty step."""

    def __post_init__(self) -> None:
        _at_least("trainer.batch_size", self.batch_size, 1)
        _at_least("trainer.micro_batch_tokens", self.micro_batch_tokens, 1)
        _at_least("trainer.logging_steps", self.logging_steps, 1)
        _at_least("trainer.checkpoint_steps", self.checkpoint_steps, 0)
        _at_least("trainer.keep_checkpoints", self.keep_checkpoints, 1)
        _at_least("trainer.max_length", self.max_length, 2)
        _at_least("trainer.warmup_steps", self.warmup_steps, 0)
        _at_least("trainer.weight_decay", self.weight_decay, 0)
        _at_least("trainer.max_grad_norm", self.max_grad_norm, 0)
        if self.max_prompt_length is not None:
            _at_least("trainer.max_prompt_length", self.max_prompt_length, 1)
            if self.max_prompt_length >= self.max_length:
                raise ConfigError(
                    f"trainer.max_prompt_length={self.max_prompt_length} leaves an answer no token "
                    f"of trainer.max_length={self.max_length}\n"
                    f"  remedy: set it to at most {self.max_length - 1}, or raise "
                    "trainer.max_length"
                )
        _above_zero("trainer.learning_rate", self.learning_rate)
        _above_zero("trainer.epochs", self.epochs)
        _one_of("trainer.lr_scheduler", self.lr_scheduler, SCHEDULERS)
        _one_of("trainer.optimizer", self.optimizer, OPTIMIZERS)
        _one_of("trainer.truncation", self.truncation, ("keep_end", "keep_start"))
        _one_of("trainer.on_empty_step", self.on_empty_step, (ERROR, WARN))
        if self.compile and self.gradient_checkpointing:
            raise ConfigError(
                "trainer.compile=true does nothing with trainer.gradient_checkpointing=true\n"
                "  remedy: leave one of them out"
            )
        if self.max_steps < 1 and self.max_steps != -1:
            raise ConfigError(f"trainer.max_steps={self.max_steps} must be at least 1, or -1")


@dataclass
class EvaluationConfig:
    """What every evaluator shares: the held-out records and how the policy answers them."""

    max_records: int | None = 128
    """Held-out prompts used; None = all."""
    batch_size: int = 32
    """Completions that are sampled together."""
    batch_tokens: int = 32768
    """Distinct tokens that are scored together, for the reference, too."""
    max_new_tokens: int = 64
    """The longest answer that is sampled, >= 1."""
    temperature: float = 1.0
    """Of the sampled answers; 0 = greedy. The KL estimate is unbiased at 1 only."""
    bootstrap: int = 1000
    """Resamples behind a confidence interval."""

    def __post_init__(self) -> None:
        _at_least("evaluation.batch_size", self.batch_size, 1)
        _at_least("evaluation.batch_tokens", self.batch_tokens, 1)
        _at_least("evaluation.max_new_tokens", self.max_new_tokens, 1)
        _at_least("evaluation.bootstrap", self.bootstrap, 1)
        _at_least("evaluation.temperature", self.temperature, 0)
        if self.max_records is not None:
            _at_least("evaluation.max_records", self.max_records, 1)


@dataclass
class CacheConfig:
    """The content-addressed cache of reference log-probabilities, shared by all runs."""

    enabled: bool = True
    """false: every run computes the reference anew, and keeps nothing."""
    dir: str | None = path_key(holds=Holds.results)
    """Folder; None = PREFRUN_CACHE, else ~/.cache/prefrun."""
    max_gb: float = 10.0
    """Disk space of all models, in GB (1e9 bytes), > 0; the least recently used are removed."""

    def __post_init__(self) -> None:
        _above_zero("cache.max_gb", self.max_gb)


CONTINUE, STOP = "continue", "stop"


@dataclass
class SweepConfig:
    """How the jobs of a sweep (-m) hang together. Changes no job's result."""

    retry: int = 0
    """How often a failed job is tried again at once, from its last checkpoint, >= 0. The same
    command, run again, tries it again in any case."""
    on_failure: str = CONTINUE
    """continue: the other jobs are run; stop: those not begun are left out."""
    metric: str | None = None
    """The metric after training that a search (hydra/sweeper=...) looks at."""

    def __post_init__(self) -> None:
        _at_least("sweep.retry", self.retry, 0)
        _one_of("sweep.on_failure", self.on_failure, (CONTINUE, STOP))


ALONE, DDP, FSDP, DEEPSPEED = "none", "ddp", "fsdp", "deepspeed"
STRATEGIES = (ALONE, DDP, FSDP, DEEPSPEED)


@dataclass
class LaunchConfig:
    """One job over many devices of this machine, a process each; trainer.batch_size is each's."""

    strategy: str = ALONE
    """One of STRATEGIES; none = one process, this one."""
    processes: int | None = None
    """>= 1; None = as many as there are GPUs."""
    zero_stage: int = 2
    """Of strategy=deepspeed: 1 = the optimizer's state is sharded; 2 = the gradients, too."""

    def __post_init__(self) -> None:
        _one_of("launch.strategy", self.strategy, STRATEGIES)
        if self.processes is not None:
            _at_least("launch.processes", self.processes, 1)
        if self.strategy == ALONE and (self.processes or 1) > 1:
            raise ConfigError(
                f"launch.processes={self.processes} does nothing with launch=none\n"
                "  remedy: add launch=accelerate"
            )
        if self.zero_stage not in (1, 2):
            raise ConfigError(f"launch.zero_stage={self.zero_stage} must be 1 or 2")


@dataclass
class RunConfig:
    """The keys of a run."""

    output_dir: str = "???"
    """Exactly this run directory. Default: a readable name under runs/."""
    seed: int = 0
    """Of everything random in the run: order, sampling, new weights. At least 0, below 2**32."""
    algo: Any = None
    """Chosen by algo=NAME; every run needs one."""
    data: Any = None
    """Chosen by data=NAME; every run needs one."""
    model: Any = None
    """Chosen by model=NAME, else by the algorithm or the data; `tiny` is of prefrun-tiny."""
    reward: Any = None
    """Chosen by reward=NAME, else by the algorithm or the data."""
    evaluator: dict[str, Any] = field(default_factory=dict)
    """By name; choose several with 'evaluator=[ranking_accuracy,win_rate]'."""
    tracker: Any = None
    """Chosen by tracker=NAME."""
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    trust_code: bool = False
    """Let `_target_` in the configuration name code outside prefrun and its plugins. Counts on the
    command line only."""


def check_seed(seed: int) -> None:
    """Raise ConfigError for a seed that numpy cannot take."""
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed={seed} must be at least 0 and below {2**32}")


def _at_least(key: str, value: float, minimum: int) -> None:
    if not (value >= minimum and math.isfinite(value)):
        raise ConfigError(f"{key}={value} must be at least {minimum}, and finite")


def _above_zero(key: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"{key}={value} must be above 0, and finite")


def _one_of(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        near = closest(value, list(choices))
        raise ConfigError(f"{key}={value} is no choice.{near} Choices: {', '.join(choices)}")
