"""Trees become the token ids their model expects, and nothing is lost unseen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.policy.tokenise import Tokeniser, step_of_token
from prefrun.policy.truncation import TruncationCount
from prefrun.records.tree import Branch, Message, PreferenceTree, Step


def text_tree(prompt, *answers, id="t"):
    return PreferenceTree(id, prompt, tuple(Branch((Step(text),)) for text in answers))


def test_chat_ids_are_those_of_the_whole_conversation(tokenizer, trees):
    for tree, tokens in zip(trees, Tokeniser(tokenizer, 256).tokenise_all(trees), strict=True):
        chat = [{"role": m.role, "content": m.content} for m in tree.prompt]
        for branch, ids in zip(tree.branches, tokens.branches, strict=True):
            whole = [*chat, {"role": "assistant", "content": branch.text}]
            text = tokenizer.apply_chat_template(whole, tokenize=False)
            assert tokenizer.decode([*tokens.prompt_ids, *ids]) == text
            assert tokenizer.eos_token_id in ids
        assert tokenizer.decode(tokens.prompt_ids).endswith("<|im_start|>assistant\n")
        assert tokens.truncated == TruncationCount()


def test_tokenise_all_equals_one_at_a_time(tokenizer, trees):
    tokeniser = Tokeniser(tokenizer, 256)
    mixed = [*trees, text_tree("the lazy dog: ", "jumps", "over"), text_tree("no answers")]
    assert tokeniser.tokenise_all(mixed) == [tokeniser.tokenise(tree) for tree in mixed]


def test_plain_prompt_stands_as_it_is_and_answers_end(tokenizer):
    tokens = Tokeniser(tokenizer, 64).tokenise(
        text_tree("Q: blue?\nA:", " red", "", " x<|im_end|>")
    )
    assert tokenizer.decode(tokens.prompt_ids) == "Q: blue?\nA:"
    assert [tokenizer.decode(ids) for ids in tokens.branches] == [
        " red<|im_end|>",
        "<|im_end|>",
        " x<|im_end|>",
    ]


def add_bos(tokenizer):
    from tokenizers.processors import TemplateProcessing

    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


@pytest.mark.parametrize("prompt", ["blue?", "<s>blue?"])
def test_bos_stands_once_before_plain_text_and_no_eos_after_it(make_tokenizer, prompt):
    tokenizer = add_bos(make_tokenizer())
    tokens = Tokeniser(tokenizer, 64).tokenise(text_tree(prompt, "red"))
    assert tokenizer.decode(tokens.prompt_ids) == "<s>blue?"
    assert tokenizer.decode(tokens.branches[0]) == "red<|im_end|>"


def test_bos_of_the_template_is_not_doubled(make_tokenizer, make_chat):
    template = make_tokenizer().chat_template
    tokenizer = add_bos(make_tokenizer("{{ bos_token }}" + template))
    tokens = Tokeniser(tokenizer, 64).tokenise(make_chat("t", "blue?", "red"))
    assert tokens.prompt_ids.count(tokenizer.bos_token_id) == 1
    assert tokens.prompt_ids[0] == tokenizer.bos_token_id


def test_padding_side_changes_nothing(make_tokenizer, trees):
    left, right = make_tokenizer(padding_side="left"), make_tokenizer(padding_side="right")
    assert Tokeniser(left, 64).tokenise_all(trees) == Tokeniser(right, 64).tokenise_all(trees)


def test_chat_without_template_is_refused(make_tokenizer, trees):
    with pytest.raises(ConfigError, match=r"record a .*no chat template\n.*remedy.*plain text"):
        Tokeniser(make_tokenizer(None), 64).tokenise_all(trees)


def test_template_that_breaks_its_own_prompt_is_refused(make_tokenizer, trees):
    broken = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n<think>{% endif %}"
    )
    with pytest.raises(DataError, match=r"record a.*own generation prompt"):
        Tokeniser(make_tokenizer(broken), 64).tokenise_all(trees)


def test_template_that_refuses_a_role_names_the_record(make_tokenizer):
    template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    )
    chat = (Message("system", "be brief"), Message("user", "blue?"))
    tree = PreferenceTree("r7", chat, (Branch((Step("red"),)),))
    with pytest.raises(DataError, match=r"record r7, field 'prompt'.*no system role"):
        Tokeniser(make_tokenizer(template), 64).tokenise(tree)


def steps_tree(*texts, prompt="solve: "):
    return PreferenceTree("s", prompt, (Branch(tuple(Step(text) for text in texts)),))


@pytest.mark.parametrize("chat", [True, False])
def test_steps_end_where_their_text_ends(tokenizer, chat):
    texts = ["Step 1: add two and two.\n", "Step 2: that is four.\n", "the answer: four"]
    prompt = (Message("user", "two and two?"),) if chat else "two and two? "
    tokens = Tokeniser(tokenizer, 128).tokenise(steps_tree(*texts, prompt=prompt))
    (ids,), (ends,) = tokens.branches, tokens.step_ends
    starts = (0, *ends[:-1])
    parts = [tokenizer.decode(ids[a:b]) for a, b in zip(starts, ends, strict=True)]
    assert parts[:2] == texts[:2]
    assert parts[2].startswith(texts[2])
    assert ends[-1] == len(ids)
    assert step_of_token(ends).tolist() == [0] * ends[0] + [1] * (ends[1] - ends[0]) + [2] * (
        ends[2] - ends[1]
    )


def test_token_across_two_steps_belongs_to_the_later(tokenizer):
    whole = tokenizer("the quick", add_special_tokens=False)["input_ids"]
    tokens = Tokeniser(tokenizer, 64).tokenise(steps_tree("the", " qui", "ck", prompt="go:\n"))
    assert tokens.branches[0][: len(whole)] == tuple(whole)
    ends = tokens.step_ends[0]
    assert tokenizer.decode(tokens.branches[0][: ends[0]]) == "the"
    assert tokenizer.decode(tokens.branches[0][ends[1] :]).endswith("ck<|im_end|>")


def test_steps_are_found_in_an_answer_the_template_trims(make_tokenizer):
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = make_tokenizer(template)
    chat = (Message("user", "two?"),)
    tokens = Tokeniser(tokenizer, 64).tokenise(steps_tree("\n red.", " blue. ", prompt=chat))
    end = tokens.step_ends[0][0]
    assert tokenizer.decode(tokens.branches[0][:end]) == "red."


def test_steps_the_template_rewrites_are_refused(make_tokenizer):
    template = (
        "{% for m in messages %}{{ m.content | upper }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}{% endif %}"
    )
    tree = steps_tree("red.", "blue.", prompt=(Message("user", "two?"),))
    with pytest.raises(DataError, match=r"branches\[0\]\.steps.*rewrites"):
        Tokeniser(make_tokenizer(template), 64).tokenise(tree)


LONG = "the quick brown fox jumps over the lazy dog. " * 8


def test_answers_lose_their_end_and_their_eos(tokenizer):
    tokens = Tokeniser(tokenizer, 40, 8).tokenise(text_tree("blue:", LONG, "red"))
    full = Tokeniser(tokenizer, 4096).tokenise(text_tree("blue:", LONG, "red"))
    assert tokens.branches[0] == full.branches[0][: 40 - len(tokens.prompt_ids)]
    assert tokenizer.eos_token_id not in tokens.branches[0]
    assert tokens.branches[1] == full.branches[1]
    assert tokens.truncated == TruncationCount(records=1, prompts=0, answers=1)
    assert tokens.step_ends[0] == (len(tokens.branches[0]),)


@pytest.mark.parametrize(
    ("keep", "part"), [("keep_end", slice(-12, None)), ("keep_start", slice(12))]
)
def test_prompt_keeps_the_chosen_part(tokenizer, keep, part):
    tokens = Tokeniser(tokenizer, 64, 12, keep).tokenise(text_tree(LONG, "red"))
    full = Tokeniser(tokenizer, 4096).tokenise(text_tree(LONG, "red"))
    assert tokens.prompt_ids == full.prompt_ids[part]
    assert tokens.branches == full.branches
    assert tokens.truncated == TruncationCount(records=1, prompts=1, answers=0)


def test_bos_survives_a_prompt_that_loses_its_beginning(make_tokenizer):
    tokenizer = add_bos(make_tokenizer())
    tokens = Tokeniser(tokenizer, 64, 12).tokenise(text_tree(LONG, "red"))
    assert len(tokens.prompt_ids) == 12
    assert tokens.prompt_ids[0] == tokenizer.bos_token_id


def test_without_prompt_limit_the_answers_come_first_down_to_half(tokenizer):
    tokeniser = Tokeniser(tokenizer, 40)
    short, long = tokeniser.tokenise_all([text_tree(LONG, "red"), text_tree(LONG, LONG)])
    assert len(short.prompt_ids) == 40 - len(short.branches[0])
    assert short.truncated == TruncationCount(1, 1, 0)
    assert len(long.prompt_ids) == 20
    assert len(long.branches[0]) == 20
    assert long.truncated == TruncationCount(1, 1, 1)


def test_a_prompt_leaves_every_answer_a_token(tokenizer):
    tokens = Tokeniser(tokenizer, 16, 15).tokenise(text_tree(LONG, "red", "blue"))
    assert [len(ids) for ids in tokens.branches] == [1, 1]
    assert tokens.truncated == TruncationCount(records=1, prompts=1, answers=2)


def test_counts_add_up(tokenizer):
    tokens = Tokeniser(tokenizer, 16, 8).tokenise_all(
        [text_tree(LONG, "red"), text_tree("blue", LONG, LONG), text_tree("blue", "red")]
    )
    assert TruncationCount.of(tokens) == TruncationCount(records=2, prompts=1, answers=2)


@pytest.mark.parametrize("limits", [(1,), (64, 0), (64, 64), (64, 65), (64, None, "keep_middle")])
def test_impossible_limits_are_refused(tokenizer, limits):
    with pytest.raises(ConfigError, match="trainer"):
        Tokeniser(tokenizer, *limits)


def test_plain_answers_need_an_end(make_tokenizer):
    with pytest.raises(ConfigError, match="end-of-sequence"):
        Tokeniser(make_tokenizer(eos_token=None), 64).tokenise(text_tree("blue", "red"))


def test_prompt_leaves_room_for_a_new_answer(tokenizer):
    tokeniser = Tokeniser(tokenizer, 100)
    (ids,) = tokeniser.prompt_ids([text_tree(LONG * 3)], reserve=30)
    assert len(ids) == 70


def test_stop_ids_know_the_templates_end_of_turn(make_tokenizer):
    tokenizer = make_tokenizer(eos_token="</s>")
    marks = tokenizer.convert_tokens_to_ids(["</s>", "<|im_end|>"])
    assert Tokeniser(tokenizer, 64).stop_ids == set(marks)
    assert Tokeniser(make_tokenizer(None, eos_token="</s>"), 64).stop_ids == {marks[0]}


def test_a_branch_with_a_prompt_of_its_own_has_the_ids_of_a_tree_of_its_own(tokenizer):
    asked, other = (Message("user", "say yes or no"),), (Message("user", "say yes"),)
    branches = (Branch((Step("yes"),), prompt=other), Branch((Step("no"), Step("!"))))
    tokens = Tokeniser(tokenizer, 64).tokenise(PreferenceTree("t", asked, branches))
    alone = [
        Tokeniser(tokenizer, 64).tokenise(PreferenceTree("t", prompt, (Branch(branch.steps),)))
        for prompt, branch in zip((other, asked), branches, strict=True)
    ]
    assert tokens.prompts == [tree.prompt_ids for tree in alone]
    assert list(tokens.branches) == [tree.branches[0] for tree in alone]
    assert list(tokens.step_ends) == [tree.step_ends[0] for tree in alone]
    assert all(tokens.contexts)
    assert len({ids[0] for ids in tokens.contexts}) == 2
    assert tokens.only([1]).prompts == [alone[1].prompt_ids]


def test_prompts_that_begin_differently_share_nothing(tokenizer):
    branches = (Branch((Step("yes"),), prompt="up: "), Branch((Step("no"),), prompt="down: "))
    tokens = Tokeniser(tokenizer, 64).tokenise(PreferenceTree("t", "unused", branches))
    assert tokens.prompt_ids == ()
    assert [tokenizer.decode(ids) for ids in tokens.contexts] == ["up: ", "down: "]


def test_own_prompts_are_cut_and_counted_with_the_record(tokenizer):
    long = Branch((Step("yes"),), prompt="up and down and up again: " * 9)
    tree = PreferenceTree("t", "up: ", (long, Branch((Step("no"),))))
    tokens = Tokeniser(tokenizer, 20).tokenise(tree)
    assert len(tokens.prompts[0]) + len(tokens.branches[0]) == 20
    assert tokens.truncated == TruncationCount(records=1, prompts=1, answers=0)


@pytest.mark.parametrize("asked", ["say yes", "say no"])
def test_a_scored_prompt_is_a_step_of_its_own_but_for_what_is_shared(tokenizer, asked):
    plain = (
        Branch((Step(" yes"),), prompt=f"please {asked}:"),
        Branch((Step(" no"), Step("!")), prompt="please say no:"),
    )
    joint = tuple(replace(branch, score_prompt=True) for branch in plain)
    tokeniser = Tokeniser(tokenizer, 64)
    before = tokeniser.tokenise(PreferenceTree("t", "unused", plain))
    after = tokeniser.tokenise(PreferenceTree("t", "unused", joint))
    assert after.prompt_ids == before.prompt_ids
    assert after.prompts == [before.prompt_ids] * 2
    for branch in range(2):
        rest = before.contexts[branch]
        assert bool(rest) == (asked == "say yes")
        assert after.branches[branch] == (*rest, *before.branches[branch])
        ends = [len(rest) + end for end in before.step_ends[branch]]
        assert after.step_ends[branch] == (len(rest), *ends)


def test_the_first_token_of_a_row_is_never_scored(tokenizer):
    branches = tuple(
        Branch((Step(" go"),), prompt=prompt, score_prompt=True) for prompt in ("up:", "down:")
    )
    tokens = Tokeniser(tokenizer, 64).tokenise(PreferenceTree("t", "unused", branches))
    assert tokens.prompt_ids == ()
    assert [len(context) for context in tokens.contexts] == [1, 1]
    decoded = [
        tokenizer.decode([*context, *ids[:-1]])
        for context, ids in zip(tokens.contexts, tokens.branches, strict=True)
    ]
    assert decoded == ["up: go", "down: go"]


WITH_TOOLS = (
    "{% if tools %}<|im_start|>system\n{% for t in tools %}{{ t.name }} {% endfor %}<|im_end|>\n"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }}</call>{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_tools_and_tool_calls_reach_the_chat_template(make_tokenizer):
    tokenizer = make_tokenizer(chat_template=WITH_TOOLS)
    calls = '[{"function": {"name": "add"}}]'
    prompt = (
        Message("user", "two and two?"),
        Message("assistant", "", tool_calls=calls),
        Message("tool", "4", name="add"),
    )
    answers = (Branch((Step("four"),)), Branch((Step("again"),), tool_calls=calls))
    tree = PreferenceTree("t", prompt, answers, tools='[{"name": "add"}]')
    tokenised = Tokeniser(tokenizer, 400).tokenise(tree)
    said = tokenizer.decode(tokenised.prompt_ids)
    assert said.startswith("<|im_start|>system\nadd <|im_end|>")
    assert "<|im_start|>assistant\n<call>add</call><|im_end|>" in said
    texts = [tokenizer.decode(ids) for ids in tokenised.branches]
    assert [text.removesuffix("\n") for text in texts] == [
        "four<|im_end|>",
        "again<call>add</call><|im_end|>",
    ]


def test_an_assistant_message_at_the_end_of_a_prompt_begins_every_answer(tokenizer):
    begun = (Message("user", "two and two?"), Message("assistant", "that is"))
    tree = PreferenceTree("t", begun, (Branch((Step(" four."),)), Branch((Step(" five."),))))
    tokenised = Tokeniser(tokenizer, 400).tokenise(tree)
    said = tokenizer.decode(tokenised.prompt_ids)
    assert said.endswith("<|im_start|>assistant\nthat is")
    assert said.count("assistant") == 1
    texts = [tokenizer.decode(ids).removesuffix("\n") for ids in tokenised.branches]
    assert texts == [" four.<|im_end|>", " five.<|im_end|>"]
