"""stage2=online: policy gradient on sampled answers, rewarded by the weighted sum."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import get_scheduler

from prefrun.console import progress
from prefrun.errors import PrefrunError
from prefrun.policy.collate import collate_tokens, lay_out
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.scoring import to_device
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.rundir.files import write_atomically
from prefrun.signals import finishing_first
from prefrun_orchestrator.policy_gradient import advantages, online_loss
from prefrun_orchestrator.scores import judged

if TYPE_CHECKING:
    from prefrun.policy.policy import Policy
    from prefrun.reward import ObjectivesReward
    from prefrun.training.services import Services
    from prefrun_orchestrator.prompt_weights import PromptWeights


@dataclass(frozen=True, slots=True)
class OnlineSettings:
    """What the method adds to the trainer's settings."""

    group_size: int
    advantage: str
    kl_coef: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled answer, ready to be scored."""

    tokens: TokenisedTree
    kept: int
    """Of its tokens, those the policy wrote: an answer that was cut has no end of turn."""
    reference: Tensor
    """[T] log-probs under the start model."""
    advantage: float


class OnlineTraining:
    """The loop: sample, reward, one step. Its state goes to FILE, from which it goes on."""

    def __init__(
        self,
        services: Services,
        reward: ObjectivesReward,
        weights: PromptWeights,
        settings: OnlineSettings,
        file: Path,
    ) -> None:
        self._services, self._reward, self._weights = services, reward, weights
        self._settings, self._file = settings, file
        self._policy, self._reference = services.policy(), services.reference()
        self._model: Any = services.loaded.model
        trainer = services.config.trainer
        self._tokeniser = Tokeniser(
            services.loaded.tokenizer,
            trainer.max_length,
            trainer.max_prompt_length,
            trainer.truncation,
        )
        self._trained = {
            name: value for name, value in self._model.named_parameters() if value.requires_grad
        }
        self._steps = trainer.max_steps
        if self._steps < 0:
            per_epoch = math.ceil(len(services.data.train) / trainer.batch_size)
            self._steps = math.ceil(trainer.epochs * per_epoch)
        self._optimizer = torch.optim.AdamW(
            self._trained.values(), lr=trainer.learning_rate, weight_decay=trainer.weight_decay
        )
        self._schedule = get_scheduler(
            trainer.lr_scheduler, self._optimizer, trainer.warmup_steps, self._steps
        )
        self._logged: list[tuple[int, dict[str, float]]] = []

    def run(self) -> Policy:
        """Train to the end. Raises PrefrunError where the loss is not finite."""
        trainer, first = self._services.config.trainer, self._restore() + 1
        self._services.step_done(first - 1, self._steps)
        with (
            progress("online training", self._steps) as show,
            finishing_first() as stop_requested,
        ):
            for step in range(first, self._steps + 1):
                metrics = self._step(step)
                self._services.step_done(step, self._steps)
                if step % trainer.logging_steps == 0 or step == self._steps:
                    self._logged.append((step, metrics))
                    self._services.log(step, metrics)
                every, stops = trainer.checkpoint_steps, stop_requested()
                if stops or (every and step % every == 0):
                    self._save(step)
                show(step, self._steps)
                if stops:
                    break
        return self._policy

    def _step(self, step: int) -> dict[str, float]:
        samples, metrics = self._sample(step)
        pad = self._services.loaded.tokenizer.pad_token_id
        self._optimizer.zero_grad()
        total, divergence = 0.0, 0.0
        for part in _micro_batches(samples, self._services.config.trainer.micro_batch_tokens):
            values, kl = self._values(part, pad)
            loss = values.sum() / len(samples)
            if not torch.isfinite(loss):
                raise PrefrunError(
                    f"the online loss is {loss.item()} at step {step}\n"
                    "  remedy: lower trainer.learning_rate"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            divergence += float(kl.sum()) / len(samples)
        norm = torch.nn.utils.clip_grad_norm_(
            list(self._trained.values()), self._services.config.trainer.max_grad_norm or math.inf
        )
        self._optimizer.step()
        self._schedule.step()
        return metrics | {"loss": total, "online/kl": divergence, "grad_norm": float(norm)}

    def _values(self, part: Sequence[Sampled], pad: int) -> tuple[Tensor, Tensor]:
        batch = collate_tokens([sample.tokens for sample in part], pad)
        flat = torch.cat([sample.reference for sample in part])
        batch["reference"] = lay_out(flat, batch["slot"], batch["token_mask"])
        batch = to_device(batch, self._model.device)
        logps, _ = token_logprobs(self._model, batch)
        mask = batch["token_mask"].squeeze(1)
        kept = torch.tensor([sample.kept for sample in part], device=mask.device)
        mask = mask & (torch.arange(mask.shape[1], device=mask.device) < kept.unsqueeze(1))
        advantage = torch.tensor([sample.advantage for sample in part]).to(logps)
        return online_loss(
            logps.squeeze(1),
            batch["reference"].squeeze(1).to(logps),
            mask,
            advantage,
            self._settings.kl_coef,
        )

    def _sample(self, step: int) -> tuple[list[Sampled], dict[str, float]]:
        """Answer the step's prompts `group_size` times each, and reward the answers."""
        prompts, group = self._prompts(step), self._settings.group_size
        trees = [
            replace(tree, id=f"{tree.id} {number}", branches=())
            for tree in prompts
            for number in range(group)
        ]
        sizes = self._services.config.evaluation
        seed = self._services.run.seed + 1000 * step
        answers = self._policy.generate(trees, sizes.max_new_tokens, 1.0, seed)
        rewards = judged(self._reward, self._weights.objectives, trees, answers)
        weights = self._weights(prompts).repeat_interleave(group, 0)
        sums = self._weights.scalarise(rewards, weights).view(-1, group)
        gains = advantages(sums, self._settings.advantage).flatten().tolist()
        answered = [
            replace(tree, branches=(Branch((Step(answer),)),))
            for tree, answer in zip(trees, answers, strict=True)
        ]
        reference = self._reference.logps(answered)
        lengths = self._policy.count_tokens(answers)
        rows = zip(self._tokeniser.tokenise_all(answered), lengths, reference, gains, strict=True)
        samples = [
            Sampled(tokens, length + (length < sizes.max_new_tokens), known.token_logps[0], gain)
            for tokens, length, known, gain in rows
        ]
        means = zip(self._weights.objectives, rewards.mean(0).tolist(), strict=True)
        metrics = {f"online/{name}": mean for name, mean in means}
        return samples, metrics | {"online/weighted_reward": float(sums.mean())}

    def _prompts(self, step: int) -> list[PreferenceTree]:
        """The prompts of STEP: every epoch shuffles the records anew."""
        trees, size = self._services.data.train, self._services.config.trainer.batch_size
        chosen = []
        for place in range((step - 1) * size, step * size):
            epoch, index = divmod(place, len(trees))
            seed = 1_000_003 * self._services.run.seed + epoch
            shuffle = torch.Generator().manual_seed(seed)
            chosen.append(trees[int(torch.randperm(len(trees), generator=shuffle)[index])])
        return chosen

    def _save(self, step: int) -> None:
        content = io.BytesIO()
        state = {
            "step": step,
            "parameters": {name: value.detach() for name, value in self._trained.items()},
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "logged": self._logged,
        }
        torch.save(state, content)
        write_atomically(self._file, content.getvalue())

    def _restore(self) -> int:
        """Take up the saved state, and return its step; 0 without one."""
        if not self._file.exists():
            return 0
        state = torch.load(self._file, map_location=self._model.device, weights_only=True)
        with torch.no_grad():
            for name, value in self._trained.items():
                value.copy_(state["parameters"][name])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        for step, metrics in state["logged"]:  # the host has dropped lines without checkpoint
            self._services.log(step, metrics)
            self._logged.append((step, metrics))
        return int(state["step"])


def _micro_batches(samples: Sequence[Sampled], budget: int) -> Iterator[list[Sampled]]:
    """Yield SAMPLES in parts of up to BUDGET padded tokens, at least one each."""
    part: list[Sampled] = []
    longest = 0
    for sample in samples:
        size = len(sample.tokens.prompt_ids) + len(sample.tokens.branches[0])
        if part and max(longest, size) * (len(part) + 1) > budget:
            yield part
            part, longest = [], 0
        part.append(sample)
        longest = max(longest, size)
    if part:
        yield part
