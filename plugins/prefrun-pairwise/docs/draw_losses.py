"""Draws docs/losses.png: the losses of a pair by its margin d, and how hard they pull.

python docs/draw_losses.py
"""

from __future__ import annotations

from pathlib import Path

import torch

from prefrun.rundir.figure import picture
from prefrun_pairwise.dpo import LOSSES, PairKnobs
from prefrun_pairwise.pairs import Pairs

KNOBS = PairKnobs(beta=1.0, label_smoothing=0.1, ipo_normalize="sum", poly_alpha=2.0)
CURVES = {
    "sigmoid": "sigmoid (DPO)",
    "cdpo": "cdpo, eps = 0.1",
    "hinge": "hinge",
    "ipo": "ipo, summed",
    "exo_pair": "exo_pair, eps = 0.1",
    "discopop": "discopop",
    "poly": "poly, alpha = 2",
}


def draw(path: Path) -> None:
    """Draw into PATH, a PNG."""
    margins = torch.linspace(-4, 5, 181, dtype=torch.float64, requires_grad=True)
    zeros = torch.zeros_like(margins)
    pairs = Pairs(
        margins, zeros, zeros, zeros, torch.ones_like(margins), torch.ones_like(margins), -margins
    )
    with picture(path, 2, 4.6, 3.4) as (_, (left, right)):
        for name, label in CURVES.items():
            values = LOSSES[name](pairs, KNOBS)
            (slopes,) = torch.autograd.grad(values.sum(), margins)
            left.plot(margins.tolist(), values.tolist(), label=label)
            right.plot(margins.tolist(), (-slopes).tolist(), label=label)
        left.set(xlabel="margin beta d", ylabel="loss", ylim=(-0.2, 6), title="Loss of a pair")
        right.set(xlabel="margin beta d", ylabel="- d loss / d margin", ylim=(-1, 3), title="Pull")
        right.legend(loc="upper right", fontsize=8)


if __name__ == "__main__":
    draw(Path(__file__).with_name("losses.png"))
