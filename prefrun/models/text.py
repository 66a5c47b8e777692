"""Language models, and what they share with reward heads: trees as rows of tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from prefrun.models.kind import ModelKind, Reference
from prefrun.models.start import check_start
from prefrun.models.text_records import check_usable
from prefrun.needs import MARKS
from prefrun.policy.hidden_states import HIDDEN_STATES
from prefrun.policy.logprobs import EXTRAS, token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.packing_choice import choose_packing
from prefrun.policy.rows import make_rows
from prefrun.policy.scoring import longest_first
from prefrun.policy.template_notes import template_notes
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.policy.truncation import TruncationCount
from prefrun.sharing import sharing

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

    from prefrun.policy.policy import LoadedModel
    from prefrun.records.tree import PreferenceTree
    from prefrun.training.services import Settings

SAMPLED_RECORDS = 8
"""Training records whose text the model is checked on."""


class TextModel(ModelKind):
    """A transformers model that reads a tree's tokens, each shared one once."""

    tokeniser: Tokeniser
    """Under the run's length limits."""

    def __init__(self, loaded: LoadedModel, packing: Packing = PLAIN) -> None:
        """PACKING: how trees become rows, until `begin` has looked for the fastest way."""
        self.loaded, self.packing = loaded, packing
        self.name, self.fingerprint, self.note = loaded.name, loaded.fingerprint, loaded.note

    def configure(self, settings: Settings) -> None:
        """Take the length limits."""
        limits = settings.trainer
        self.tokeniser = Tokeniser(
            self.loaded.tokenizer, limits.max_length, limits.max_prompt_length, limits.truncation
        )

    def begin(self, encoded: Sequence[TokenisedTree]) -> None:
        """Choose the packing. Raises ConfigError; see `choose_packing`."""
        loaded = self.loaded
        text = [
            token
            for tree in encoded[:SAMPLED_RECORDS]
            for prompt, ids in zip(tree.prompts, tree.branches, strict=True)
            for token in (*prompt, *ids)
        ]
        self.sample_text = text
        self.packing = sharing.get(
            "packing",
            (loaded.fingerprint, loaded.attention, str(self.device)),
            lambda: choose_packing(loaded.model, loaded.attention, text),
        )

    def begin_as(self, other: Any) -> None:
        """Take over packing and text."""
        self.packing, self.sample_text = other.packing, other.sample_text

    @property
    def transformer(self) -> Any:
        """The transformers model that attends."""
        return self.loaded.model

    @property
    def module(self) -> Module:  # type: ignore[override]
        """The transformers model, with an adapter if it has one."""
        module: Module = self.loaded.model
        return module

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.loaded.model.device
        return device

    @property
    def hidden_size(self) -> int:  # type: ignore[override]
        """Width of the last hidden states."""
        size: int = self.loaded.model.config.get_text_config().hidden_size
        return size

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        dtype: torch.dtype = self.loaded.model.dtype
        return dtype

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        count: int = self.loaded.model.num_parameters()
        return count

    @property
    def forward_note(self) -> str:
        """How trees become rows."""
        return self.packing.note

    def examine(self, settings: Settings, trains: bool) -> list[str]:
        """See `check_start`."""
        return check_start(self.loaded, settings.trainer, settings.evaluation, trains)

    def encode(self, trees: Sequence[PreferenceTree]) -> list[TokenisedTree]:
        """Tokenise TREES."""
        return self.tokeniser.tokenise_all(trees)

    def encode_each(self, trees: Sequence[PreferenceTree]) -> list[Any]:
        """Tokenise TREES; a DataError in the place of one that cannot be."""
        return self.tokeniser.tokenise_each(trees)

    def check(self, tree: PreferenceTree, encoded: TokenisedTree) -> None:
        """Raise DataError if answers became empty, or equal token by token."""
        check_usable(self.tokeniser, tree, encoded)

    def notes(
        self, trees: Sequence[PreferenceTree], encoded: Sequence[TokenisedTree]
    ) -> Sequence[str]:
        """Return what the chat template does."""
        return template_notes(self.tokeniser, trees, [each.change for each in encoded])

    def truncated(self, encoded: Sequence[TokenisedTree]) -> TruncationCount:
        """Return what the length limits cost."""
        return TruncationCount.of(encoded)

    def size(self, encoded: TokenisedTree) -> int:
        """Return the distinct tokens, padding left aside."""
        return self.packing.size(encoded)

    def neighbours(self, encoded: TokenisedTree) -> list[int]:
        """Order branches by their ids."""
        return self.packing.neighbours(encoded)

    def order(self, encoded: Sequence[TokenisedTree]) -> list[int]:
        """Take the longest first."""
        return longest_first(encoded)

    def collate(self, encoded: Sequence[TokenisedTree]) -> dict[str, Any]:
        """Return rows of tokens."""
        return make_rows(encoded, self.loaded.tokenizer.pad_token_id, self.packing)


class LanguageModel(TextModel):
    """A causal language model: a branch's numbers are the log-probs of its tokens."""

    gives: ClassVar[frozenset[str]] = frozenset({*MARKS, *EXTRAS, *HIDDEN_STATES})
    reference: ClassVar[Reference] = Reference.cached

    def forward(
        self, model: Module, batch: Mapping[str, Any], needs: Collection[str]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `token_logprobs`."""
        return token_logprobs(model, batch, frozenset(needs))

    def save(self, folder: Path) -> None:
        """Write model and tokenizer in Hugging Face layout."""
        from prefrun.models.text_files import save

        save(self.loaded, folder)

    def problem_with(self, folder: Path, trees: Sequence[PreferenceTree]) -> str | None:
        """Return how log-probs of TREES differ if plain transformers or peft load FOLDER."""
        from prefrun.models.text_files import problem_with

        return problem_with(self, folder, trees)
