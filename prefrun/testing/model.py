"""The conformance suite of models: what is loaded can be trained, and is what is saved then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prefrun.builtin.config import NoModelConfig
from prefrun.builtin.loading import stored_tokenizer
from prefrun.component import Component
from prefrun.policy.adapter import has_adapter, save_weights
from prefrun.policy.head import unwrap
from prefrun.testing import component as shared
from prefrun.testing.component import ComponentSubject
from prefrun.testing.composition import find_component
from prefrun.testing.suite import Property, Report, Suite, settle

if TYPE_CHECKING:
    from prefrun.policy.policy import LoadedModel

TEXT = "Name a colour."
TOLERANCE = 1e-4
"""Largest difference of a log-prob, in nats, between two processes in float32."""
LOADING = """
import json, sys, torch
from importlib import import_module
from transformers import AutoTokenizer

module, name, folder, dtype = sys.argv[1:]
loader = getattr(import_module(module), name)
model = loader.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
ids = AutoTokenizer.from_pretrained(folder)(sys.stdin.read(), return_tensors="pt").input_ids
with torch.no_grad():
    logps = model(input_ids=ids).logits.double().log_softmax(-1)
print(json.dumps([ids.tolist(), logps.flatten()[::17].tolist()]))
"""
"""What anyone would write who knows nothing of prefrun."""


class ModelSubject(ComponentSubject):
    """A model component, and what it loads."""

    @cached_property
    def loaded(self) -> LoadedModel:
        """On whatever device it chooses."""
        if isinstance(self.settings, NoModelConfig):
            raise SkipTest("it is no model")
        return self.build().load()  # type: ignore[no-any-return]


def something_can_be_trained(subject: ModelSubject) -> str:
    """Some weights are trained."""
    values = list(subject.loaded.model.parameters())
    count = sum(value.numel() for value in values if value.requires_grad)
    assert count, "no weight has requires_grad"
    return f"{count} of {sum(value.numel() for value in values)} weights"


def saved_is_what_was_trained(subject: ModelSubject) -> None:
    """Its weights changed and saved, a plain loader in a new process gets the same log-probs."""
    loaded = subject.loaded
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in loaded.model.parameters():
            if value.requires_grad:
                value.add_(0.02 * torch.randn(value.shape, generator=draw).to(value))
    model = loaded.model.cpu().eval()
    ids = loaded.tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.no_grad():
        logps = model(input_ids=ids).logits.double().log_softmax(-1).flatten()[::17]
    with TemporaryDirectory() as folder:
        save_weights(model, Path(folder))
        stored_tokenizer(loaded.tokenizer).save_pretrained(folder)
        found_ids, found = _load_elsewhere(model, folder)
    assert found_ids == ids.tolist(), f"the saved tokenizer makes {found_ids} of {TEXT!r}"
    difference = float((torch.tensor(found, dtype=torch.float64) - logps).abs().max())
    assert difference <= TOLERANCE, f"log-probs differ by {difference:.3g} nats"


def _load_elsewhere(model: Any, folder: str) -> Any:
    base = unwrap(model)
    place = ("transformers", "AutoModelForCausalLM")
    if has_adapter(model):
        place = ("peft", "AutoPeftModelForCausalLM")
    elif type(base.config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        place = (type(base).__module__, type(base).__name__)
    words = [sys.executable, "-c", LOADING, *place, folder, str(base.dtype).removeprefix("torch.")]
    done = subprocess.run(words, input=TEXT, capture_output=True, text=True, check=False)
    assert not done.returncode, f"it cannot be loaded: {done.stderr.strip().splitlines()[-1:]}"
    return json.loads(done.stdout)


PROPERTIES = (
    *shared.PROPERTIES,
    Property(something_can_be_trained, ("factory_loads",)),
    Property(saved_is_what_was_trained, ("something_can_be_trained",)),
)


def check_model(
    model: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> Report:
    """Run every check of a model and return the verdicts.

    MODEL: what follows `model=`, or a Component. OVERRIDES: such as 'lora.rank=4'; further
    arguments and errors as for `check_algorithm`.
    """
    return settle(suite_of(model, overrides))


def suite_of(
    model: str | Component,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return the checks of a model, none of them judged yet."""
    return Suite(ModelSubject(find_component("model", model), overrides), PROPERTIES)
