"""`prefrun algo=lipo data=ultrafeedback` from start to end."""

from __future__ import annotations

import json

import pytest

from tests.together.conftest import MAIN, SMALL

METRICS = {
    "ranking_accuracy",
    "implied_reward_accuracy",
    "win_rate",
    "kl",
    "reward",
    "response_length",
}


def test_the_summary_says_what_scripts_rely_on(finished):
    summary = finished.summary("whole")
    assert summary["status"] == "finished"
    assert (summary["algo"], summary["seed"], summary["steps"]) == ("lipo", 0, 6)
    assert summary["data"] == "ultrafeedback-sample"
    assert set(summary["metrics"]) >= METRICS
    assert all({"before", "after"} <= set(values) for values in summary["metrics"].values())
    assert summary["metrics"]["kl"]["before"] == pytest.approx(0.0, abs=1e-4)
    assert summary["metrics"]["kl"]["after"] > 1e-4
    assert summary["metrics"]["win_rate"]["before"] == 0.5
    assert summary["metrics"]["implied_reward_accuracy"]["before"] == 0.5
    assert summary["records"] == {"read": 48, "used": 48, "skipped": 0, "truncated": 0}
    assert all(summary["cost"][name] > 0 for name in ("seconds", "tokens", "peak_memory_mib"))


def test_the_run_directory_is_complete(finished):
    folder = finished.folder / "whole"
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "config.yaml",
        "manifest.json",
        "status.json",
        "metrics.jsonl",
        "summary.json",
        "report.md",
        "samples.jsonl",
        "model",
        "checkpoints",
        "plots",
    }
    assert json.loads((folder / "status.json").read_text())["status"] == "finished"
    steps = [line["step"] for line in finished.metrics("whole")]
    assert steps == [2, 4, 6]


def test_the_manifest_says_what_ran(finished):
    manifest = json.loads((finished.folder / "whole" / "manifest.json").read_text())
    assert "algo=lipo" in manifest["argv"]
    assert manifest["data"]["fingerprint"]
    assert manifest["model"]["fingerprint"]
    assert manifest["seed"] == 0


def test_the_final_model_loads_with_transformers(finished):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = finished.folder / "whole" / "model"
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 0
    assert AutoTokenizer.from_pretrained(folder).chat_template


def test_the_same_command_gives_the_same_numbers(finished):
    again = finished.train("again")
    assert again["metrics"] == finished.summary("whole")["metrics"]
    assert again["run_id"] == finished.summary("whole")["run_id"]


def test_micro_batches_change_no_result(finished):
    split = finished.train("split", "trainer.micro_batch_tokens=300")
    whole = finished.summary("whole")["metrics"]
    for name in ("ranking_accuracy_normalized", "implied_reward_accuracy"):
        assert split["metrics"][name]["after"] == pytest.approx(whole[name]["after"], abs=1e-6)
    assert split["metrics"]["kl"]["after"] == pytest.approx(whole["kl"]["after"], rel=0.05)


def test_a_finished_folder_is_not_overwritten(finished):
    before = (finished.folder / "whole" / "summary.json").read_text()
    done = finished.run(*MAIN, *SMALL, "output_dir=whole")
    assert done.returncode == 2
    assert "whole" in done.stderr
    assert (finished.folder / "whole" / "summary.json").read_text() == before


def test_the_output_ends_with_table_folder_and_next_command(finished):
    done = finished.run(*MAIN, *SMALL, "output_dir=shown", "seed=5")
    assert done.returncode == 0
    for text in ("ranking_accuracy", "before", "after", "shown", "next: prefrun", "sample"):
        assert text in done.stdout


def test_lora_trains_with_the_adapter_switched_off_as_reference(workplace):
    summary = workplace.train("lora", "model.lora.rank=4")
    assert summary["metrics"]["kl"]["after"] > 1e-6


def test_a_second_seed_reads_the_reference_from_the_cache(finished):
    cache = finished.folder / "cache"
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    finished.train("other_seed", "seed=9", "algo.beta=0.2", "trainer.learning_rate=0.01")
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) == size


def test_wandb_offline_writes_one_run(workplace):
    pytest.importorskip("wandb")
    workplace.train("tracked", "tracker=wandb", "tracker.mode=offline")
    assert len(list((workplace.folder / "tracked").rglob("run-*.wandb"))) == 1
    assert (workplace.folder / "tracked" / "wandb_id").read_text().strip()


def test_a_run_may_only_train(workplace):
    summary = workplace.train("only", "evaluator=[]", "trainer.max_steps=1")
    assert summary["metrics"] == {}
    assert (workplace.folder / "only" / "model").is_dir()
    assert "Nothing was measured." in (workplace.folder / "only" / "report.md").read_text()


def test_a_sweep_is_asked_for_anywhere_in_the_command(workplace):
    words = (
        *("algo=dpo", "model=linear", "data=linear_world"),
        *("-m", "seed=1,2", "trainer.max_steps=2"),
    )
    done = workplace.run(*words, "output_dir=sweep")
    assert done.returncode == 0, done.stderr
    assert len(list((workplace.folder / "sweep").glob("*/summary.json"))) == 2
