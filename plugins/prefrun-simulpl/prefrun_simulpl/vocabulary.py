"""Subwords of both languages, and the words they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

PAD, START, END = "<|pad|>", "<|start|>", "<|end|>"
PAD_ID, START_ID, END_ID = 0, 1, 2
"""Padding, what the decoder reads before the first target word, and the end of a sentence."""
SPECIAL = (PAD, START, END)
SPACE = "Ġ"
"""How byte-level subwords write a space; a subword that begins with it begins a word."""

# A run of letters and digits, or one sign, each with the space before it.
_PIECES = r" ?[^\s\p{P}\p{S}]+| ?[\p{P}\p{S}]|\s+"


def new_tokenizer() -> Any:
    """Return a transformers tokenizer that knows the 256 bytes only."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    learn_subwords(tokenizer, [], 0)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )


def learn_subwords(tokenizer: Any, texts: Iterable[str], size: int) -> None:
    """Learn at most SIZE byte-pair subwords from TEXTS, in place. TOKENIZER is of `tokenizers`."""
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer.model = models.BPE()  # the old one remembers how it split the words it has seen
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((f" {' '.join(text.split())}" for text in texts), trainer)


class Vocabulary:
    """Turns sentences into subwords by word, and subwords back into words."""

    def __init__(self, tokenizer: Any) -> None:
        """TOKENIZER: of `new_tokenizer`, trained."""
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    @cached_property
    def begins_word(self) -> list[bool]:
        """Per token id, whether it begins a word."""
        tokens = self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer))))
        return [token.startswith(SPACE) for token in tokens]

    def split(self, text: str) -> list[list[int]]:
        """Return the subword ids of each word of TEXT; words are what white space separates."""
        return [self._subwords(word) for word in text.split()]

    def _subwords(self, word: str) -> list[int]:
        if word not in self._known:
            encoded = self.tokenizer.backend_tokenizer.encode(f" {word}", add_special_tokens=False)
            self._known[word] = encoded.ids
        return self._known[word]

    def join(self, ids: Sequence[int], delays: Sequence[int]) -> tuple[list[str], list[int]]:
        """Return the words of IDS and each word's delay, that of its last subword.

        DELAYS: one per id. Ids that spell no visible character make no word.
        """
        words: list[list[int]] = []
        last: list[int] = []
        for token, delay in zip(ids, delays, strict=True):
            if self.begins_word[token] or not words:
                words.append([])
                last.append(delay)
            words[-1].append(token)
            last[-1] = delay
        texts = ["".join(self.tokenizer.decode(word).split()) for word in words]
        kept = [pair for pair in zip(texts, last, strict=True) if pair[0]]
        return [text for text, _ in kept], [delay for _, delay in kept]
