"""What a method keeps beside the policy goes through a checkpoint."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO
from unittest import SkipTest

import torch
from torch.nn import Module

from prefrun.algorithm import LossAlgorithm
from prefrun.testing.algorithm.purity import PURE
from prefrun.testing.algorithm.subject import AlgorithmSubject, assert_same
from prefrun.testing.batches import WIDTH
from prefrun.testing.reshaping import copy_batch
from prefrun.testing.suite import Property


def module_survives_saving(subject: AlgorithmSubject) -> None:
    """After a step, a new module that loads the old one's state gives the same loss."""
    if subject.losses.module is None:
        raise SkipTest("it keeps nothing beside the policy")
    old = _with_module(subject, deepcopy(subject.losses.module))
    assert old.module is not None
    with torch.no_grad():
        for value in old.module.state_dict().values():
            if value.is_floating_point():
                value.mul_(0.9)
    batch = subject.batch()
    old.step_done(old.loss(copy_batch(batch)).sums)
    checkpoint = BytesIO()
    torch.save(old.module.state_dict(), checkpoint)
    checkpoint.seek(0)
    made = old.make_module(WIDTH)
    assert made is not None, "make_module returned a module once and None the next time"
    new = _with_module(subject, made.double())
    assert new.module is not None
    new.module.load_state_dict(torch.load(checkpoint, weights_only=True))
    seen = new.loss(copy_batch(batch)).loss
    assert_same(seen, old.loss(copy_batch(batch)).loss, "saving and loading the module")


def _with_module(subject: AlgorithmSubject, module: Module) -> LossAlgorithm:
    """A new instance that keeps MODULE."""
    built = subject.build()
    assert isinstance(built, LossAlgorithm)
    built.module = module
    return built


PROPERTIES = (Property(module_survives_saving, PURE),)
