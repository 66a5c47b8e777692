"""data=hh and data=trl read their formats from files, and say what does not fit."""

import gzip
import json
import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from prefrun.errors import ConfigError, DataError
from prefrun.records.config import OnBadRecord
from prefrun_pairs import prefrun_components, prefrun_config_dir
from prefrun_pairs.config import HhConfig, Source, TrlConfig, TrlFormat
from prefrun_pairs.data import HhPairs, TrlRecords

SHARED = Path(
    os.environ.get("PREFRUN_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)
REAL = SHARED / "hh_helpful_pairs.jsonl.gz"
SKIP = OnBadRecord.skip


def write(path, rows):
    data = "\n".join(json.dumps(row) for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def load_trl(path, **keys):
    return TrlRecords(TrlConfig(path=path, **keys)).load(0)


def hh_row(number, rejected="no"):
    start = f"\n\nHuman: question {number}\n\nAssistant: "
    return {"chosen": f"{start}yes", "rejected": start + rejected}


def chat(role, content):
    return [{"role": role, "content": content}]


ROWS = {
    "preference": lambda n: {"prompt": f"p{n}", "chosen": "yes", "rejected": "no"},
    "unpaired": lambda n: {"prompt": f"p{n}", "completion": "yes", "label": n % 2 == 0},
    "prompt_only": lambda n: {"prompt": f"p{n}"},
    "stepwise": lambda n: {"prompt": f"p{n}", "completions": ["a", "b"], "labels": [True, False]},
}
BRANCHES = {"preference": 2, "unpaired": 1, "prompt_only": 0, "stepwise": 1}


def test_hh_pairs_become_chats(tmp_path):
    path = write(tmp_path / "pairs.jsonl.gz", [hh_row(n) for n in range(10)])
    split = HhPairs(HhConfig(path=path)).load(0)
    assert split.name == "hh-pairs"
    assert (len(split.train), len(split.test)) == (8, 2)
    tree = split.train[0]
    assert (tree.prompt[0].role, tree.prompt[0].content) == ("user", "question 0")
    assert [branch.text for branch in tree.branches] == ["yes", "no"]
    assert tree.ranks() == [1, 2]


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        ({"chosen": "x"}, "chosen", "begin with a turn"),
        (hh_row(1, rejected="yes"), "rejected", "the same answer as chosen"),
        (hh_row(1, rejected="no\n\nHuman: why"), "rejected", "end with an assistant turn"),
        (
            hh_row(1, rejected="no\n\nHuman: why\n\nAssistant: so"),
            "rejected",
            "differs from 'chosen' at turn 2 of 4",
        ),
        (
            {"chosen": "\n\nAssistant: a", "rejected": "\n\nAssistant: b"},
            "chosen",
            "prompt is empty",
        ),
    ],
)
def test_a_bad_hh_record_names_its_field(tmp_path, row, field, problem):
    row = {"rejected": "\n\nHuman: x\n\nAssistant: y"} | row
    path = write(tmp_path / "pairs.jsonl", [hh_row(0), row, hh_row(2)])
    with pytest.raises(DataError) as caught:
        HhPairs(HhConfig(path=path)).load(0)
    error = caught.value
    assert (str(error.file), error.record, error.field) == (path, 2, field)
    assert problem in error.problem
    assert "data.on_bad_record=skip" in error.remedy
    counts = HhPairs(HhConfig(path=path, on_bad_record=SKIP)).load(0).counts
    assert (counts.read, counts.used, counts.skipped) == (3, 2, 1)


@pytest.mark.parametrize("chosen", ["auto", "named"])
@pytest.mark.parametrize("name", ROWS)
def test_every_trl_format(tmp_path, name, chosen):
    path = write(tmp_path / "data.jsonl", [ROWS[name](n) for n in range(10)])
    record_format = TrlFormat.auto if chosen == "auto" else TrlFormat[name]
    split = load_trl(path, format=record_format)
    assert split.name == "trl-data"
    assert (len(split.train), len(split.test)) == (8, 2)
    assert {len(tree.branches) for tree in split.train} == {BRANCHES[name]}
    for tree in split.train:
        assert len(tree.labels()) == BRANCHES[name]


def test_conversational_pairs_with_and_without_a_prompt(tmp_path):
    explicit = [
        {
            "prompt": chat("user", f"q{n}"),
            "chosen": chat("assistant", "yes"),
            "rejected": chat("assistant", "no"),
        }
        for n in range(4)
    ]
    implicit = [
        {key: row["prompt"] + row[key] for key in ("chosen", "rejected")} for row in explicit
    ]
    one = load_trl(write(tmp_path / "one.jsonl", explicit))
    two = load_trl(write(tmp_path / "two.jsonl", implicit))
    assert one.fingerprint == two.fingerprint
    assert one.train[0].prompt[0].role == "user"


def test_a_parquet_file_whose_absent_columns_are_null(tmp_path):
    import datasets

    rows = [ROWS["preference"](n) | {"label": None} for n in range(4)]
    path = str(tmp_path / "data.parquet")
    datasets.Dataset.from_list(rows).to_parquet(path)
    assert len(load_trl(path).train[0].branches) == 2


def test_the_first_row_with_a_format_decides_and_others_must_fit(tmp_path):
    rows = [{"prompt": "p", "rejected": "no"}, *(ROWS["preference"](n) for n in range(3))]
    path = write(tmp_path / "data.jsonl", rows)
    with pytest.raises(DataError) as caught:
        load_trl(path)
    assert (caught.value.record, caught.value.field) == (1, "chosen")
    assert load_trl(path, on_bad_record=SKIP).counts.skipped == 1


def test_keys_of_no_format(tmp_path):
    path = write(tmp_path / "data.jsonl", [{"question": "q", "answer": "a"}])
    with pytest.raises(DataError, match="the keys question, answer are those of no TRL") as caught:
        load_trl(path)
    assert (str(caught.value.file), caught.value.record) == (path, 1)
    assert "preference: chosen, rejected" in caught.value.remedy


def test_a_file_without_a_readable_row_shows_its_first_fault(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text("{oops\n")
    with pytest.raises(DataError, match="line 1: invalid JSON at column 2"):
        load_trl(str(path))


@pytest.mark.parametrize(("config", "name"), [(HhConfig, "hh"), (TrlConfig, "trl")])
def test_a_path_is_required(config, name):
    with pytest.raises(ConfigError, match=rf"data={name} needs data\.path=FILE"):
        config()


def test_the_yaml_holds_the_schemas_defaults():
    for component in prefrun_components():
        path = prefrun_config_dir() / component.group / f"{component.name}.yaml"
        values = OmegaConf.load(path)
        schema = f"/schema/data/{component.name}@_here_"
        assert values.pop("defaults") == [schema, "_self_"]
        merged = OmegaConf.merge(OmegaConf.structured(component.config), values)
        assert set(values) == set(merged)
        merged.path = "x"
        assert OmegaConf.to_object(merged) == component.config(path="x")
        assert component.load().__module__ == "prefrun_pairs.data"


needs_real = pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL}: set PREFRUN_SHARED_DATA")


@needs_real
def test_real_hh_pairs():
    split = HhPairs(HhConfig(path=str(REAL), on_bad_record=SKIP)).load(0)
    counts = split.counts
    assert (counts.read, counts.used, counts.skipped) == (181, 180, 1)
    assert "line 149, field 'rejected': differs from 'chosen' at turn 2 of 3" in counts.problems[0]
    assert (len(split.train), len(split.test)) == (144, 36)
    assert all(tree.prompt[-1].role == "user" for tree in split.train)


@needs_real
def test_real_hh_pairs_stop_at_the_dialogues_that_part_early():
    with pytest.raises(DataError, match="line 149"):
        HhPairs(HhConfig(path=str(REAL))).load(0)


def test_a_test_file_of_its_own(tmp_path):
    train = write(tmp_path / "train.jsonl", [ROWS["preference"](n) for n in range(4)])
    test = write(tmp_path / "test.jsonl", [ROWS["preference"](n) for n in range(3, 9)])
    split = load_trl(train, test_path=test)
    assert (len(split.train), len(split.test), split.counts.read) == (4, 6, 10)
    assert split.note.startswith("1 of 6 held-out records have a prompt that is trained on")
    hh = write(tmp_path / "hh.jsonl", [hh_row(n) for n in range(3)])
    assert len(HhPairs(HhConfig(path=hh, test_path=hh)).load(0).test) == 3
    bad = write(tmp_path / "bad.jsonl", [{"prompt": "p", "chosen": "a"}])
    with pytest.raises(DataError, match=r"bad\.jsonl, line 1, field 'rejected': missing"):
        load_trl(train, test_path=bad)


def test_answers_that_nothing_names_are_no_prompts_alone(tmp_path):
    row = {"prompt": "p", "response_0": "a b", "response_1": "c d"}
    path = write(tmp_path / "data.jsonl", [row, row | {"prompt": "q"}])
    with pytest.raises(DataError, match="columns response_0, response_1 would not be used") as got:
        load_trl(path)
    assert "data.columns.answers=[response_0,response_1]" in got.value.remedy


HUB = {"source": Source.hub}


def saved(tmp_path, rows, split="train"):
    """Write ROWS as a file of SPLIT of a local data set; return the folder."""
    folder = tmp_path / "org" / "pairs"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"{split}.jsonl", rows)
    return str(folder)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Let `datasets` keep its files in the test's folder."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_a_hub_data_set_by_name_and_split(tmp_path, own_cache):
    rows = [{"system": "", "question": f"q{n}"} for n in range(6)]
    rows = [row | {"chosen": "yes", "rejected": "no"} for row in rows]
    saved(tmp_path, rows[:2], "test")
    name = saved(tmp_path, rows)
    config = TrlConfig(name=name, split="train[:4]", test_split="test", **HUB)
    split = TrlRecords(config).load(0)
    assert (split.name, len(split.train), len(split.test)) == ("trl-pairs", 4, 2)
    assert split.train[0].prompt[-1].content == "q0"
    with pytest.raises(DataError, match=r"hub failed: Unknown split .nosuch"):
        TrlRecords(TrlConfig(name=name, split="nosuch", **HUB)).load(0)


def test_a_configuration_of_a_hub_data_set(tmp_path, own_cache):
    name = saved(tmp_path, [ROWS["preference"](n) for n in range(3)], "one")
    saved(tmp_path, [ROWS["preference"](n) for n in range(5)], "two")
    (tmp_path / "org" / "pairs" / "README.md").write_text(
        "---\nconfigs:\n- config_name: a\n  data_files: one.jsonl\n"
        "- config_name: b\n  data_files: two.jsonl\n---\n"
    )
    assert TrlRecords(TrlConfig(name=name, config="b", **HUB)).load(0).counts.used == 5
    assert TrlRecords(TrlConfig(name=name, config="a", **HUB)).load(0).counts.used == 3
    with pytest.raises(DataError, match=r"hub failed: .*(Config name|pick one)"):
        TrlRecords(TrlConfig(name=name, **HUB)).load(0)


def test_a_hub_that_cannot_be_reached(monkeypatch, own_cache):
    from prefrun.builtin import hub

    monkeypatch.setattr(hub, "is_reachable", lambda: False)
    with pytest.raises(DataError, match="the Hugging Face hub cannot be reached") as got:
        TrlRecords(TrlConfig(name="org/nowhere", **HUB)).load(0)
    assert "data.path=FILE" in got.value.remedy


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"source": Source.hub}, r"needs data\.name=DATA_SET"),
        ({"source": Source.hub, "name": "a/b", "path": "x"}, "name two sources"),
        ({"path": "x", "name": "a/b"}, r"data\.name does nothing without data\.source=hub"),
        ({"path": "x", "split": "test"}, r"data\.split does nothing without data\.source=hub"),
    ],
)
def test_keys_of_another_source_are_refused(keys, problem):
    with pytest.raises(ConfigError, match=problem):
        TrlConfig(**keys)


def test_ignored_columns_stay_in_the_metadata(tmp_path):
    rows = [ROWS["preference"](n) | {"rationale": "so it is"} for n in range(3)]
    path = write(tmp_path / "data.jsonl", rows)
    split = load_trl(path, ignore_columns=["rationale"])
    assert split.train[0].metadata == {"rationale": "so it is"}
