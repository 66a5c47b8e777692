"""data=ultrafeedback: the sample, files, the hub, and never one in place of another."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from prefrun.errors import ConfigError, DataError
from prefrun.records.config import OnBadRecord
from prefrun_ultrafeedback import prefrun_components, prefrun_config_dir
from prefrun_ultrafeedback.config import Source, UltraFeedbackConfig
from prefrun_ultrafeedback.data import HUB_NAME, UltraFeedback

SHARED = Path(
    os.environ.get("PREFRUN_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)
REAL = SHARED / "alpaca_eval_lists.jsonl.gz"
SKIP = OnBadRecord.skip


def load(seed=0, **keys):
    return UltraFeedback(UltraFeedbackConfig(**keys)).load(seed)


def record(number, scores=(1.0, 2.0, 3.0, 4.0)):
    completions = [
        {"model": f"m{n}", "response": f"answer {n}", "overall_score": score}
        for n, score in enumerate(scores)
    ]
    return {"instruction": f"question {number}", "completions": completions}


def texts(trees):
    return [(tree.prompt_text, [branch.text for branch in tree.branches]) for tree in trees]


def test_the_sample_is_the_default_and_says_so():
    split = load()
    assert split.name == "ultrafeedback-sample"
    assert "Generated sample data, not UltraFeedback" in split.note
    assert "data.source=hub" in split.note
    assert "data.path=" in split.note
    assert (len(split.train), len(split.test)) == (512, 128)
    assert not {t.prompt_text for t in split.train} & {t.prompt_text for t in split.test}
    assert (split.counts.read, split.counts.used, split.counts.skipped) == (640, 640, 0)
    assert len({tree.id for tree in (*split.train, *split.test)}) == 640


def test_every_seed_reads_the_same_records():
    one, two = load(seed=1), load(seed=2)
    assert one.fingerprint == two.fingerprint
    assert texts(one.train) == texts(two.train)


def test_another_process_reads_the_same_records():
    code = (
        "from prefrun_ultrafeedback.config import UltraFeedbackConfig as C\n"
        "from prefrun_ultrafeedback.data import UltraFeedback as U\n"
        "import sys; print(U(C(max_records=50)).load(0).fingerprint)\n"
        "assert not {'torch', 'transformers', 'datasets', 'pyarrow', 'numpy'} & set(sys.modules)\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == load(max_records=50).fingerprint, done.stderr


def test_the_sample_has_four_rated_answers_each():
    for tree in load(max_records=40).train:
        assert len({branch.text for branch in tree.branches}) == 4
        for branch in tree.branches:
            assert set(branch.scores) == {
                "overall",
                "fine_grained",
                "instruction_following",
                "honesty",
                "truthfulness",
                "helpfulness",
            }


@pytest.mark.parametrize(("limit", "counts"), [(2, (1, 1)), (20, (16, 4)), (10_000, (512, 128))])
def test_the_sample_can_be_limited(limit, counts):
    split = load(max_records=limit)
    assert (len(split.train), len(split.test)) == counts


def test_the_sample_brings_its_judge():
    split = load(max_records=20)
    assert split.reward is not None
    assert split.reward.name == "sample judge"
    best = [max(tree.branches, key=lambda b: b.scores["overall"]) for tree in split.test]
    given = split.reward.score(split.test, [branch.text for branch in best])
    assert given == [branch.scores["overall"] for branch in best]
    nonsense = split.reward.score(split.test, ["banana"] * len(split.test))
    assert all(low < high for low, high in zip(nonsense, given, strict=True))


def test_another_objective_gives_other_labels():
    tree = load(objective="honesty", max_records=10).train[0]
    assert tree.labels("honesty") == [branch.scores["honesty"] for branch in tree.branches]


@pytest.mark.parametrize(
    "name", ["mine.jsonl", "mine.jsonl.gz", "mine.json", "mine.parquet", "mine"]
)
def test_files_of_every_kind(tmp_path, name):
    path, rows = tmp_path / name, [record(n) for n in range(10)]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines))
    elif name.endswith(".jsonl"):
        path.write_bytes(lines)
    elif name.endswith(".json"):
        path.write_text(json.dumps(rows))
    else:
        import datasets

        table = datasets.Dataset.from_list(rows)
        table.to_parquet(str(path)) if name.endswith(".parquet") else table.save_to_disk(str(path))
    split = load(path=str(path))
    assert split.name == "ultrafeedback-mine"
    assert split.reward is None
    assert split.note == ""
    assert (len(split.train), len(split.test)) == (8, 2)
    assert split.train[0].labels() == [1.0, 2.0, 3.0, 4.0]


def test_a_path_and_the_hub_clash():
    with pytest.raises(ConfigError, match=r"data\.source=hub and data\.path=x\.jsonl"):
        UltraFeedbackConfig(path="x.jsonl", source=Source.hub)


def test_a_misspelt_objective_names_the_nearest():
    with pytest.raises(ConfigError, match=r"Did you mean 'helpfulness'\?"):
        UltraFeedbackConfig(objective="helpfulnes")


def test_the_hub_is_asked_for_the_real_data_without_running_its_code(monkeypatch):
    import datasets

    asked = []

    def give(*arguments, **keys):
        asked.append((arguments, keys))
        return datasets.Dataset.from_list([record(n) for n in range(5)])

    monkeypatch.setattr(datasets, "load_dataset", give)
    split = load(source=Source.hub)
    assert asked == [((HUB_NAME, None), {"split": "train"})]
    assert split.name == "ultrafeedback-hub"
    assert (len(split.train), len(split.test), split.reward) == (4, 1, None)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ConnectionError("no route"), "hub cannot be reached: no route"),
        (ValueError("schema"), "loading from the Hugging Face hub failed: schema"),
    ],
)
def test_a_hub_that_fails_is_an_error_with_the_other_sources(monkeypatch, problem, said):
    import datasets

    def fail(*arguments, **keys):
        raise problem

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DataError, match=said) as caught:
        load(source=Source.hub)
    assert "data.path=FILE" in caught.value.remedy
    assert "data.source=sample" in caught.value.remedy


def test_the_real_loader_without_a_connection(tmp_path):
    code = (
        "from prefrun_ultrafeedback.config import Source, UltraFeedbackConfig as C\n"
        "from prefrun_ultrafeedback.data import UltraFeedback as U\n"
        "U(C(source=Source.hub)).load(0)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert "DataError: openbmb/UltraFeedback: the Hugging Face hub cannot be reached" in done.stderr


def test_the_yaml_holds_the_schemas_defaults():
    (component,) = prefrun_components()
    path = prefrun_config_dir() / component.group / f"{component.name}.yaml"
    values = OmegaConf.load(path)
    assert values.pop("defaults") == ["/schema/data/ultrafeedback@_here_", "_self_"]
    merged = OmegaConf.merge(OmegaConf.structured(component.config), values)
    assert set(values) == set(merged)
    assert OmegaConf.to_object(merged) == UltraFeedbackConfig()
    assert component.load() is UltraFeedback


needs_real = pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL}: set PREFRUN_SHARED_DATA")


@needs_real
def test_real_lists_with_unusable_records_skipped():
    split = load(path=str(REAL), on_bad_record=SKIP)
    counts = split.counts
    assert (counts.read, counts.used, counts.skipped) == (400, 370, 30)
    assert (len(split.train), len(split.test)) == (296, 74)
    assert sum("same score" in problem for problem in counts.problems) == 27
    assert sum("the same answer as" in problem for problem in counts.problems) == 3
    assert split.reward is None


@needs_real
def test_real_lists_stop_at_the_first_tie():
    with pytest.raises(DataError, match=r"line 23, field 'completions\[\*\].overall_score'"):
        load(path=str(REAL))


@needs_real
def test_real_lists_without_aspects_name_the_objective_they_have():
    with pytest.raises(DataError, match=r"honesty\.Rating") as caught:
        load(path=str(REAL), objective="honesty")
    assert caught.value.remedy.startswith("set data.objective to one of overall")
