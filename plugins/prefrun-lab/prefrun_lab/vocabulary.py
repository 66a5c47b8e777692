"""A tokenizer of characters or words that gives every text of a corpus back as it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from prefrun.console import console
from prefrun_lab.config import Tokens

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNKNOWN)
"""A token's id is its place in SPECIAL."""
MAX_TOKENS = 1024
PIECES = {Tokens.characters: r"[\s\S]", Tokens.words: r"\s+|\S+"}
_TOLD: set[str] = set()
"""Unknown pieces that the user has been told of."""


class LabTokenizer(PreTrainedTokenizerFast):
    """Tells the user of text it cannot write, where a plain one gives <unk> in silence."""

    def __call__(self, text: Any = None, *others: Any, **options: Any) -> Any:
        """Tokenise. Without special tokens, as records are, unknown pieces are told once each."""
        encoded = super().__call__(text, *others, **options)
        if options.get("add_special_tokens") is False:
            texts = [text] if isinstance(text, str) else text
            rows = [encoded["input_ids"]] if isinstance(text, str) else encoded["input_ids"]
            pairs = zip(texts, rows, strict=True)
            unknown = {
                piece
                for each, ids in pairs
                if self.unk_token_id in ids
                for piece in self._pieces(each)
            }
            _tell(unknown - _TOLD)
        return encoded

    def save_pretrained(  # type: ignore[override]
        self, save_directory: Any, **options: Any
    ) -> tuple[str, ...]:
        """Write a tokenizer that transformers knows."""
        plain = _wrapped(PreTrainedTokenizerFast, self.backend_tokenizer)
        files: tuple[str, ...] = plain.save_pretrained(save_directory, **options)
        return files

    def _pieces(self, text: str) -> set[str]:
        """The unknown characters or words of TEXT."""
        encoded = self.backend_tokenizer.encode(text, add_special_tokens=False)
        places = zip(encoded.ids, encoded.offsets, strict=True)
        return {text[slice(*offsets)] for number, offsets in places if number == self.unk_token_id}


def _tell(unknown: set[str]) -> None:
    if unknown:
        some = ", ".join(repr(piece) for piece in sorted(unknown)[:8])
        console.print(
            f"warning: {len(unknown)} pieces of text are no tokens of model=scratch and become "
            f"{UNKNOWN}, such as {some}; it knows the text of model.data",
            markup=False,
        )
    _TOLD.update(unknown)


def make_tokenizer(texts: Iterable[str], tokens: Tokens) -> LabTokenizer:
    """Return the tokenizer of all characters or words in TEXTS, in alphabetical order."""
    pieces = Regex(PIECES[tokens])
    splitter = pre_tokenizers.Split(pieces, "isolated")
    known: set[str] = set()
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
    made: LabTokenizer = _wrapped(LabTokenizer, tokenizer)
    return made


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
