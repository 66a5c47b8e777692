"""reward=classifier: a sequence-classification model scores the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from prefrun.builtin.hub import is_reachable
from prefrun.builtin.loading import chosen_device, no_progress_bar
from prefrun.builtin.reward_text import reward_text
from prefrun.errors import ConfigError, closest, first_sentence
from prefrun.models.reading import READS, scored
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Branch, Step

if TYPE_CHECKING:
    from prefrun.builtin.config import ClassifierRewardConfig
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


class ClassifierReward:
    """A reward model. The weights are loaded at the first score, all else is checked at once."""

    def __init__(self, config: ClassifierRewardConfig) -> None:
        """Raises ConfigError where the model is missing, is no classifier, or lacks the label."""
        self.config = config
        self.name = f"classifier {Path(config.path).name}"
        self._device = chosen_device(config.device, "reward.device")
        self._path = _located(config.path)
        try:
            settings = AutoConfig.from_pretrained(self._path, **self._options())
            self._tokenizer = AutoTokenizer.from_pretrained(self._path, **self._options())
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise _not_loaded(config.path, error) from error
        _check_architecture(config.path, settings)
        self._column = _column(config, settings)
        self._pad = self._tokenizer.pad_token_id
        # without a padding token the model would read another token's output in a padded batch
        self._batch_size = 1 if self._pad is None else config.batch_size
        self._max_length = _max_length(config.max_length, settings, self._tokenizer)
        reads = getattr(settings, READS, None)
        self._tokeniser = Tokeniser(self._tokenizer, **reads) if reads else None

    def of(self, data: DataSplit) -> ClassifierReward:
        """Return this reward; it is the same for all data."""
        del data
        return self

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return the chosen output (a logit) for each prompt with its response."""
        ids = [self._ids(tree, response) for tree, response in zip(trees, responses, strict=True)]
        scores: list[float] = []
        for start in range(0, len(ids), self._batch_size):
            scores += self._logits(ids[start : start + self._batch_size]).tolist()
        return scores

    def _ids(self, tree: PreferenceTree, response: str) -> list[int]:
        """Token ids; of a text that is too long the end, behind its first special token.

        A model that was trained here reads as it did in training.
        """
        if self._tokeniser is not None:
            answered = replace(tree, branches=(Branch((Step(response),)),))
            tokens = scored(self._tokeniser.tokenise(answered), self._pad).tokens
            return [*tokens.prompts[0], *tokens.branches[0]]
        text, chat = reward_text(self._tokenizer, tree, response)
        ids: list[int] = self._tokenizer(text, add_special_tokens=not chat)["input_ids"]
        if len(ids) <= self._max_length:
            return ids
        first = ids[0] in (self._tokenizer.bos_token_id, self._tokenizer.cls_token_id)
        return ids[:first] + ids[len(ids) - self._max_length + first :]

    @torch.inference_mode()
    def _logits(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """[N] float32 on the CPU. Padding is on the right, where a causal model does not see it."""
        longest = max(map(len, ids))
        tokens = torch.full((len(ids), longest), self._pad or 0)
        mask = torch.zeros_like(tokens)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
        output = self._model(
            input_ids=tokens.to(self._device), attention_mask=mask.to(self._device)
        )
        logits: Tensor = output.logits
        return logits[:, self._column].float().cpu()

    def _options(self) -> dict[str, Any]:
        """Code from the hub is never run; where it cannot be reached, only its cache is asked."""
        local = Path(self._path).is_dir()
        return {"trust_remote_code": False, "local_files_only": not local and not is_reachable()}

    @cached_property
    def _model(self) -> Any:
        dtype = self.config.dtype.value
        if dtype == "auto" and self._device.type == "cpu":
            dtype = "float32"  # most CPUs are slow at anything else
        try:
            with no_progress_bar():
                model, report = AutoModelForSequenceClassification.from_pretrained(
                    self._path, dtype=dtype, output_loading_info=True, **self._options()
                )
        except Exception as error:  # safetensors and torch have exceptions of their own
            raise _not_loaded(self.config.path, error) from error
        if report["missing_keys"]:
            raise ConfigError(
                f"reward.path={self.config.path} lacks weights: {sorted(report['missing_keys'])[0]}"
            )
        model.config.get_text_config().pad_token_id = self._pad
        return model.eval().to(self._device)


def _located(path: str) -> str:
    """Return the folder, or the name on the hub, which has one slash at most.

    Raises ConfigError for a folder that is missing or holds no weights.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        if folder.is_file() or path.startswith((".", "/", "~")) or path.count("/") > 1:
            raise ConfigError(f"reward.path={path}: there is no such folder")
        return path
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
        raise ConfigError(
            f"reward.path={path} holds no weights ({' or '.join(WEIGHTS)})\n"
            "  remedy: name a folder that save_pretrained wrote"
        )
    return str(folder)


def _not_loaded(path: str, error: Exception) -> ConfigError:
    reason = first_sentence(error)
    remedy = "name a folder that holds a sequence-classification model and its tokenizer"
    if not Path(path).expanduser().is_dir() and not is_reachable():
        reason = "there is no such folder, and the Hugging Face hub cannot be reached"
    return ConfigError(f"reward.path={path} cannot be loaded: {reason}\n  remedy: {remedy}")


def _check_architecture(path: str, settings: Any) -> None:
    """A model of another kind would load too, with a random head."""
    kinds = settings.architectures or []
    if not any(kind.endswith("ForSequenceClassification") for kind in kinds):
        raise ConfigError(
            f"reward.path={path} is no sequence-classification model but "
            f"{', '.join(kinds) or 'of unknown kind'}"
        )


def _column(config: ClassifierRewardConfig, settings: Any) -> int:
    """Return the index of the output that is the reward."""
    names = {str(name): int(number) for number, name in settings.id2label.items()}
    if config.label is None:
        if len(names) == 1:
            return 0
        raise ConfigError(
            f"reward.path={config.path} has {len(names)} outputs: {', '.join(names)}\n"
            "  remedy: say which one is the reward with reward.label=NAME"
        )
    choices = names | {str(number): number for number in names.values()}
    if config.label not in choices:
        raise ConfigError(
            f"reward.label={config.label} is none of the outputs {', '.join(names)}."
            f"{closest(config.label, list(names))}"
        )
    return choices[config.label]


def _max_length(wanted: int, settings: Any, tokenizer: Any) -> int:
    """Return WANTED, or less where the model has fewer positions."""
    positions = getattr(settings.get_text_config(), "max_position_embeddings", None) or wanted
    return int(min(wanted, positions, tokenizer.model_max_length))
