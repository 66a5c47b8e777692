"""data.columns says where things lie; a key that is set is honoured or refused."""

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.records.columns import Columns, quoted_paths
from prefrun.records.config import MappedDataConfig, OnBadRecord
from prefrun.records.converters.trl import FORMATS
from prefrun.records.dataset import number_rows
from prefrun.records.mapped import mapped_split
from prefrun.records.paths import parse


def load(*rows, chosen_format=None, held_out=None, **keys):
    """Read ROWS, each with its number behind the prompt q; return all trees in order."""
    split = load_split(*rows, chosen_format=chosen_format, held_out=held_out, **keys)
    return sorted([*split.train, *split.test], key=lambda tree: tree.id)


def load_split(*rows, chosen_format=None, held_out=None, **keys):
    columns = {key: keys.pop(key) for key in list(keys) if key in vars(Columns())}
    config = MappedDataConfig(columns=Columns(**columns), **keys)
    rows = rows if len(rows) > 1 else (rows[0], numbered(rows[0]))
    return mapped_split(
        "test",
        lambda: number_rows("made", rows),
        config,
        held_out=(lambda: number_rows("held", held_out)) if held_out else None,
        named_format=FORMATS[chosen_format] if chosen_format else None,
    )


def numbered(value):
    """Return VALUE with 'q2' for every 'q'."""
    if isinstance(value, dict):
        return {key: numbered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item) for item in value]
    return "q2" if value == "q" else value


def answers_of(tree):
    return [(branch.text, branch.rank) for branch in tree.branches]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 1),
        ("b.c", "x"),
        ("d[].e", [1, 2]),
        ("d.e", [1, 2]),
        ("d[1].e", 2),
        ("d[7].e", None),
        ("b.c+f", "x\ny"),
        ("b.c+g", "x"),
        ("-a", -1),
        ("-d[].e", [-1, -2]),
        ("h.i", 3),
        ("none.at.all", None),
    ],
)
def test_paths(text, value):
    row = {"a": 1, "b": {"c": "x"}, "d": [{"e": 1}, {"e": 2}], "f": "y", "g": "", "h.i": 3}
    assert parse(text, "key").read(row) == value


@pytest.mark.parametrize("text", ["", "a..b", "a[x]", ".a", 3, None, "[0]"])
def test_what_is_no_path_is_refused_with_its_key(text):
    with pytest.raises(ConfigError, match=r"data\.columns\.prompt"):
        parse(text, "data.columns.prompt")


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("data.columns.answers=a[].b", "data.columns.answers=a.b"),
        ("columns.prompt=a[0].b", 'columns.prompt="a[0].b"'),
        ("data.columns.answers=[a[].b,c[1]]", 'data.columns.answers=[a.b,"c[1]"]'),
        ("data.columns.objectives={fun:a[].b}", "data.columns.objectives={fun:a.b}"),
        ('data.columns.answers="a[].b"', 'data.columns.answers="a[].b"'),
        ("data.columns.answers=[]", "data.columns.answers=[]"),
        ("algo.pairs=[]", "algo.pairs=[]"),
    ],
)
def test_paths_are_given_to_hydra_as_it_reads_them(typed, given):
    assert quoted_paths([typed, "seed=1"]) == [given, "seed=1"]


def test_flat_and_nested_columns():
    flat = {"query": "q", "a": "good", "b": "bad"}
    assert answers_of(load(flat, prompt="query", chosen="a", rejected="b")[0]) == [
        ("good", 1),
        ("bad", 2),
    ]
    nested = {"ask": {"text": "q"}, "all": [{"t": "bad", "n": 1}, {"t": "good", "n": 7}]}
    (tree, _) = load(nested, prompt="ask.text", answers="all[].t", scores="all[].n")
    assert (tree.prompt, tree.labels()) == ("q", [1, 7])
    (tree, _) = load(nested, prompt="ask.text", answers="all[].t", ranks="all[].n")
    assert tree.ranks() == [1, 2]


def votes_of(tree):
    return [branch.votes for branch in tree.branches]


def test_votes_have_a_column_each_one_for_all_or_their_own_name():
    pair = {"query": "q", "a": "good", "b": "bad", "for_a": 2, "for_b": 1}
    (tree, _) = load(pair, prompt="query", chosen="a", rejected="b", votes=["for_a", "for_b"])
    assert votes_of(tree) == [2, 1]
    several = {"query": "q", "all": [{"t": "bad", "n": 1, "v": 0}, {"t": "good", "n": 7, "v": 3}]}
    keys = {"prompt": "query", "answers": "all[].t", "scores": "all[].n"}
    (tree, _) = load(several, **keys, votes="all[].v")
    assert votes_of(tree) == [0, 3]
    named = {"prompt": "q", "chosen": "good", "rejected": "bad", "votes": [2, None]}
    assert votes_of(load(named)[0]) == [2, None]


def test_a_number_of_votes_for_the_whole_record_stays_in_the_metadata():
    tree = load({"prompt": "q", "chosen": "good", "rejected": "bad", "votes": 12})[0]
    assert (votes_of(tree), tree.metadata["votes"]) == ([None, None], 12)


def test_columns_with_their_own_names_need_no_mapping():
    row = {"question": "q", "chosen": "good", "rejected": "bad", "system": "s"}
    tree = load(row, prompt="question")[0]
    assert [message.role for message in tree.prompt] == ["system", "user"]
    assert answers_of(tree) == [("good", 1), ("bad", 2)]


@pytest.mark.parametrize(
    ("winner", "values", "ranks"),
    [
        ("model_b", None, [2, 1]),
        ("A", None, [1, 2]),
        ("answer_b", None, [2, 1]),
        ("tie", None, [1, 1]),
        (1, [0, 1], [2, 1]),
        (1, [1, 0], [1, 2]),
        (True, [True, False], [1, 2]),
        (2.0, [1, 2], [2, 1]),
        ("second", ["first", "second"], [2, 1]),
    ],
)
def test_a_winner(winner, values, ranks):
    row = {"prompt": "q", "answer_a": "one", "answer_b": "two", "won": winner}
    keys = {"answers": ["answer_a", "answer_b"], "winner": "won", "winner_values": values}
    if len(set(ranks)) == 1:
        with pytest.raises(DataError, match="the same rank"):
            load(row, **keys)
    else:
        assert [branch.rank for branch in load(row, **keys)[0].branches] == ranks


@pytest.mark.parametrize("winner", [0, 1, "1", True])
def test_a_number_alone_does_not_say_which_answer_won(winner):
    row = {"prompt": "q", "answer_a": "one", "answer_b": "two", "won": winner}
    with pytest.raises(DataError, match="does not say which") as caught:
        load(row, answers=["answer_a", "answer_b"], winner="won")
    assert (caught.value.file, caught.value.field) == ("made", "won")
    assert "data.columns.winner_values=[0,1]" in caught.value.remedy


def test_the_columns_of_answers_may_stand_in_any_order():
    row = {"prompt": "q", "answer_a": "one", "answer_b": "two", "won": "model_a"}
    tree = load(row, answers=["answer_b", "answer_a"], winner="won")[0]
    assert answers_of(tree) == [("two", 2), ("one", 1)]


def test_objectives():
    row = {
        "prompt": "q",
        "x": "one",
        "y": "two",
        "kind": [1, 2],
        "fx": "4",
        "fy": "N/A",
        "s": [1, 2],
    }
    keys = {"answers": ["x", "y"], "scores": "s"}
    tree = load(row, objectives={"kind": "kind", "fun": ["fx", "fy"]}, **keys)[0]
    assert tree.branches[0].scores == {"overall": 1, "kind": 1, "fun": 4.0}
    assert "fun" not in tree.branches[1].scores
    assert load(row, objectives=["kind"], ignore_columns=["*"], **keys)[0].labels("kind") == [1, 2]


def test_rows_of_one_prompt_are_one_record_wherever_they_stand():
    rows = [{"p": "q", "a": "one", "n": 1}, {"p": "r", "a": "x", "n": 1}]
    rows += [{"p": "r", "a": "y", "n": 2}, {"p": "q", "a": "two", "n": 2}]
    trees = load(*rows, prompt="p", answer="a", scores="n")
    assert [[branch.text for branch in tree.branches] for tree in trees] == [
        ["one", "two"],
        ["x", "y"],
    ]
    with pytest.raises(DataError, match="the column note would not be used"):
        load(*(row | {"note": "so so"} for row in rows), prompt="p", answer="a", scores="n")


def test_demonstrations_have_one_branch_and_no_rank_is_needed():
    one = load({"prompt": "q", "completion": "a"})[0]
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    two = load({"messages": turns}, {"messages": numbered(turns)})[0]
    assert answers_of(one) == answers_of(two) == [("a", 1)]
    assert two.prompt_text == "q"


def test_text_pairs_without_a_prompt_are_read_only_on_demand():
    rows = [{"chosen": f"{sky} is blue.", "rejected": f"{sky} is green."} for sky in ("Sky", "Sea")]
    with pytest.raises(DataError, match="nothing says what the answers reply to") as caught:
        load(*rows)
    assert "data.format=implicit_prompt" in caught.value.remedy
    split = load_split(*rows, chosen_format="implicit_prompt")
    assert split.train[0].prompt in ("Sky is", "Sea is")
    assert "what both answers begin with" in split.note


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"prompt": "qestion"}, r"no record has the column qestion. Did you mean 'question'\?"),
        ({"prompt": "question", "label": "a"}, "of no TRL preference format"),
        ({"prompt": "question", "answers": ["a", "b"]}, "neither scores nor ranks"),
        ({"prompt": "question", "answers": "a", "ranks": "a"}, "field 'a': is text, not a list"),
        ({"prompt": "nested.b", "chosen": "a", "rejected": "b"}, "field 'nested.b': missing"),
        ({"prompt": "question", "chosen": "a", "rejected": "n"}, "field 'n': is a number"),
        ({"prompt": "question", "chosen": "a", "rejected": "a"}, "field 'a': the same answer as a"),
    ],
)
def test_an_error_names_the_columns_of_the_file(columns, problem):
    row = {"question": "q", "a": "one", "b": "two", "nested": {"c": 1}, "n": 1}
    with pytest.raises(DataError, match=problem):
        load(row, ignore_columns=["*"], **columns)


def test_a_key_that_does_nothing_is_refused():
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "f": True}
    with pytest.raises(ConfigError, match=r"data\.columns\.labels does nothing"):
        load(row, chosen_format="preference", chosen="chosen", labels="f")
    with pytest.raises(DataError, match=r"no record has the column f\.g"):
        load(row | {"f": {"x": 1}}, tools="f.g")
    with pytest.raises(ConfigError, match="winner_values does nothing"):
        Columns(winner_values=[0, 1])


def test_text_and_chats_in_one_file_are_refused_until_all_are_chats():
    text = {"prompt": "q", "chosen": "a", "rejected": "b"}
    chat = text | {"prompt": [{"role": "user", "content": "r"}]}
    with pytest.raises(DataError, match=r"is a chat, that of made:1 is plain text.*\n.*data\.chat"):
        load(text, chat)
    trees = load(text, chat, chat=True)
    assert [tree.prompt_text for tree in trees] == ["q", "r"]
    assert all(isinstance(tree.prompt, tuple) for tree in trees)


def test_a_prompt_that_is_held_out_and_trained_on_is_named():
    text = {"prompt": "q", "chosen": "a", "rejected": "b"}
    split = load_split(text, numbered(text), held_out=[text, text | {"prompt": "other"}])
    assert (len(split.train), len(split.test), split.counts.read) == (2, 2, 4)
    assert split.note.startswith("1 of 2 held-out records have a prompt that is trained on")


def test_bad_rows_are_skipped_whatever_maps_them():
    rows = [{"prompt": f"q{n}", "x": "one", "y": "two", "w": w} for n, w in enumerate("ABz")]
    keys = {"answers": ["x", "y"], "winner": "w", "on_bad_record": OnBadRecord.skip}
    assert load_split(*rows, **keys).counts.skipped == 1


def test_ranks_from_zero_are_scores_with_their_sign_turned():
    row = {"prompt": "q", "x": "one", "y": "two", "rx": 1, "ry": 0}
    with pytest.raises(DataError, match="0, not a rank") as caught:
        load(row, answers=["x", "y"], ranks=["rx", "ry"])
    assert "data.columns.scores=[-rx,-ry]" in caught.value.remedy
    assert load(row, answers=["x", "y"], scores=["-rx", "-ry"])[0].ranks() == [2, 1]


def test_a_prompt_of_dialogue_text_becomes_a_chat():
    rows = [
        {"prompt": f"{start}Human: q{n}\n\nAssistant:", "chosen": "a", "rejected": "b"}
        for n, start in enumerate(("\n\n", ""))
    ]
    one, two = load(*rows, dialogue=True)
    assert [(each.role, each.content) for each in (*one.prompt, *two.prompt)] == [
        ("user", "q0"),
        ("user", "q1"),
    ]


def test_pictures_are_named_where_no_format_fits():
    with pytest.raises(DataError, match="field 'jpg_0': holds pictures"):
        load({"caption": "q", "jpg_0": b"...", "jpg_1": b"..."})


def test_a_column_that_only_late_records_have_is_known():
    rows = [{"prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(200)]
    rows[-1]["said_before"] = "Well,"
    trees = load(*rows, prefix="said_before", ignore_columns=["*"])
    assert sum(tree.prompt.endswith("Well,") for tree in trees) == 1


def test_a_column_whose_name_holds_a_dot():
    rows = [{"ask.text": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(2)]
    assert [tree.prompt for tree in load(*rows, prompt="ask.text")] == ["q0", "q1"]
