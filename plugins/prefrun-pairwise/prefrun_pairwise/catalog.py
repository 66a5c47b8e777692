"""Which options each pairwise loss accepts. Standard library only: a config is checked with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossTraits:
    """Which options one loss accepts."""

    smoothing: str = "none"
    """label_smoothing: none (refused) | optional, in [0, 0.5) | required, in (0, 0.5)."""
    divergence: bool = False
    """Accepts an f-divergence other than reverse_kl."""
    batch_coupled: bool = False
    """Sorts over the batch, so that a value belongs to no single pair: refuses WPO weights."""


PAIR_LOSSES: dict[str, LossTraits] = {
    "sigmoid": LossTraits(divergence=True),
    "sigmoid_norm": LossTraits(divergence=True),
    "poly": LossTraits(divergence=True),
    "dpo_gamma": LossTraits(),
    "cdpo": LossTraits(smoothing="optional", divergence=True),
    "robust": LossTraits(smoothing="optional", divergence=True),
    "hinge": LossTraits(divergence=True),
    "ipo": LossTraits(divergence=True),
    "exo_pair": LossTraits(smoothing="required", divergence=True),
    "discopop": LossTraits(divergence=True),
    "nca_pair": LossTraits(),
    "bco_pair": LossTraits(),
    "sppo_hard": LossTraits(),
    "apo_zero": LossTraits(),
    "apo_down": LossTraits(),
    "aot": LossTraits(smoothing="optional", batch_coupled=True),
    "aot_unpaired": LossTraits(smoothing="optional", batch_coupled=True),
    "sft": LossTraits(divergence=True),
}
"""Every loss of `dpo.LOSSES`: TRL 1.16's loss types, cDPO, DPO-gamma and Poly-DPO."""

DIVERGENCES = ("reverse_kl", "forward_kl", "js_divergence", "alpha_divergence")


def check_losses(
    names: Sequence[str],
    *,
    label_smoothing: float = 0.0,
    divergence: str = "reverse_kl",
    gamma: float = 1.0,
    weighting: bool = False,
) -> None:
    """Raise ValueError where an option has no meaning for the losses that are mixed.

    names: keys of PAIR_LOSSES; weighting: whether WPO weights are on. TRL ignores some of these
    options silently, `label_smoothing` with `sigmoid` among them.
    """
    unknown = [name for name in names if name not in PAIR_LOSSES]
    if unknown or not names:
        listed = ", ".join(PAIR_LOSSES)
        raise ValueError(f"loss={', '.join(unknown) or '(none)'}: choose from {listed}")
    _check_smoothing(names, label_smoothing)
    if divergence not in DIVERGENCES:
        raise ValueError(f"divergence={divergence!r}: choose one of {', '.join(DIVERGENCES)}")
    refusing = [name for name in names if not PAIR_LOSSES[name].divergence]
    if divergence != "reverse_kl" and refusing:
        raise ValueError(f"divergence={divergence}: not defined for {', '.join(refusing)}")
    if gamma != 1.0 and "dpo_gamma" not in names:
        raise ValueError(f"gamma={gamma}: only the loss dpo_gamma reads it")
    coupled = [name for name in names if PAIR_LOSSES[name].batch_coupled]
    if weighting and coupled:
        raise ValueError(f"wpo=true: {', '.join(coupled)} sorts over the batch and has no pairs")


def _check_smoothing(names: Sequence[str], label_smoothing: float) -> None:
    """Raise ValueError where label_smoothing is out of range, missing or read by no loss."""
    if not 0.0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing={label_smoothing}: must be in [0, 0.5)")
    smoothed = [name for name in names if PAIR_LOSSES[name].smoothing != "none"]
    if label_smoothing > 0.0 and not smoothed:
        readers = [name for name, traits in PAIR_LOSSES.items() if traits.smoothing != "none"]
        raise ValueError(
            f"label_smoothing={label_smoothing}: not read by {', '.join(names)}; "
            f"these read it: {', '.join(readers)}"
        )
    required = [name for name in names if PAIR_LOSSES[name].smoothing == "required"]
    if label_smoothing == 0.0 and required:
        raise ValueError(f"label_smoothing=0: {', '.join(required)} needs it above 0, such as 1e-3")
