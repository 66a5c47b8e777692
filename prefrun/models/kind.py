"""The seam between trainer and models: every model is a scorer of a tree's branches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from prefrun.errors import DataError, PluginError
from prefrun.needs import REFERENCE
from prefrun.policy.truncation import TruncationCount

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

    from prefrun.policy.policy import Policy
    from prefrun.records.tree import PreferenceTree
    from prefrun.training.services import Settings


class Reference(Enum):
    """Where the reference's numbers come from."""

    cached = "the start model, asked once; kept by content across runs"
    in_step = "the frozen start model, asked again in every step under the same random draw"
    zero = "none: 0 for every branch"


class Encoded(Protocol):
    """A tree as a model reads it."""

    @property
    def id(self) -> str:
        """The tree's."""
        ...

    @property
    def step_ends(self) -> Sequence[Sequence[int]]:
        """Per branch and step, index one past its last number; the last is the branch's length."""
        ...

    def only(self, branches: Sequence[int]) -> Any:
        """Return the tree with BRANCHES only, in that order."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedBranches:
    """An `Encoded` for models that give each branch one number."""

    id: str
    inputs: tuple[Any, ...]
    """Per branch, whatever `collate` makes a batch of."""
    shared: Any = None
    """What all branches have in common, such as the prompt."""

    @property
    def step_ends(self) -> tuple[tuple[int, ...], ...]:
        """One number per branch, which has one step."""
        return ((1,),) * len(self.inputs)

    def only(self, branches: Sequence[int]) -> EncodedBranches:
        """Return the tree with BRANCHES only, in that order."""
        return replace(self, inputs=tuple(self.inputs[number] for number in branches))


class ModelKind(ABC):
    """A loaded model, as a scorer of branches.

    Trainer, gradient caching, several processes, checkpoints, step-0 gate, reference cache and
    conformance kit know a model by this only. A component of the group `model` returns one from
    its `load()`, or a `LoadedModel`, of which the host makes a `LanguageModel`. Let the class of
    the component have `gives`, too, for errors before anything is loaded.
    """

    gives: ClassVar[frozenset[str]] = frozenset({REFERENCE})
    """What a loss may need of it: see `prefrun.needs`."""
    reference: ClassVar[Reference] = Reference.zero
    """Where the reference's numbers come from."""
    name: str
    """Readable, such as 'tiny'; part of the run's name."""
    fingerprint: str
    """Hex digest of the weights and of everything else that changes a number."""
    module: Module
    """What is trained: the parameters with `requires_grad`."""
    hidden_size: int = 0
    """Width of its hidden states; 0 if it gives none."""
    note: str = ""
    """What the user must see of how it was loaded; also in manifest.json."""

    def configure(self, settings: Settings) -> None:
        """Take the run's SETTINGS, once, before anything else.

        Raises ConfigError for what it cannot work with.
        """
        del settings

    def begin(self, encoded: Sequence[Any]) -> None:
        """Look at the training records ENCODED, once, before the first forward pass.

        Raises PrefrunError if the model cannot be used.
        """
        del encoded

    def begin_as(self, other: Any) -> None:
        """Take over what OTHER, the same model loaded before, found in `begin`."""
        del other

    @property
    def device(self) -> torch.device:
        """Where `module` is."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.module.parameters()).dtype

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(value.numel() for value in self.module.parameters())

    @property
    def forward_note(self) -> str:
        """How trees go through the model, for the run's header; '' = nothing to say."""
        return ""

    def examine(self, settings: Settings, trains: bool) -> list[str]:
        """Return what the user should know of the start model under SETTINGS, a line each.

        TRAINS: whether its weights are to be trained. Raises PrefrunError if it cannot be measured.
        """
        del settings, trains
        return [self.note] if self.note else []

    def adopt(self, tree: PreferenceTree) -> PreferenceTree:
        """Return TREE, which was just read, with all that its branches need to be encoded.

        An algorithm may then split, reorder and relabel it: a branch keeps what it has. Raises
        DataError, naming record and field, if something is missing.
        """
        return tree

    @abstractmethod
    def encode(self, trees: Sequence[PreferenceTree]) -> list[Any]:
        """Return each of TREES as the model reads it, an `Encoded`.

        Raises DataError, naming record and field, for a record that it cannot read.
        """

    def encode_each(self, trees: Sequence[PreferenceTree]) -> list[Any]:
        """Do the same, but return the DataError of a record that cannot be read."""
        result: list[Any] = []
        for tree in trees:
            try:
                result += self.encode([tree])
            except DataError as error:
                result.append(error)
        return result

    def check(self, tree: PreferenceTree, encoded: Any) -> None:
        """Raise DataError if TREE, which became ENCODED, says nothing to the model."""
        del tree, encoded

    def notes(self, trees: Sequence[PreferenceTree], encoded: Sequence[Any]) -> Sequence[str]:
        """Return what the user must know of how TREES became ENCODED, a line each."""
        del trees, encoded
        return ()

    def truncated(self, encoded: Sequence[Any]) -> TruncationCount:
        """Return what of ENCODED was truncated."""
        del encoded
        return TruncationCount()

    def size(self, encoded: Any) -> int:
        """Return how much ENCODED adds to a forward pass, in units of trainer.micro_batch_tokens.

        That of a language model are distinct tokens, of others branches.
        """
        return len(encoded.step_ends)

    def neighbours(self, encoded: Any) -> list[int]:
        """Return the branches of ENCODED in an order in which neighbours share the most."""
        return list(range(len(encoded.step_ends)))

    def order(self, encoded: Sequence[Any]) -> list[int]:
        """Return the order in which ENCODED fill forward passes: a function of the set."""
        return list(range(len(encoded)))

    @abstractmethod
    def collate(self, encoded: Sequence[Any]) -> dict[str, Any]:
        """Return ENCODED as one forward pass' inputs: tensors on the CPU, by names of its own.

        The host adds token_mask [B, K, T], branch_mask [B, K], step_index [B, K, T], slot [N] (the
        N real numbers' positions in a flattened [B, K, T]), steps and ids.
        """

    def draw(self, batch: Mapping[str, Any], generator: torch.Generator) -> Mapping[str, Any]:
        """Return what is drawn at random for a pass over BATCH, by name; it joins BATCH.

        GENERATOR follows seed and step, so that a resumed run draws the same; the reference, and
        the second pass of gradient caching, see the same draw.
        """
        del batch, generator
        return {}

    @abstractmethod
    def forward(
        self, model: Module, batch: Mapping[str, Any], needs: Collection[str]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the numbers [B, K, T] of BATCH with gradient, and what NEEDS name by its name.

        float32 (float64 of a float64 model), 0 outside token_mask. MODEL is `module`, wrapped if
        several processes train it: call it, and not `module`.
        """

    def reference_forward(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the reference's numbers [B, K, T] of BATCH under BATCH's draw (`in_step`)."""
        raise PluginError(
            f"{type(self).__name__} says reference = Reference.in_step, and has no "
            "reference_forward of its own"
        )

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the trained model into FOLDER, which is new and becomes RUN/model once whole."""

    def problem_with(self, folder: Path, trees: Sequence[PreferenceTree]) -> str | None:
        """Load FOLDER again as its users do; return why its numbers on TREES are not those here."""
        del folder, trees
        return None

    def policy(self) -> Policy | None:
        """Return the model as one that completes prompts; None if it only scores branches."""
        return None


class Measure(Protocol):
    """What dividing trees into forward passes asks of a model."""

    def size(self, encoded: Any) -> int:
        """See `ModelKind.size`."""
        ...

    def neighbours(self, encoded: Any) -> Iterable[int]:
        """See `ModelKind.neighbours`."""
        ...
