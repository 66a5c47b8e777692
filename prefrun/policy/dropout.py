"""Switches dropout off: policy and reference, and branches that share a prefix, must agree."""

from __future__ import annotations

from torch import nn

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def disable_dropout(model: nn.Module) -> None:
    """Set every dropout probability of MODEL to 0, also those that layers keep as plain numbers.

    The model's configuration stays as it is, so a saved model has its own dropout again.
    """
    for module in model.modules():
        if isinstance(module, DROPOUTS):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if "drop" in name and isinstance(value, float):
                setattr(module, name, 0.0)
