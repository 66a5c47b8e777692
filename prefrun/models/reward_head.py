"""A reward model: a language model's body with one number read off each branch's last token."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from prefrun.builtin.loading import no_progress_bar
from prefrun.errors import ConfigError, first_sentence
from prefrun.models.kind import Reference
from prefrun.models.reading import READS, scored
from prefrun.models.text import TextModel
from prefrun.needs import LAST_HIDDEN, PROMPT_HIDDEN, REFERENCE, TEXT
from prefrun.policy.adapter import has_adapter
from prefrun.policy.collate import lay_out
from prefrun.policy.head import unwrap
from prefrun.policy.linear_logps import at_least_float32
from prefrun.policy.logprobs import attending
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.policy import LoadedModel
from prefrun.policy.rows import make_rows
from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.truncation import TruncationCount

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun.training.services import Settings

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3, torch.bfloat16: 1e-1, torch.float16: 5e-2}
"""Largest difference of a score that rounding explains, by dtype."""


class RewardNetwork(nn.Module):
    """The body, and the head at chosen positions; a module of its own for DDP."""

    def __init__(self, classifier: Any) -> None:
        """CLASSIFIER: a transformers model for sequence classification with one label."""
        super().__init__()
        self.classifier = classifier

    def activation_checkpointing_enable(self, **options: Any) -> None:
        """Compute activations again in the backward pass."""
        self.classifier.activation_checkpointing_enable(**options)

    def forward(
        self, inputs: Mapping[str, Any], last: Tensor, prompt: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores [n] and states [n, H] at the positions LAST, and states at PROMPT [B, H].

        Positions are those of the flattened rows in INPUTS. float32 at least.
        """
        body = getattr(self.classifier, self.classifier.base_model_prefix)
        states = body(**inputs, use_cache=False).last_hidden_state.flatten(0, 1)
        ends = states.index_select(0, last)
        scores = at_least_float32(_head_of(self.classifier)(ends)).squeeze(-1)
        return scores, at_least_float32(ends), at_least_float32(states.index_select(0, prompt))


class RewardHead(TextModel):
    """Scores a branch by a linear head on the state at its last token.

    That is the last one that is no padding token, as transformers' models for sequence
    classification read it; the end of turn counts if the tokenizer pads with another token. The
    head begins at 0, so every score does. K branches of one prompt share it in packed rows.
    """

    gives: ClassVar[frozenset[str]] = frozenset({REFERENCE, TEXT, LAST_HIDDEN, PROMPT_HIDDEN})
    reference: ClassVar[Reference] = Reference.zero

    def __init__(self, loaded: LoadedModel, packing: Packing = PLAIN) -> None:
        """Raises ConfigError if transformers has no model for sequence classification of LOADED."""
        super().__init__(loaded, packing)
        self.network = RewardNetwork(_classifier(loaded))

    @property
    def module(self) -> nn.Module:  # type: ignore[override]
        """Body and head."""
        return self.network

    @property
    def transformer(self) -> Any:
        """The model for sequence classification."""
        return self.network.classifier

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(value.numel() for value in self.network.parameters())

    def configure(self, settings: Settings) -> None:
        """Take the length limits; they are saved with the model."""
        super().configure(settings)
        limits = settings.trainer
        reads = {
            "max_length": limits.max_length,
            "max_prompt_length": limits.max_prompt_length,
            "truncation": limits.truncation,
        }
        setattr(self.network.classifier.config, READS, reads)

    def encode(self, trees: Sequence[PreferenceTree]) -> list[Any]:
        """Tokenise TREES."""
        pad = self.loaded.tokenizer.pad_token_id
        return [scored(tokens, pad) for tokens in super().encode(trees)]

    def encode_each(self, trees: Sequence[PreferenceTree]) -> list[Any]:
        """Tokenise TREES; a DataError in the place of one that cannot be."""
        pad = self.loaded.tokenizer.pad_token_id
        found = super().encode_each(trees)
        return [scored(e, pad) if isinstance(e, TokenisedTree) else e for e in found]

    def check(self, tree: PreferenceTree, encoded: Any) -> None:
        """Raise DataError if answers became empty, or equal token by token."""
        super().check(tree, encoded.tokens)

    def notes(self, trees: Sequence[PreferenceTree], encoded: Sequence[Any]) -> Sequence[str]:
        """Return what the chat template does."""
        return super().notes(trees, [each.tokens for each in encoded])

    def begin(self, encoded: Sequence[Any]) -> None:
        """Choose the packing, by the log-probs of the language model."""
        super().begin([each.tokens for each in encoded])

    def truncated(self, encoded: Sequence[Any]) -> TruncationCount:
        """Return what the length limits cost."""
        return super().truncated([each.tokens for each in encoded])

    def size(self, encoded: Any) -> int:
        """Return the distinct tokens, padding left aside."""
        return super().size(encoded.tokens)

    def neighbours(self, encoded: Any) -> list[int]:
        """Order branches by their ids."""
        return super().neighbours(encoded.tokens)

    def order(self, encoded: Sequence[Any]) -> list[int]:
        """Take the longest first."""
        return super().order([each.tokens for each in encoded])

    def collate(self, encoded: Sequence[Any]) -> dict[str, Any]:
        """Return rows, and where in them each branch and each prompt ends."""
        trees = [each.tokens for each in encoded]
        rows = make_rows(trees, self.loaded.tokenizer.pad_token_id, self.packing)
        place, source, gather = (rows.pop(name) for name in ("place", "source", "gather"))
        del rows["target"]
        lengths = torch.tensor([len(ids) for tree in trees for ids in tree.branches])
        ends = lengths.cumsum(0)
        counts = torch.tensor([len(tree.branches) for tree in trees])
        first = (ends - lengths)[counts.cumsum(0) - counts]
        return rows | {"last": place[gather[ends - 1]], "prompt": source[gather[first]]}

    def forward(
        self, model: nn.Module, batch: Mapping[str, Any], needs: Collection[str]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scores [B, K, 1], and the hidden states that NEEDS name."""
        with attending(self.transformer, batch) as inputs:
            scores, ends, prompts = model(inputs, batch["last"], batch["prompt"])
        extras = {}
        if LAST_HIDDEN in needs:
            mask: Tensor = batch["branch_mask"]
            flat = ends.new_zeros(mask.numel(), ends.shape[-1])
            flat = flat.index_copy(0, mask.flatten().nonzero().squeeze(-1), ends)
            extras[LAST_HIDDEN] = flat.view(*mask.shape, -1)
        if PROMPT_HIDDEN in needs:
            extras[PROMPT_HIDDEN] = prompts
        return lay_out(scores, batch["slot"], batch["token_mask"]), extras

    def save(self, folder: Path) -> None:
        """Write a true `AutoModelForSequenceClassification` with one label, and its tokenizer."""
        with no_progress_bar():
            self._whole().save_pretrained(folder)
        self.loaded.tokenizer.save_pretrained(folder)

    def problem_with(self, folder: Path, trees: Sequence[PreferenceTree]) -> str | None:
        """Return how the scores of TREES differ if plain transformers load FOLDER."""
        model = self.transformer
        try:
            with no_progress_bar():
                again = AutoModelForSequenceClassification.from_pretrained(
                    folder, dtype=model.dtype
                )
        except Exception as error:  # whatever a file can do to transformers and safetensors
            return f"it cannot be loaded: {first_sentence(error)}"
        again = again.to(self.device).eval()
        self.network.eval()
        limit = TOLERANCE.get(model.dtype, TOLERANCE[torch.float32])
        for tree in self.encode(trees):
            for prompt, ids in zip(tree.tokens.prompts, tree.tokens.branches, strict=True):
                row = torch.tensor([[*prompt, *ids]], device=self.device)
                with torch.no_grad():
                    last = torch.tensor([row.numel() - 1], device=self.device)
                    inputs = {"input_ids": row, "attention_mask": torch.ones_like(row)}
                    own = float(self.network(inputs, last, last)[0])
                    found = float(again(**inputs).logits.float())
                if not abs(own - found) <= limit * max(1.0, abs(own)):
                    return f"record {tree.id} scores {found:.6g}, and {own:.6g} in the run"
        return None

    def _whole(self) -> Any:
        """The classifier without a trace of adapters."""
        if not has_adapter(self.loaded.model):
            return self.network.classifier
        classifier = self.network.classifier
        adapted, head = deepcopy((self.loaded.model, _head_of(classifier)))
        merged = _classifier(replace(self.loaded, model=adapted.merge_and_unload()))
        _head_of(merged).load_state_dict(head.state_dict())
        setattr(merged.config, READS, getattr(classifier.config, READS))
        return merged


def _classifier(loaded: LoadedModel) -> Any:
    """Return a model for sequence classification around the body of LOADED, its head at 0."""
    language_model = unwrap(loaded.model)
    config = language_model.config
    config.num_labels = 1
    config.pad_token_id = loaded.tokenizer.pad_token_id
    config.get_text_config().pad_token_id = loaded.tokenizer.pad_token_id
    try:
        with torch.device("meta"):
            make: Any = AutoModelForSequenceClassification.from_config
            classifier = make(config)
    except ValueError as error:
        raise ConfigError(
            f"model=reward_head: transformers has no sequence classification for a "
            f"{config.model_type}: {first_sentence(error)}\n  remedy: choose another model.base"
        ) from error
    setattr(classifier, classifier.base_model_prefix, language_model.base_model)
    head = _head_of(classifier)
    weight = torch.zeros(head.weight.shape, dtype=language_model.dtype)
    head.weight = nn.Parameter(weight.to(language_model.device))
    if head.bias is not None:
        head.bias = nn.Parameter(torch.zeros(1).to(weight).to(language_model.device))
    classifier.config = config
    config.architectures = [type(classifier).__name__]
    return classifier


def _head_of(classifier: Any) -> nn.Linear:
    """The layer that makes scores. Raises ConfigError if there is not exactly one."""
    layers = [module for module in classifier.children() if isinstance(module, nn.Linear)]
    if len(layers) != 1:
        raise ConfigError(
            f"model=reward_head: {type(classifier).__name__} has no plain linear head\n"
            "  remedy: choose another model.base"
        )
    return layers[0]
