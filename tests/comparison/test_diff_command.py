"""`prefrun diff RUN_A RUN_B`."""

from __future__ import annotations

import pytest

from prefrun.commands.diff import diff
from prefrun.errors import ConfigError, PrefrunError
from prefrun.rundir.files import read_json, write_json


@pytest.fixture
def compared(make_run, capsys):
    """Return `compared(**options)`: the lines of the diff between a run and one with OPTIONS."""

    def lines(after=None, change=None, **options):
        one = make_run("one", {"kl": 2.0, "win_rate": 0.7})
        two = make_run("two", after or {"kl": 2.0, "win_rate": 0.7}, **options)
        if change:
            manifest = read_json(two / "manifest.json")
            change(manifest)
            write_json(two / "manifest.json", manifest)
        assert diff([str(one), str(two)]) == 0
        return capsys.readouterr().out.splitlines()[2:]

    return lines


def test_equal_runs_have_no_difference(compared):
    (line,) = compared()
    assert line.startswith("no difference in configuration, data, model, inputs, code, versions")


def test_configuration_and_results_are_compared(compared):
    lines = compared({"kl": 1.5, "reward": 3.0, "win_rate": 0.7}, trainer__learning_rate=0.01)
    assert lines == [
        "configuration:",
        "  trainer.learning_rate  0.001 -> 0.01",
        "data: no difference",
        "model: no difference",
        "inputs: no difference",
        "code: no difference",
        "versions: no difference",
        "hardware: no difference",
        "numerics: no difference",
        "results:",
        "  kl      2 -> 1.5  (-0.500)",
        "  reward  (absent) -> 3",
    ]


def test_another_algorithm_is_named_with_its_keys(compared):
    lines = compared(algo="dpo")
    assert "  algo                  lipo -> dpo" in lines
    assert "  algo.loss             lambda -> (absent)" in lines


def test_data_are_compared_by_fingerprint_and_counts(compared):
    lines = compared(
        fingerprint="other", change=lambda m: m["data"].update(train=9, problems=["x"])
    )
    assert lines[1:4] == [
        "data:",
        "  fingerprint  ffffffffffffffff -> other",
        "  train        512 -> 9",
    ]


@pytest.mark.parametrize(
    ("section", "key", "value", "line"),
    [
        ("code", "prefrun", {"dirty": True}, "  prefrun.dirty        False -> True"),
        ("versions", "packages", {"torch": "3.0"}, "  packages.torch  2.13.0 -> 3.0"),
        ("hardware", "cores", 64, "  cores  2 -> 64"),
        ("model", "name", "hf", "  name  tiny -> hf"),
    ],
)
def test_what_the_run_was_made_from_is_compared(compared, section, key, value, line):
    lines = compared(change=lambda manifest: manifest[section].update({key: value}))
    assert f"{section}:" in lines
    assert line in lines
    assert lines[-1] == "results: no difference"


def test_a_failed_run_is_compared_by_what_it_has(make_run, capsys):
    one = make_run("one", {"kl": 2.0})
    two = make_run("two", None, error="boom")
    assert diff([str(one), str(two)]) == 0
    out = capsys.readouterr().out
    assert "finished -> failed at step 40 of 100: RuntimeError: boom" in out
    assert "configuration: no difference" in out


@pytest.mark.parametrize("arguments", [[], ["one"], ["one", "two", "three"], ["--help", "x"]])
def test_two_runs_are_wanted(arguments):
    with pytest.raises(ConfigError, match="usage: prefrun diff RUN_A RUN_B"):
        diff(arguments)


def test_a_folder_without_a_run_and_a_damaged_run_are_named(make_run, tmp_path):
    one = make_run("one", {"kl": 2.0})
    with pytest.raises(ConfigError, match="is no run directory"):
        diff([str(one), str(tmp_path)])
    (one / "manifest.json").write_text("{")
    with pytest.raises(PrefrunError, match=r"manifest\.json"):
        diff([str(one), str(one)])


def test_values_that_print_alike_are_shown_apart(compared):
    lines = compared({"kl": 2.0}, trainer__learning_rate=0.0010000001)
    assert "  trainer.learning_rate  0.001 -> 0.0010000001" in lines
    lines = compared({"kl": 2.0}, trainer__max_steps="100")
    assert "  trainer.max_steps  100 -> '100'" in lines
