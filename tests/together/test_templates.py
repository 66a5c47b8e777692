"""Chat templates that lose, add or refuse something: named before training, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.policy.conftest import BPE, CHATML, build_model
from tests.together.conftest import Workplace

CONTENT = "{{ m.content }}"
TEMPLATES = {
    "sound": CHATML,
    "strips thoughts": CHATML.replace(CONTENT, "{{ m.content.split('</think>')[-1] }}"),
    "trims": CHATML.replace(CONTENT, "{{ m.content | trim }}"),
    "no generation prompt": CHATML.split("{% if add_generation_prompt")[0],
    "no end": (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    ),
    "may think": CHATML.removesuffix("{% endif %}")
    + "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
    + "{% endif %}",
}
ALL_EQUAL = {
    "strips thoughts": ("<think>good</think>Blue.", "<think>bad</think>Blue."),
    "trims": ("Blue.", " Blue. "),
}


def make_chat_model(folder: Path, template: str) -> str:
    """Write a tiny chat model into FOLDER and return its path."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(BPE),
        bos_token="<s>",
        eos_token="<|im_end|>",
        pad_token="<pad>",
        chat_template=template,
    )
    build_model("llama").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def pair(number: int, chosen: str, rejected: str) -> dict[str, Any]:
    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    prompt = [{"role": "user", "content": f"Question {number}?"}]
    return {"prompt": prompt, "chosen": said(chosen), "rejected": said(rejected)}


GOOD = ("Blue is a colour.", "Seven.")


def write(folder: Path, answers: list[tuple[str, str]]) -> str:
    rows = [pair(number, *texts) for number, texts in enumerate(answers, 1)]
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def train(workplace: Workplace, template: str, answers: list[tuple[str, str]], *words: str) -> Any:
    """Train for a step with a model of this template, into the folder `out`."""
    model = make_chat_model(workplace.folder / "model", TEMPLATES[template])
    return workplace.run(
        "algo=dpo",
        "data=trl",
        f"data.path={write(workplace.folder, answers)}",
        "model=hf",
        f"model.name={model}",
        "trainer.max_steps=1",
        "trainer.batch_size=2",
        "evaluation.bootstrap=10",
        "evaluator=[ranking_accuracy]",
        "output_dir=out",
        *words,
    )


@pytest.mark.parametrize("template", sorted(ALL_EQUAL))
def test_pairs_that_the_template_makes_equal_end_the_run(workplace, template):
    done = train(workplace, template, [ALL_EQUAL[template]] * 4)
    assert done.returncode == 2
    words = "record pairs.jsonl:1: chosen and rejected are the same after the chat template"
    assert words in done.stderr
    assert "data.on_bad_record=skip" in done.stderr


@pytest.mark.parametrize("template", sorted(ALL_EQUAL))
def test_or_are_skipped_and_counted(workplace, template):
    answers = [GOOD, ALL_EQUAL[template], *[GOOD] * 6]
    done = train(workplace, template, answers, "data.on_bad_record=skip")
    assert done.returncode == 0, done.stderr
    assert "1 record(s) skipped that the model cannot use" in done.stdout
    assert workplace.summary("out")["records"] == {
        "read": 8,
        "used": 7,
        "skipped": 1,
        "truncated": 0,
    }
    manifest = json.loads((workplace.folder / "out" / "manifest.json").read_text())["data"]
    assert manifest["train"] + manifest["test"] == 7
    assert "pairs.jsonl:2" in manifest["problems"][0]


def test_a_prompt_that_would_fill_the_length_is_refused_at_once(workplace):
    limits = ("trainer.max_length=64", "trainer.max_prompt_length=64")
    done = train(workplace, "sound", [GOOD] * 4, *limits)
    assert done.returncode == 2
    assert "trainer.max_prompt_length=64" in done.stderr
    assert "at most 63" in done.stderr
    assert not (workplace.folder / "out").exists()


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("no generation prompt", "has no generation prompt, but begins answers with '<|im_start|>"),
        ("no end", "ends answers without an end token"),
    ],
)
def test_what_a_template_lacks_is_in_the_header_and_the_manifest(workplace, template, words):
    done = train(workplace, template, [GOOD] * 4)
    assert done.returncode == 0, done.stderr
    assert f"chat template {words}" in done.stdout
    manifest = json.loads((workplace.folder / "out" / "manifest.json").read_text())
    assert words in manifest["model"]["chat_template"][0]


def test_arguments_of_the_template_are_set_without_a_plus_and_kept_with_the_model(workplace):
    answers = [(f"<think></think>{a}", f"<think></think>{b}") for a, b in [GOOD] * 4]
    done = train(workplace, "may think", answers, "model.template.enable_thinking=false")
    assert done.returncode == 0, done.stderr
    template = (workplace.folder / "out" / "model" / "chat_template.jinja").read_text()
    assert "set enable_thinking = False" in template


def test_an_argument_that_the_template_does_not_read_is_refused(workplace):
    done = train(workplace, "may think", [GOOD] * 4, "model.template.thinking=false")
    assert done.returncode == 2
    assert "model.template.thinking: the chat template reads no such argument" in done.stderr
    assert "Did you mean 'enable_thinking'?" in done.stderr
