"""SparsePO's steps: they need hidden states and whole next-token distributions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.errors import PrefrunError
from prefrun.policy.collate import Example, collate
from prefrun.policy.policy import LoadedModel
from prefrun.policy.scoring import to_device
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import PreferenceTree
from prefrun.training.services import Services
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_robust.sparsepo.config import SparsePoConfig
from prefrun_robust.sparsepo.forward import policy_terms, read_reference
from prefrun_robust.sparsepo.loss import MaskedAnswers, implied_reward, sparsepo_values
from prefrun_robust.sparsepo.records import in_parts, shuffled
from prefrun_robust.sparsepo.token_masks import TokenMasks

TERM, ZEROS, ALL = "sparsepo", "zeros", "all"


class MaskedTraining(StepLoop):
    """Trains the run's model and the mask heads together."""

    def __init__(
        self,
        config: SparsePoConfig,
        services: Services,
        frozen: LoadedModel,
        pairs: Sequence[PreferenceTree],
    ) -> None:
        """Train on PAIRS, best answer first.

        FROZEN: the reference; the run's own model if it has an adapter to switch off.
        """
        self.config, self.services, self.frozen = config, services, frozen
        self.loaded, self.seed = services.loaded, services.run.seed
        shape = frozen.model.config.get_text_config()
        torch.manual_seed(self.seed)
        self.masks = TokenMasks(config, shape.num_hidden_layers, shape.hidden_size)
        self.masks.to(self.loaded.model.device)
        self.modules = {"model": self.loaded.model, "masks": self.masks}
        self.weight_decays = {"masks": config.mask_weight_decay}
        if config.mask_learning_rate is not None:
            self.learning_rates = {"masks": config.mask_learning_rate}
        trainer = services.config.trainer
        self.steps, self._per_step = trainer.max_steps, trainer.batch_size
        if self.steps < 0:
            self.steps = math.ceil(trainer.epochs * math.ceil(len(pairs) / self._per_step))
        self._examples = self.examples(pairs)
        self._order = shuffled(len(pairs), self.steps * self._per_step, self.seed)

    def step(self, number: int) -> list[MicroBatch]:
        """Take the pairs of step NUMBER."""
        torch.manual_seed(self.seed * 1_000_003 + number)  # of dropout and random masks
        chosen = self._order[number * self._per_step : (number + 1) * self._per_step]
        sizes = {index: _tokens(self._examples[index]) for index in chosen}
        parts = in_parts(chosen, sizes, self.services.config.trainer.micro_batch_tokens)
        return [self._part([self._examples[index] for index in part]) for part in parts]

    def step_done(self, number: int, sums: Mapping[str, Tensor]) -> None:
        """Raise PrefrunError if all masks of the first step were 0."""
        if number == 0 and bool(sums[ZEROS] == sums[ALL]):
            raise PrefrunError(
                "all token masks are 0 at the first step, so nothing can be learned\n"
                "  remedy: algo.initial_mask=1 lets them begin near 1; or choose another seed"
            )

    def examples(self, pairs: Sequence[PreferenceTree]) -> list[Example]:
        """Tokenise PAIRS under the run's length limits."""
        limits = self.services.config.trainer
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

    def _part(self, examples: Sequence[Example]) -> MicroBatch:
        return MicroBatch(
            partial(self._loss, examples),
            {TERM: sum(example.weight for example in examples)},
            tuple(example.encoded.id for example in examples),
            sum(map(_tokens, examples)),
        )

    def _loss(self, examples: Sequence[Example]) -> LossOutput:
        better, worse, weights = self.answers(examples)
        values = sparsepo_values(
            better,
            worse,
            beta=self.config.beta,
            l1_reward=self.config.l1_reward,
            l1_kl=self.config.l1_kl,
            label_smoothing=self.config.label_smoothing,
        )
        chosen, rejected = (implied_reward(side, self.config.beta) for side in (better, worse))
        tokens = torch.stack([better.token_mask, worse.token_mask])
        zeros = {
            name: ((torch.stack([one, other]) == 0) * tokens).sum()
            for name, one, other in (
                ("reward", better.reward_mask, worse.reward_mask),
                ("kl", better.kl_mask, worse.kl_mask),
            )
        }
        metrics = {
            "rewards/chosen": chosen.mean(),
            "rewards/rejected": rejected.mean(),
            "rewards/margins": (chosen - rejected).mean(),
            "rewards/accuracies": (chosen > rejected).float().mean(),
        }
        shares = {
            f"sparsity/{name}": count / tokens.sum().clamp(min=1) for name, count in zeros.items()
        }
        sums = {ZEROS: zeros["reward"] + zeros["kl"], ALL: 2 * tokens.sum()}
        return LossOutput({TERM: Term(values, weights)}, metrics | shares, sums)


def _tokens(example: Example) -> int:
    tokens = example.encoded
    return sum(map(len, tokens.prompts)) + sum(map(len, tokens.branches))
