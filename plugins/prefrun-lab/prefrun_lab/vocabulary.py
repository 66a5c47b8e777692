"""A tokenizer of characters or words that gives every text of a corpus back as it was."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from prefrun.errors import DataError
from prefrun_lab.config import Tokens

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNKNOWN)
"""A token's id is its place in SPECIAL."""
MAX_TOKENS = 1024
PIECES = {Tokens.characters: r"[\s\S]", Tokens.words: r"\s+|\S+"}
ALPHABET = {Tokens.characters: string.digits + string.ascii_letters + string.punctuation + " \n"}
"""What is known beside the corpus: an algorithm's templates and judges' answers are written so."""


class LabTokenizer(PreTrainedTokenizerFast):
    """Refuses a record it cannot write, where a plain one would give <unk>."""

    def __call__(self, text: Any = None, *others: Any, **options: Any) -> Any:
        """Tokenise. Without special tokens, as records are, raises DataError at an unknown token.

        With special tokens, by which the host asks for a tokenizer's habits, it is <unk>.
        """
        encoded = super().__call__(text, *others, **options)
        if options.get("add_special_tokens") is False:
            texts = [text] if isinstance(text, str) else text
            rows = [encoded["input_ids"]] if isinstance(text, str) else encoded["input_ids"]
            for each, ids in zip(texts, rows, strict=True):
                if self.unk_token_id in ids:
                    raise self._refusal(each)
        return encoded

    def save_pretrained(self, save_directory: Any, **options: Any) -> tuple[str, ...]:
        """Write a tokenizer that transformers knows."""
        plain = _wrapped(PreTrainedTokenizerFast, self.backend_tokenizer)
        files: tuple[str, ...] = plain.save_pretrained(save_directory, **options)
        return files

    def _refusal(self, text: str) -> DataError:
        encoded = self.backend_tokenizer.encode(text, add_special_tokens=False)
        begin, end = encoded.offsets[encoded.ids.index(self.unk_token_id)]
        return DataError(
            f"{text[begin:end]!r} in {text[:60]!r} is no token of model=scratch",
            remedy="let model.data and model.data_keys name the run's own data, or choose "
            "model.tokens=characters",
        )


def make_tokenizer(texts: Iterable[str], tokens: Tokens) -> LabTokenizer:
    """Return the tokenizer of all characters or words in TEXTS, in alphabetical order."""
    pieces = Regex(PIECES[tokens])
    splitter = pre_tokenizers.Split(pieces, "isolated")
    known = set(ALPHABET.get(tokens, ""))
    for text in texts:
        known.update(piece for piece, _ in splitter.pre_tokenize_str(text))
    vocabulary = [*SPECIAL, *sorted(known - set(SPECIAL))]
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, numbers[BOS])]
    )
    return _wrapped(LabTokenizer, tokenizer)


def _wrapped(kind: type, tokenizer: Tokenizer) -> Any:
    return kind(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        model_max_length=MAX_TOKENS,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
