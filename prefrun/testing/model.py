"""The conformance suite of models: what is loaded can be trained, and is what is saved then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prefrun.builtin.config import NoModelConfig
from prefrun.builtin.loading import no_progress_bar, stored_tokenizer
from prefrun.component import Component
from prefrun.errors import PrefrunError, first_sentence
from prefrun.models.kind import ModelKind
from prefrun.models.text import LanguageModel
from prefrun.needs import Per, given_by, need_called, tensors_of
from prefrun.policy.adapter import has_adapter, save_weights
from prefrun.policy.collate import layout
from prefrun.policy.head import unwrap
from prefrun.policy.policy import LoadedModel
from prefrun.policy.scoring import numbers_of as collected
from prefrun.policy.scoring import to_device
from prefrun.records.tree import PreferenceTree
from prefrun.schema import CacheConfig, EvaluationConfig, TrainerConfig
from prefrun.testing import component as shared
from prefrun.testing.component import ComponentSubject
from prefrun.testing.composition import find_component
from prefrun.testing.suite import Property, Report, Suite, settle
from prefrun.testing.trees import make_trees

TEXT = "Name a colour."
TOLERANCE = 1e-4
"""Largest difference of a number, in nats, between two batches or processes in float32."""
BUDGET = 4096
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

    def load(self) -> ModelKind:
        """Load it anew, on whatever device it chooses."""
        if isinstance(self.settings, NoModelConfig):
            raise SkipTest("it is no model")
        loaded = self.build().load()
        kind: ModelKind = LanguageModel(loaded) if isinstance(loaded, LoadedModel) else loaded
        kind.configure(Defaults())
        return kind

    @cached_property
    def kind(self) -> ModelKind:
        """As it is loaded, until `saved_is_what_was_trained` changes its weights."""
        kind = self.load()
        kind.begin(kind.encode(self.trees_for(kind)))
        return kind

    @cached_property
    def trees(self) -> list[PreferenceTree]:
        """Records that the model can read, as it adopted them: its own, or made ones."""
        return self.trees_for(self.kind)

    def trees_for(self, kind: ModelKind) -> list[PreferenceTree]:
        """Return the component's `examples()`, else made records. Raises SkipTest if unreadable."""
        source = self.build()
        if hasattr(source, "examples"):
            return [kind.adopt(tree) for tree in source.examples()]
        made = make_trees(6, 3)
        texts = [tree for tree in made if isinstance(tree.prompt, str)]  # needs no chat template
        for given in (made, texts):
            try:
                trees = [kind.adopt(tree) for tree in given]
                kind.encode(trees)
            except PrefrunError as error:
                reason = first_sentence(error)
            else:
                return trees
        raise SkipTest(
            f"it cannot read the kit's records ({reason}): give the component a method "
            "examples() -> list[PreferenceTree]"
        )


@dataclass(frozen=True)
class Defaults:
    """A run's settings as they are by default."""

    seed: int = 0
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)


def needs_are_told_before_loading(subject: ModelSubject) -> None:
    """The component's `gives` is what the loaded model gives."""
    declared, given = given_by(subject.build()), subject.kind.gives
    assert declared == given, f"the component gives {sorted(declared)}, its model {sorted(given)}"


def loads_the_same_again(subject: ModelSubject) -> None:
    """A second load has the fingerprint and the numbers of the first."""
    again = subject.load()
    assert again.fingerprint == subject.kind.fingerprint, "another fingerprint"
    again.begin(again.encode(subject.trees_for(again)))
    first, second = (numbers_of(kind, subject.trees) for kind in (subject.kind, again))
    assert first == second, f"numbers {second[:3]}, were {first[:3]}"


def numbers_are_sound(subject: ModelSubject) -> None:
    """A finite number per branch and token, with gradient, the same whatever is beside it."""
    kind, trees = subject.kind, subject.trees
    batch = _batch(kind, trees)
    numbers, _ = kind.forward(kind.module, batch, ())
    shape = tuple(batch["token_mask"].shape)
    assert tuple(numbers.shape) == shape, f"numbers of shape {tuple(numbers.shape)}, not {shape}"
    assert numbers.dtype in (torch.float32, torch.float64), f"numbers in {numbers.dtype}"
    assert numbers.requires_grad, "the numbers carry no gradient"
    assert torch.isfinite(numbers).all(), "a number is not finite"
    outside = numbers.detach()[~batch["token_mask"]]
    assert not outside.any(), "a number outside token_mask is not 0"
    together = numbers_of(kind, trees)
    for order in (trees[::-1], trees[:1]):
        alone = numbers_of(kind, order)
        for tree, values in zip(order, alone, strict=True):
            known = together[trees.index(tree)]
            gap = max(abs(a - b) for a, b in zip(values, known, strict=True))
            assert gap <= TOLERANCE * max(1.0, *map(abs, known)), (
                f"record {tree.id} has other numbers in another batch, by {gap:.3g}"
            )


def branches_are_cut_rightly(subject: ModelSubject) -> None:
    """A tree in pieces, each branch by itself, has the numbers of the whole tree."""
    kind, tree = subject.kind, subject.trees[0]
    (whole,) = numbers_of(kind, [tree])
    (encoded,) = kind.encode([tree])
    parts: list[float] = []
    for branch in range(len(tree.branches)):
        (values,) = _numbers(kind, [encoded.only([branch])])
        parts += values
    gap = max(abs(a - b) for a, b in zip(parts, whole, strict=True))
    assert gap <= TOLERANCE * max(1.0, *map(abs, whole)), f"numbers differ by {gap:.3g}"


def gives_what_it_says(subject: ModelSubject) -> str:
    """Everything named in `gives` comes with its shape."""
    kind = subject.kind
    names = tensors_of(kind.gives)
    if not names:
        raise SkipTest("it gives its numbers only")
    batch = _batch(kind, subject.trees)
    _, extras = kind.forward(kind.module, batch, frozenset(names))
    trees, branches, longest = batch["token_mask"].shape
    for name in names:
        assert name in extras, f"{name} is in `gives`, and not in what forward returns"
        need = need_called(name)
        width = (kind.hidden_size,) if need.is_hidden else ()
        wanted = {
            Per.token: (trees, branches, longest),
            Per.step: (trees, branches, batch["steps"]),
            Per.branch: (trees, branches),
            Per.tree: (trees,),
        }[need.per] + width
        found = tuple(extras[name].shape)
        assert found == wanted, f"{name} has the shape {found}, not {wanted}"
        assert extras[name].requires_grad == need.has_gradient, f"{name} and its gradient"
    return ", ".join(names)


def _batch(kind: ModelKind, trees: Sequence[PreferenceTree]) -> dict[str, Any]:
    encoded = kind.encode(trees)
    batch = to_device(kind.collate(encoded) | layout(encoded), kind.device)
    drawn = kind.draw(batch, torch.Generator().manual_seed(0))
    return batch | to_device(dict(drawn), kind.device)


def numbers_of(kind: ModelKind, trees: Sequence[PreferenceTree]) -> list[list[float]]:
    """Return the numbers of each of TREES, branch by branch, without gradient."""
    return _numbers(kind, kind.encode(trees))


def _numbers(kind: ModelKind, encoded: Sequence[Any]) -> list[list[float]]:
    trees = collected(kind, encoded, BUDGET)
    return [[float(number) for values in tree for number in values] for tree in trees]


def something_can_be_trained(subject: ModelSubject) -> str:
    """Some weights are trained."""
    values = list(subject.kind.module.parameters())
    count = sum(value.numel() for value in values if value.requires_grad)
    assert count, "no weight has requires_grad"
    return f"{count} of {sum(value.numel() for value in values)} weights"


def saved_is_what_was_trained(subject: ModelSubject) -> None:
    """Its weights changed and saved, what is loaded from the files gives the same numbers."""
    kind, draw = subject.load(), torch.Generator().manual_seed(0)
    if not isinstance(kind, LanguageModel):
        kind.begin(kind.encode(subject.trees_for(kind)))
    with torch.no_grad():
        for value in kind.module.parameters():
            if value.requires_grad:
                value.add_(0.02 * torch.randn(value.shape, generator=draw).to(value))
    if isinstance(kind, LanguageModel):
        _check_saved_text(kind.loaded)
        return
    with TemporaryDirectory() as place:
        folder = Path(place, "model")
        kind.save(folder)
        assert any(folder.iterdir()), "save(folder) wrote nothing"
        problem = kind.problem_with(folder, subject.trees_for(kind))
        assert problem is None, problem
        if type(kind).problem_with is ModelKind.problem_with:
            return
        with torch.no_grad():
            for value in kind.module.parameters():
                value.add_(0.5 * torch.randn(value.shape, generator=draw).to(value))
        assert kind.problem_with(folder, subject.trees_for(kind)), (
            "problem_with finds nothing wrong with files of other weights"
        )


def _check_saved_text(loaded: LoadedModel) -> None:
    """In a new process a plain loader must get the same log-probs."""
    model = loaded.model.cpu().eval()
    ids = loaded.tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.no_grad():
        logps = model(input_ids=ids).logits.double().log_softmax(-1).flatten()[::17]
    with TemporaryDirectory() as folder:
        with no_progress_bar():
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
    Property(needs_are_told_before_loading, ("something_can_be_trained",)),
    Property(numbers_are_sound, ("something_can_be_trained",)),
    Property(branches_are_cut_rightly, ("numbers_are_sound",)),
    Property(gives_what_it_says, ("numbers_are_sound",)),
    Property(loads_the_same_again, ("numbers_are_sound",)),
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
