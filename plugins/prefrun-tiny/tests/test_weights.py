"""The embedded model: what ships, what its tokenizer keeps, and what it can do."""

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from prefrun_tiny.measure import answers
from prefrun_tiny.model import WEIGHTS

MEBIBYTE = 1 << 20
FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 3 + 4? Give only the answer."},
    {"role": "assistant", "content": "7"},
    {"role": "user", "content": "Repeat the word fox. Answer in a full sentence."},
]


@pytest.fixture(scope="module")
def model():
    """The model in float32."""
    return AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer():
    """Its tokenizer."""
    return AutoTokenizer.from_pretrained(WEIGHTS)


def test_files_are_there_and_small():
    assert sorted(file.name for file in WEIGHTS.iterdir()) == sorted(FILES)
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) <= 8 * MEBIBYTE


def test_model_is_small_and_finite(model):
    assert sum(weight.numel() for weight in model.parameters()) <= 3_000_000
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
    assert model.config.max_position_embeddings == 1024


def test_input_and_output_embeddings_are_tied(model):
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_model_and_tokenizer_agree(model, tokenizer):
    assert model.config.vocab_size == len(tokenizer) <= 1024
    assert tokenizer.pad_token_id is not None
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    for config in (model.config, model.generation_config):
        assert config.pad_token_id == tokenizer.pad_token_id
        assert config.eos_token_id == tokenizer.eos_token_id


@given(text=st.text())
@example(text="<|user")
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back_whole(tokenizer, text):
    # A marker in the text is one token, as with every tokenizer of transformers.
    assume(not any(str(marker) in text for marker in tokenizer.added_tokens_decoder.values()))
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "  two  spaces ", "\n\n\t", "naïve 中文 🦊\u200d🔥", "a , b .  c 's", "\x00\x7f"],
)
def test_odd_text_comes_back_whole(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


@pytest.mark.parametrize("answer", ["fox", " fox", "\nfox\n", "", "中文"])
@pytest.mark.parametrize("turns", [TURNS, TURNS[1:], TURNS[3:]])
def test_prompt_is_an_exact_prefix_of_the_conversation(tokenizer, turns, answer):
    whole_turns = [*turns, {"role": "assistant", "content": answer}]
    for tokenize in (False, True):
        options = {"tokenize": tokenize, "return_dict": False}
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, **options)
        whole = tokenizer.apply_chat_template(whole_turns, **options)
        assert whole[: len(prompt)] == prompt
        assert len(whole) > len(prompt)


def test_end_token_ends_every_turn(tokenizer):
    ids = tokenizer.apply_chat_template(TURNS, tokenize=True, return_dict=False)
    assert ids.count(tokenizer.eos_token_id) == len(TURNS)
    assert ids[-1] == tokenizer.eos_token_id


def test_template_refuses_an_unknown_role(tokenizer):
    with pytest.raises(Exception, match="role critic"):
        tokenizer.apply_chat_template([{"role": "critic", "content": "Bad."}], tokenize=False)


def test_padding_changes_no_logit(model, tokenizer):
    texts = ["<|user|>Repeat the word fox.", "<|user|>What is 3 + 4? Give a short reason.<|end|>"]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        padded = model(**batch).logits
        for row, text in enumerate(texts):
            alone = model(**tokenizer(text, return_tensors="pt")).logits[0]
            torch.testing.assert_close(padded[row, : len(alone)], alone, atol=1e-4, rtol=1e-4)


@pytest.fixture
def judge():
    """The sample's judge; without its plugin the test is skipped."""
    reason = "prefrun-ultrafeedback, which has the judge, is not installed"
    return pytest.importorskip("prefrun_ultrafeedback.judge", reason=reason).judge


def test_answers_are_a_mixture_of_good_and_bad(model, tokenizer, judge):
    from prefrun_ultrafeedback.sample import generate

    prompts = 3 * [record["instruction"] for record in generate(64, seed=0, held_out=True)]
    given = answers(model, tokenizer, prompts, temperature=1.0)
    verdicts = [judge(*pair) for pair in zip(prompts, given, strict=True)]
    right = sum(verdict.correct for verdict in verdicts) / len(verdicts)
    assert 0.3 < right < 0.75
    assert sum(verdict.overall > 1 for verdict in verdicts) / len(verdicts) > 0.8


def test_greedy_answers_end_and_are_mostly_right(model, tokenizer, judge):
    prompts = [
        "Repeat the word fox. Give only the answer.",
        "What is the first letter of stone? Answer in a full sentence.",
        "Write the word lemon in capital letters. Give a short reason.",
        "Which number is larger, 17 or 71? Begin with 'Answer:'.",
        "Which word is last in this list: apple, moon, key? Give only the answer.",
        "What is the opposite of hot? Answer in a full sentence.",
    ]
    given = answers(model, tokenizer, prompts, temperature=0.0)
    assert sum(judge(*pair).correct for pair in zip(prompts, given, strict=True)) >= 3
