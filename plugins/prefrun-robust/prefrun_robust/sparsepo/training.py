"""SparsePO's own training loop: it needs hidden states and whole next-token distributions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, get_scheduler

from prefrun.errors import PrefrunError
from prefrun.policy.collate import Example, collate
from prefrun.policy.policy import LoadedModel
from prefrun.policy.scoring import to_device
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import PreferenceTree
from prefrun.schema import TrainerConfig
from prefrun.signals import finishing_first
from prefrun.training.arguments import training_arguments
from prefrun.training.empty_step import NOTHING_WEIGHED, EmptySteps
from prefrun.training.services import Services
from prefrun_robust.sparsepo import state
from prefrun_robust.sparsepo.config import SparsePoConfig
from prefrun_robust.sparsepo.forward import policy_terms, read_reference
from prefrun_robust.sparsepo.loss import MaskedAnswers, implied_reward, sparsepo_values
from prefrun_robust.sparsepo.records import in_parts, shuffled
from prefrun_robust.sparsepo.token_masks import TokenMasks


class MaskedTraining:
    """Trains the run's model and the mask heads together."""

    def __init__(
        self, config: SparsePoConfig, services: Services, frozen: LoadedModel, seed: int
    ) -> None:
        """FROZEN: the reference; the run's own model where it has an adapter to switch off."""
        self.config, self.services, self.frozen, self.seed = config, services, frozen, seed
        self.settings: TrainerConfig = services.config.trainer
        self.loaded = services.loaded
        shape = frozen.model.config.get_text_config()
        torch.manual_seed(seed)
        self.masks = TokenMasks(config, shape.num_hidden_layers, shape.hidden_size)
        self.masks.to(self.loaded.model.device)
        self._kept: dict[str, list[float]] = defaultdict(list)
        self._empty = EmptySteps(self.settings.on_empty_step)

    def train(self, pairs: Sequence[PreferenceTree]) -> None:
        """Train on PAIRS, best answer first, from the last checkpoint where there is one.

        Raises PrefrunError where the loss is not finite, or all masks are 0 from the beginning;
        DataError at a step whose records weigh nothing, unless trainer.on_empty_step=warn.
        """
        settings, run = self.settings, self.services.run
        per_step = settings.batch_size
        steps = settings.max_steps
        if steps < 0:
            steps = math.ceil(settings.epochs * math.ceil(len(pairs) / per_step))
        examples = self.examples(pairs)
        order = shuffled(len(pairs), steps * per_step, self.seed)
        optimizer = self._optimizer()
        schedule: Any = get_scheduler(
            settings.lr_scheduler, optimizer, settings.warmup_steps, steps
        )
        first = self._restore(optimizer, schedule)
        self.loaded.model.train()
        self.masks.train()
        with finishing_first() as stop_requested:
            for step in range(first, steps):
                chosen = order[step * per_step : (step + 1) * per_step]
                self._step(step, examples, chosen, optimizer)
                if step == 0:
                    self._check_alive()
                schedule.step()
                done, stops = step + 1, stop_requested()
                self.services.step_done(done, steps)
                every = settings.checkpoint_steps
                saves = stops or done == steps or bool(every and done % every == 0)
                if saves or done % settings.logging_steps == 0:
                    self._log(done, schedule)
                if saves:
                    kept = self._state(optimizer, schedule)
                    state.save(run.output_dir, done, kept, settings.keep_checkpoints)
                if stops:
                    break
            else:
                self._empty.conclude(steps, is_main=True)
        self.loaded.model.eval()
        self.masks.eval()

    def examples(self, pairs: Sequence[PreferenceTree]) -> list[Example]:
        """Tokenise PAIRS under the run's length limits."""
        limits = self.settings
        tokeniser = Tokeniser(
            self.loaded.tokenizer, limits.max_length, limits.max_prompt_length, limits.truncation
        )
        objective = self.services.data.objective
        tokens = tokeniser.tokenise_all(pairs)
        return [Example.of(*both, objective) for both in zip(pairs, tokens, strict=True)]

    def answers(self, examples: Sequence[Example]) -> tuple[MaskedAnswers, MaskedAnswers, Tensor]:
        """Return chosen and rejected answers with terms and masks, and the records' weights [P]."""
        batch = collate(examples, self.loaded.tokenizer.pad_token_id)
        batch = to_device(batch, self.loaded.model.device)
        reference = read_reference(self.frozen.model, batch, self.masks.activations)
        rewards, kl = policy_terms(self.loaded.model, batch, reference)
        reward_mask, kl_mask = self.masks(reference, batch)
        tokens = batch["token_mask"].to(rewards)
        sides = [
            MaskedAnswers(rewards[:, k], kl[:, k], reward_mask[:, k], kl_mask[:, k], tokens[:, k])
            for k in (0, 1)
        ]
        return sides[0], sides[1], batch["weights"]

    def _step(
        self,
        step: int,
        examples: Sequence[Example],
        chosen: Sequence[int],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        torch.manual_seed(self.seed * 1_000_003 + step)  # dropout after a resume is the same
        sizes = {index: _tokens(examples[index]) for index in chosen}
        weight = sum(examples[index].weight for index in chosen)
        if not weight:
            ids = [examples[index].encoded.id for index in chosen]
            self._empty.report(step + 1, ids, NOTHING_WEIGHED, is_main=True)
        total = 0.0
        optimizer.zero_grad(set_to_none=True)
        for part in in_parts(chosen, sizes, self.settings.micro_batch_tokens):
            better, worse, weights = self.answers([examples[index] for index in part])
            values = sparsepo_values(
                better,
                worse,
                beta=self.config.beta,
                l1_reward=self.config.l1_reward,
                l1_kl=self.config.l1_kl,
                label_smoothing=self.config.label_smoothing,
            )
            loss = (values * weights).sum() / max(weight, 1e-12)
            if not torch.isfinite(loss):
                names = ", ".join(examples[index].encoded.id for index in part[:8])
                raise PrefrunError(
                    f"the loss is not finite at step {step + 1}; records: {names}\n"
                    "  remedy: lower trainer.learning_rate, or look at these records"
                )
            torch.autograd.backward(loss)
            total += loss.item()
            self._keep(better, worse)
        if self.settings.max_grad_norm > 0:
            norm = torch.nn.utils.clip_grad_norm_(self._trained(), self.settings.max_grad_norm)
            self._kept["grad_norm"].append(float(norm))
        optimizer.step()
        self._kept["loss"].append(total)
        if step == 0:
            self._check_alive()

    def _keep(self, better: MaskedAnswers, worse: MaskedAnswers) -> None:
        chosen, rejected = (implied_reward(side, self.config.beta) for side in (better, worse))
        tokens = torch.stack([better.token_mask, worse.token_mask])

        def share_of_zeros(name: str) -> Tensor:
            masks = torch.stack([getattr(better, name), getattr(worse, name)])
            return ((masks == 0) * tokens).sum() / tokens.sum().clamp(min=1)

        metrics = {
            "rewards/chosen": chosen.mean(),
            "rewards/rejected": rejected.mean(),
            "rewards/margins": (chosen - rejected).mean(),
            "rewards/accuracies": (chosen > rejected).float().mean(),
            "sparsity/reward": share_of_zeros("reward_mask"),
            "sparsity/kl": share_of_zeros("kl_mask"),
        }
        for name, value in metrics.items():
            self._kept[name].append(float(value))

    def _check_alive(self) -> None:
        """Raise PrefrunError where all masks of the first step were 0."""
        zeros = [share for name in ("reward", "kl") for share in self._kept[f"sparsity/{name}"]]
        if all(share == 1.0 for share in zeros):
            raise PrefrunError(
                "all token masks are 0 at the first step, so nothing can be learned\n"
                "  remedy: algo.initial_mask=1 lets them begin near 1; or choose another seed"
            )

    def _log(self, step: int, schedule: Any) -> None:
        means = {name: sum(values) / len(values) for name, values in self._kept.items()}
        self._kept.clear()
        self.services.log(step, means | {"learning_rate": schedule.get_last_lr()[0]})

    def _trained(self) -> list[Tensor]:
        own = [weight for weight in self.loaded.model.parameters() if weight.requires_grad]
        return [*own, *self.masks.parameters()]

    def _optimizer(self) -> torch.optim.Optimizer:
        """Return the trainer's optimizer; the heads have decay and learning rate of their own."""
        folder = self.services.checkpoint_dir()
        arguments = training_arguments(
            self.settings, folder, self.seed, self.loaded.model.device.type
        )
        kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments)
        weights = [weight for weight in self.loaded.model.parameters() if weight.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": self.settings.weight_decay}
        ]
        if heads := list(self.masks.parameters()):
            rate = self.config.mask_learning_rate or self.settings.learning_rate
            decay = self.config.mask_weight_decay
            groups.append({"params": heads, "weight_decay": decay, "lr": rate})
        optimizer: torch.optim.Optimizer = kind(groups, **options)
        return optimizer

    def _state(self, optimizer: torch.optim.Optimizer, schedule: Any) -> dict[str, Any]:
        named = self.loaded.model.named_parameters()
        return {
            "model": {name: weight.data for name, weight in named if weight.requires_grad},
            "masks": self.masks.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }

    def _restore(self, optimizer: torch.optim.Optimizer, schedule: Any) -> int:
        found = state.load(self.services.run.output_dir)
        if found is None:
            return 0
        step, kept = found
        self.loaded.model.load_state_dict(kept["model"], strict=False)
        self.masks.load_state_dict(kept["masks"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        return step


def _tokens(example: Example) -> int:
    tokens = example.encoded
    return sum(map(len, tokens.prompts)) + sum(map(len, tokens.branches))
