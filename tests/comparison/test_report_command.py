"""`prefrun report DIR...`."""

from __future__ import annotations

import pytest

from prefrun.commands.report import report
from prefrun.errors import ConfigError


def test_one_run_gets_its_report_and_table(make_run, capsys):
    path = make_run("one", {"win_rate": 0.75}, before={"win_rate": 0.5})
    assert report([str(path)]) == 0
    assert "0.750" in (path / "report.md").read_text()
    out = capsys.readouterr().out
    assert "win_rate" in out
    assert "0.750" in out
    assert str(path / "report.md") in out.replace("\n", "")


def test_a_failed_run_says_why(make_run, capsys):
    path = make_run("bad", None, error="[boom]")
    assert report([str(path)]) == 0
    assert "no result: failed at step 40 of 100: RuntimeError: [boom]" in capsys.readouterr().out
    assert (path / "report.md").is_file()


def test_a_sweep_gets_its_comparison(make_run, tmp_path, capsys):
    make_run("sweep/0", {"win_rate": 0.7})
    make_run("sweep/1", {"win_rate": 0.6}, algo="dpo")
    assert report([str(tmp_path / "sweep")]) == 0
    names = {path.name for path in (tmp_path / "sweep").iterdir()}
    files = (f"comparison.{kind}" for kind in ("md", "csv", "tex", "png"))
    assert names == {"0", "1", *files, "report.html"}
    assert "algo=dpo" in capsys.readouterr().out


def test_several_runs_are_compared_in_their_common_folder(make_run, tmp_path):
    paths = [make_run("here/a", {"kl": 1.0}), make_run("here/b", {"kl": 2.0}, algo="dpo")]
    report(list(map(str, paths)))
    assert (tmp_path / "here" / "comparison.md").is_file()


def test_runs_of_different_folders_are_compared_in_the_first(make_run, tmp_path):
    first = make_run("here/a", {"kl": 1.0})
    report([str(first), str(make_run("there/b", {"kl": 2.0}, algo="dpo"))])
    assert (first / "comparison.md").is_file()


def test_the_baseline_can_be_chosen(make_run, tmp_path, capsys):
    for seed in (1, 2):
        make_run(f"sweep/{seed}", {"kl": 1.0 + seed / 10}, seed=seed)
        make_run(f"sweep/{seed + 2}", {"kl": 2.0}, algo="dpo", seed=seed)
    report([str(tmp_path / "sweep"), "--baseline", "algo=dpo"])
    assert "Differences from algo=dpo" in (tmp_path / "sweep" / "comparison.md").read_text()
    assert "permutation test against algo=dpo" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("count", [1, 2])
def test_output_names_another_folder(make_run, tmp_path, count):
    paths = [make_run("a", {"kl": 1.0}), make_run("b", {"kl": 2.0}, algo="dpo")][:count]
    report([*map(str, paths), "--output", str(tmp_path / "out" / "deep")])
    name = "report.md" if count == 1 else "comparison.md"
    assert (tmp_path / "out" / "deep" / name).is_file()
    assert not any(path.name in ("report.md", "comparison.md") for path in tmp_path.glob("*/*.md"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "usage: prefrun report"),
        (["--wrong", "x"], "--wrong"),
        (["nowhere"], "nowhere: there is no such folder"),
        ([".", "--output"], "--output"),
    ],
)
def test_bad_arguments_are_explained(arguments, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        report(arguments)
    assert complaint in str(caught.value)
