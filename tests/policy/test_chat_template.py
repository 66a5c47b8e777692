"""A chat template has the arguments that were set, and the same date in every run."""

from __future__ import annotations

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.policy.chat_template import apply_template, asks_for_date, set_template_arguments

CHAT = [{"role": "user", "content": "hi"}]
THINKING = (
    "{{ messages[0].content }}{% if enable_thinking is defined and enable_thinking is false %}"
    "<no>{% endif %}{{ style or '' }}"
)
DATED = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y %H:%M:%S') %}"
    "{% endif %}{{ date_string }}"
)


def written(tokenizer, **keys):
    return apply_template(tokenizer, CHAT, "r", add_generation_prompt=False, **keys)


def test_an_argument_becomes_the_default_of_the_template(make_tokenizer):
    tokenizer = make_tokenizer(THINKING)
    set_template_arguments(tokenizer, {"enable_thinking": False, "style": "a \"b\" 'c'\n\\ é %}"})
    assert written(tokenizer) == "hi<no>a \"b\" 'c'\n\\ é %}"
    again = tokenizer.apply_chat_template(CHAT, tokenize=False, enable_thinking=True, style="x")
    assert again == "hix"


def test_arguments_are_saved_with_the_tokenizer(make_tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = make_tokenizer("\n  " + THINKING)
    plain = written(tokenizer)
    set_template_arguments(tokenizer, {"enable_thinking": False, "style": None})
    tokenizer.save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(tmp_path)
    assert saved.apply_chat_template(CHAT, tokenize=False) == plain + "<no>"


@pytest.mark.parametrize("name", ["enable_thinkin", "messages", "add_generation_prompt", "content"])
def test_an_argument_that_the_template_does_not_read_is_refused(make_tokenizer, name):
    with pytest.raises(ConfigError, match=rf"model\.template\.{name}:.*enable_thinking, style"):
        set_template_arguments(make_tokenizer(THINKING), {name: True})


def test_arguments_need_a_template(make_tokenizer):
    with pytest.raises(ConfigError, match=r"model\.template\.x is set.*no chat template"):
        set_template_arguments(make_tokenizer(None), {"x": 1})


def test_templates_that_mark_what_the_assistant_says_are_read(make_tokenizer):
    tokenizer = make_tokenizer("{% generation %}{{ tone or 'flat' }}{% endgeneration %}")
    set_template_arguments(tokenizer, {"tone": "warm"})
    assert written(tokenizer) == "warm"


def test_the_date_is_the_same_in_every_run_unless_it_is_an_argument(make_tokenizer):
    tokenizer = make_tokenizer("\n" + DATED)
    text = written(tokenizer)
    assert text == "\n26 Jul 2024 00:00:00"
    assert asks_for_date(tokenizer, text)
    set_template_arguments(tokenizer, {"date_string": "1 May 2026"})
    text = written(tokenizer)
    assert text == "\n1 May 2026"
    assert not asks_for_date(tokenizer, text)


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('no') }}", "{{ 1 // 0 }}", "{{ 'a' + 1 }}"]
)
def test_whatever_a_template_raises_names_the_record(make_tokenizer, template):
    with pytest.raises(DataError, match=r"record r, field 'prompt': .* refuses"):
        written(make_tokenizer(template))


def test_a_template_that_cannot_be_read_is_no_record_s_fault(make_tokenizer):
    with pytest.raises(ConfigError, match="chat template"):
        written(make_tokenizer("{% if %}"))


def test_a_date_in_a_format_that_is_computed_is_refused(make_tokenizer):
    with pytest.raises(DataError, match="no date in the format %Y"):
        written(make_tokenizer("{% set f = '%' + 'Y' %}{{ strftime_now(f) }}"))


def test_what_the_template_sets_itself_is_no_argument(make_tokenizer):
    tokenizer = make_tokenizer(
        "{% for m in messages %}{% set c = m.content %}{% if m.role == 'user' %}{% set r = c %}"
        "{% endif %}{{ c }}{{ r }}{% endfor %}{{ style or '' }}"
    )
    with pytest.raises(ConfigError, match=r"It reads: style$"):
        set_template_arguments(tokenizer, {"thinking": True})


def test_a_default_of_the_template_itself_can_be_set(make_tokenizer):
    tokenizer = make_tokenizer(DATED)
    set_template_arguments(tokenizer, {"date_string": "1 May 2025"})
    assert written(tokenizer) == "1 May 2025"
