"""The picture and the table of learned reliabilities."""

from __future__ import annotations

import json

from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_json
from prefrun.rundir.status import finish, start
from prefrun_robust.lcpo.report import comparison_section, section


def write_run(folder, seed, lines, algo="lcpo", reliabilities=None):
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    data = {"reliabilities": reliabilities} if reliabilities else {"path": None}
    write_json(folder / "config.yaml", {"seed": seed, "algo": {"base": "dpo"}, "data": data})
    start(RunDirectory(folder))
    finish(RunDirectory(folder), 2)
    write_json(folder / "manifest.json", {"data": {}, "components": {"algo": algo}})
    write_json(folder / "summary.json", {"seed": seed, "metrics": {}, "algo": algo})
    return folder


def eta(step, value):
    return {"step": step, "loss": 0.5, "eta/annotator-0": value, "eta/annotator-1": 0.6}


def test_a_run_s_curves_are_drawn(tmp_path):
    run = write_run(tmp_path / "run", 1, [eta(1, 0.9), eta(2, 0.8)], reliabilities=[0.8, 0.6])
    text = section(run, tmp_path / "report")
    assert text.startswith("## ")
    assert "Dotted" in text
    assert (tmp_path / "report/plots/lcpo-reliability.png").stat().st_size > 5000


def test_other_runs_get_no_section(tmp_path):
    run = write_run(tmp_path / "run", 1, [{"step": 1, "loss": 0.5}], algo="dpo")
    assert section(run, tmp_path) is None
    assert comparison_section([run]) is None


def test_the_comparison_has_means_over_seeds(tmp_path):
    runs = [
        write_run(tmp_path / str(seed), seed, [eta(1, value)], reliabilities=[0.95, 0.6])
        for seed, value in ((1, 0.8), (2, 0.9))
    ]
    text = comparison_section(runs)
    assert "| true | 0.95 | 0.6 |" in text
    assert "0.850 ± 0.050" in text
