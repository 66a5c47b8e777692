"""What a run began with is compared, old -> new, before it is resumed."""

from __future__ import annotations

import pytest

from prefrun.errors import ConfigError
from prefrun.jobs.changes import changes, check_unchanged, record_resumption
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json

BEGAN = {
    "inputs": {"model.name": {"path": "/m", "weights": "1" * 40, "tokenizer": "2" * 40}},
    "code": {
        "fingerprint": "f",
        "packages": {"prefrun": "3" * 64, "prefrun_demo": "4" * 64},
        "libraries": {"torch": "2.12.0", "peft": None},
    },
}


def now(**parts):
    """What is here now: BEGAN with PARTS replaced."""
    code = BEGAN["code"] | {
        key: parts.pop(key) for key in ("packages", "libraries") if key in parts
    }
    return {**BEGAN, "code": code, **parts}


def test_nothing_has_changed():
    assert list(changes(BEGAN, now())) == []


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (
            {"inputs": {"model.name": {"path": "/m", "weights": "9" * 40, "tokenizer": "2" * 40}}},
            "model.name=/m: weights: 111111111111 -> 999999999999",
        ),
        (
            {"inputs": {"model.name": {"path": "/m", "weights": "1" * 40, "tokenizer": "9" * 40}}},
            "model.name=/m: tokenizer: 222222222222 -> 999999999999",
        ),
        (
            {"packages": {"prefrun": "3" * 64, "prefrun_demo": "9" * 64}},
            "code of prefrun_demo: 444444444444 -> 999999999999",
        ),
        (
            {"packages": {"prefrun": "3" * 64}},
            "code of prefrun_demo: 444444444444 -> absent",
        ),
        (
            {"libraries": {"torch": "2.13.0", "peft": None}},
            "version of torch: 2.12.0 -> 2.13.0",
        ),
        (
            {"libraries": {"torch": "2.12.0", "peft": "0.21"}},
            "version of peft: absent -> 0.21",
        ),
    ],
)
def test_each_change_is_a_line(parts, line):
    assert list(changes(BEGAN, now(**parts))) == [line]


def test_a_moved_folder_of_the_same_content_is_no_change():
    moved = {"model.name": BEGAN["inputs"]["model.name"] | {"path": "/elsewhere"}}
    assert list(changes(BEGAN, now(inputs=moved))) == []


def test_an_older_manifest_is_compared_by_its_code():
    assert list(changes({"code": {"fingerprint": "f"}}, BEGAN)) == []
    assert list(changes({"code": {"fingerprint": "e"}}, BEGAN)) == ["code: e -> f"]


def test_a_change_is_refused_with_the_way_to_resume_all_the_same(tmp_path):
    directory = RunDirectory(tmp_path)
    write_json(directory.manifest, BEGAN)
    changed = now(libraries={"torch": "2.13.0", "peft": None})
    with pytest.raises(ConfigError, match=r"version of torch: 2\.12\.0 -> 2\.13\.0") as caught:
        check_unchanged(directory, changed, accept=False)
    assert f"prefrun resume {tmp_path} --accept-changes" in str(caught.value)
    assert read_json(directory.manifest) == BEGAN
    lines = check_unchanged(directory, changed, accept=True)
    assert lines == ["version of torch: 2.12.0 -> 2.13.0"]


def test_a_resumption_is_added_and_the_rest_of_the_manifest_stays(tmp_path):
    directory = RunDirectory(tmp_path)
    write_json(directory.manifest, BEGAN)
    record_resumption(directory, ["prefrun", "resume", "tracker.api_key=abc"], ["x: 1 -> 2"], True)
    record_resumption(directory, ["prefrun", "resume"], [], False)
    manifest = read_json(directory.manifest)
    assert {key: manifest[key] for key in BEGAN} == BEGAN
    assert [entry["changed"] for entry in manifest["resumed"]] == [["x: 1 -> 2"], []]
    assert "abc" not in str(manifest)
