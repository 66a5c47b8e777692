"""The masks of a batch under one configuration."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prefrun_robust.sparsepo.config import MaskModel, SparsePoConfig, Variant
from prefrun_robust.sparsepo.forward import Batch, ReferenceTokens, on_answers
from prefrun_robust.sparsepo.masks import MaskHead, activation_mask

REWARD, KL = "reward", "kl"


class TokenMasks(nn.Module):
    """Weighs the reward and the KL term of each token. Has parameters where masks are learned."""

    def __init__(self, config: SparsePoConfig, layers: int, hidden: int) -> None:
        """LAYERS, HIDDEN: number and width of the reference's layers."""
        super().__init__()
        self.config = config
        self.kind, _, span = config.mask_model.name.partition("_")
        self.last_only = span == "last"
        self.heads = nn.ModuleDict()
        if config.variant in (Variant.common, Variant.independent) and self.kind != "random":
            names = [REWARD] if config.variant is Variant.common else [REWARD, KL]
            count = 1 if self.last_only else layers
            for name in names:
                self.heads[name] = MaskHead(
                    self.kind, count, hidden, config.mask_dropout, config.initial_mask
                )

    @property
    def activations(self) -> list[str]:
        """What `read_reference` must keep."""
        return list(self.config.activations) if self.config.variant is Variant.mapo else []

    def forward(self, reference: ReferenceTokens, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the masks of reward and KL, [P, 2, T] each, 0 in the padding."""
        tokens = batch["token_mask"]
        ones = tokens.to(torch.float32)
        reward = kl = ones
        if self.config.variant is Variant.mapo:
            reward = kl = self._from_activations(reference, batch)
        elif self.config.variant is not Variant.ones:
            reward = self._learned(REWARD, reference, batch)
            is_common = self.config.variant is Variant.common
            kl = reward if is_common else self._learned(KL, reference, batch)
        return (
            reward if self.config.mask_on_reward else ones,
            kl if self.config.mask_on_kl else ones,
        )

    def _learned(self, name: str, reference: ReferenceTokens, batch: Batch) -> Tensor:
        if self.config.mask_model is MaskModel["random"]:
            drawn = torch.rand(len(reference.rows))  # on the CPU: the same on every device
            return on_answers(drawn.to(reference.rows.device), batch)
        hidden = reference.hidden[:, -1:] if self.last_only else reference.hidden
        return on_answers(self.heads[name](hidden.float()), batch)

    def _from_activations(self, reference: ReferenceTokens, batch: Batch) -> Tensor:
        tokens = batch["token_mask"].flatten(0, 1)
        laid_out = {
            kind: [on_answers(each, batch).flatten(0, 1) for each in hooks]
            for kind, hooks in reference.activations.items()
        }
        return activation_mask(laid_out, tokens).view_as(batch["token_mask"])
