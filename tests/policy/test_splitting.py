"""Prompt and answer are the tokens of the whole text, whatever the tokenizer."""

from __future__ import annotations

import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from prefrun.errors import ConfigError
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.collate import collate_tokens
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Branch, Message, PreferenceTree, Step
from tests.policy.conftest import TEXT

BLANK = "\N{LOWER ONE EIGHTH BLOCK}"
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
SPECIALS = ["<unk>", "<s>", "</s>"]
WORDS = [*TEXT, "[INST] [/INST] the red fox is red. blue dog, blue fox: jumps"] * 8


def _llama2() -> Tokenizer:
    """BPE that puts a blank before every text and falls back to bytes, as Llama 2's."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    bpe.normalizer = normalizers.Sequence(
        [normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)]
    )
    bpe.decoder = decoders.Sequence(
        [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    codes = [f"<0x{code:02X}>" for code in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=SPECIALS + codes, max_token_length=8, show_progress=False
    )
    bpe.train_from_iterator(WORDS, trainer)
    plain = json.loads(bpe.to_str())
    plain["added_tokens"] = [t for t in plain["added_tokens"] if t["content"] in SPECIALS]
    return Tokenizer.from_str(json.dumps(plain))


def _unigram() -> Tokenizer:
    """A unigram model over words with their blanks, as T5's and Gemma's kin."""
    unigram = Tokenizer(models.Unigram())
    unigram.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    unigram.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False
    )
    unigram.train_from_iterator(WORDS, trainer)
    return unigram


KINDS = {"llama2": _llama2, "unigram": _unigram}


@pytest.fixture(params=sorted(KINDS))
def sentencepiece(request):
    """A tokenizer whose tokens begin with the blank before them."""
    return PreTrainedTokenizerFast(
        tokenizer_object=KINDS[request.param](),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        chat_template=MISTRAL,
    )


def tree_of(prompt, *answers):
    return PreferenceTree("t", prompt, tuple(Branch((Step(text),)) for text in answers))


ANSWERS = ("the red fox", " blue dog", "\nred", "blue.", "é\N{SNOWMAN}")


def test_a_chat_is_the_tokens_of_the_whole_conversation(sentencepiece):
    tree = tree_of((Message("user", "name a colour:"),), *ANSWERS)
    tokens = Tokeniser(sentencepiece, 256).tokenise(tree)
    for answer, prompt, ids in zip(ANSWERS, tokens.prompts, tokens.branches, strict=True):
        chat = [
            {"role": "user", "content": "name a colour:"},
            {"role": "assistant", "content": answer},
        ]
        whole = sentencepiece.apply_chat_template(chat, return_dict=False)
        assert [*prompt, *ids] == whole
        assert whole.count(sentencepiece.bos_token_id) == 1


@pytest.mark.parametrize("prompt", ["name a colour:", "name a colour: ", "a"])
def test_plain_text_is_the_tokens_of_the_whole_and_eos(sentencepiece, prompt):
    tokens = Tokeniser(sentencepiece, 256).tokenise(tree_of(prompt, *ANSWERS))
    for answer, before, ids in zip(ANSWERS, tokens.prompts, tokens.branches, strict=True):
        whole = sentencepiece(prompt + answer, add_special_tokens=False)["input_ids"]
        assert [*before, *ids] == [*whole, sentencepiece.eos_token_id]


def test_a_token_across_the_boundary_belongs_to_the_answer(tokenizer):
    tokens = Tokeniser(tokenizer, 64).tokenise(tree_of("the quick ", "brown", "\nfox", "dog"))
    assert [tokenizer.decode(ids) for ids in tokens.branches] == [
        " brown<|im_end|>",
        "\nfox<|im_end|>",
        " dog<|im_end|>",
    ]
    assert [tokenizer.decode(ids) for ids in tokens.prompts] == [
        "the quick",
        "the quick ",
        "the quick",
    ]
    assert tokenizer.decode(tokens.prompt_ids) == "the quick"
    assert [len(context) for context in tokens.contexts] == [0, 1, 0]


def test_packed_rows_of_prompts_that_end_differently_score_as_rows_of_their_own(
    tokenizer, make_model
):
    model = make_model("llama").double()
    tree = tree_of("the quick ", "brown fox", "\nfox", "dog")
    tokens = [Tokeniser(tokenizer, 64).tokenise(tree)]
    assert tokens[0].contexts

    def scored(packing):
        with torch.no_grad():
            return token_logprobs(model, collate_tokens(tokens, 0, packing))[0]

    torch.testing.assert_close(scored(Packing(Kernel.dense)), scored(PLAIN))


def test_prompts_that_end_differently_lose_the_same_tokens(tokenizer):
    tree = tree_of("the quick brown fox jumps " * 6, "brown", "\nfox")
    tokens = Tokeniser(tokenizer, 64, 10).tokenise(tree)
    whole = Tokeniser(tokenizer, 4096).tokenise(tree)
    assert [len(ids) for ids in tokens.prompts] == [9, 10]
    assert tokens.prompts[0] == tokens.prompts[1][:9]
    assert tokens.prompts[1] == whole.prompts[1][-10:]
    assert tokens.truncated.prompts == 1


def test_both_fit_exactly_though_the_longer_prompt_has_the_shorter_answer(tokenizer):
    tree = tree_of("the quick ", "brown", "\nfox")
    whole = Tokeniser(tokenizer, 4096).tokenise(tree)
    sizes = [len(p) + len(a) for p, a in zip(whole.prompts, whole.branches, strict=True)]
    tokens = Tokeniser(tokenizer, max(sizes)).tokenise(tree)
    assert (tokens.prompts, tokens.branches) == (whole.prompts, whole.branches)
    assert tokens.truncated.records == 0


def test_the_first_token_of_a_row_is_prompt_even_if_it_goes_on(tokenizer):
    tokens = Tokeniser(tokenizer, 64).tokenise(tree_of("t", "he quick"))
    assert tokenizer.decode(tokens.prompt_ids) == "the"
    assert tokenizer.decode(tokens.branches[0]) == " quick<|im_end|>"


class Slow:
    """A tokenizer without offsets."""

    is_fast = False

    def __init__(self, fast):
        self._fast = fast

    def __getattr__(self, name):
        return getattr(self._fast, name)

    def __call__(self, *args, **keys):
        encoded = self._fast(*args, **keys)
        encoded._encodings = None
        return encoded


@pytest.mark.parametrize("prompt", ["the quick", "the quick "])
def test_without_offsets_the_ids_are_still_those_of_the_whole(tokenizer, prompt):
    tree = tree_of(prompt, " brown", "\nfox")
    slow = Tokeniser(Slow(tokenizer), 64).tokenise(tree)
    fast = Tokeniser(tokenizer, 64).tokenise(tree)
    assert (slow.prompts, slow.branches) == (fast.prompts, fast.branches)


def test_steps_need_offsets(tokenizer):
    tree = PreferenceTree("t", "go", (Branch((Step("a"), Step("b"))),))
    with pytest.raises(ConfigError, match="cannot tell where a step ends"):
        Tokeniser(Slow(tokenizer), 64).tokenise(tree)


def test_many_answers_are_in_their_order_however_the_texts_are_grouped(tokenizer, monkeypatch):
    trees = [tree_of(f"{n} quick", *(f" {n} {k}" for k in range(5))) for n in range(4)]
    before = Tokeniser(tokenizer, 64).tokenise_all(trees)
    monkeypatch.setattr("prefrun.policy.encoding.CHUNK", 3)
    assert Tokeniser(tokenizer, 64).tokenise_all(trees) == before
