"""Growing trees: cuts, scores, what an interruption leaves, what is known already."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from prefrun.errors import ConfigError, DataError, PrefrunError
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.schema import CacheConfig, TrainerConfig
from prefrun.testing import check_algorithm
from prefrun_tpo.chain_data import ChainArithmetic
from prefrun_tpo.config import ChainArithmeticConfig, GrowTreesConfig, StepTreesConfig
from prefrun_tpo.continuations import Continuations
from prefrun_tpo.grow import PART, GrowTrees
from prefrun_tpo.step_trees import StepTrees
from prefrun_tpo.verdicts import BestBranchVerifier

DATA = ChainArithmetic(ChainArithmeticConfig(records=PART + 8)).load(0)


class Tokenizer:
    """As much of a tokenizer as plain prompts need."""

    def get_vocab(self) -> dict[str, int]:
        return {"a": 0}


class Policy:
    """Goes on with a wrong step; counts the prompts; fails at its call number FAIL_AT."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.prompts: list[str] = []
        self.calls, self.fail_at = 0, fail_at

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        self.prompts += [tree.prompt_text for tree in trees]
        return [f"Step 8: +1 = {len(tree.id) % 10}\nStep 9: +{seed} = 3" for tree in trees]


def services(folder: Path, policy: Policy, *, cache: bool = True, **changes):
    folder.mkdir(exist_ok=True)
    trainer = TrainerConfig()
    return SimpleNamespace(
        **{
            "run": SimpleNamespace(output_dir=folder, seed=changes.pop("seed", 1)),
            "config": SimpleNamespace(
                trainer=trainer,
                cache=CacheConfig(enabled=cache, dir=str(folder.parent / "cache")),
            ),
            "data": DATA,
            "reward": DATA.reward,
            "loaded": SimpleNamespace(
                tokenizer=Tokenizer(), name="m", fingerprint=changes.pop("fingerprint", "f")
            ),
            "policy": lambda: policy,
            "log": lambda step, metrics: None,
            **changes,
        }
    )


def grow(folder: Path, policy: Policy, **changes):
    return GrowTrees(GrowTreesConfig(max_new_tokens=9)).run(services(folder, policy, **changes))


def rows(folder: Path):
    text = gzip.decompress((folder / "trees.jsonl.gz").read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]


def test_trees_are_gold_grown_branches_and_the_known_wrong_one(tmp_path):
    outcome = grow(tmp_path / "run", Policy())
    written = rows(tmp_path / "run")
    assert len(written) == PART + 8
    by_prompt = {tree.prompt_text: tree for tree in (*DATA.train, *DATA.test)}
    for each in written:
        tree, gold = by_prompt[each["prompt"]], each["responses"][0]
        assert "".join(gold) == tree.branches[0].text
        lowest = tree.labels().index(min(tree.labels()))
        assert "".join(each["responses"][-1]) == tree.branches[lowest].text
        assert (each["scores"][0], each["sources"][0]) == (100.0, "gold")
        assert each["sources"][-1] == "known wrong"
        cuts = [int(source.rpartition(" ")[2]) - 1 for source in each["sources"][1:-1]]
        assert cuts == sorted(set(cuts))
        for cut, steps, score in zip(
            cuts, each["responses"][1:-1], each["scores"][1:-1], strict=True
        ):
            assert steps[:cut] == gold[:cut]
            assert steps[cut].startswith("Step 8:")
            # whatever follows the cut is wrong, and it makes the solution two steps longer
            assert score == pytest.approx(200 * cut / max(4, cut + 2) - 100)
    assert outcome.policy is None
    assert outcome.metrics["continuations_sampled"].value == 3 * (PART + 8)


def test_the_written_trees_are_data(tmp_path):
    grow(tmp_path / "run", Policy())
    split = StepTrees(StepTreesConfig(path=str(tmp_path / "run" / "trees.jsonl.gz"))).load(0)
    assert split.counts.used == PART + 8
    prompts = {tree.prompt_text for tree in split.test}
    assert prompts == {tree.prompt_text for tree in DATA.test}


@pytest.mark.parametrize("cache", [True, False])
def test_an_interrupted_generation_goes_on_and_samples_nothing_twice(tmp_path, cache):
    whole = Policy()
    grow(tmp_path / "whole", whole, cache=False)
    first, second = Policy(fail_at=2), Policy()
    with pytest.raises(KeyboardInterrupt):
        grow(tmp_path / "cut", first, cache=cache)
    grow(tmp_path / "cut", second, cache=cache)
    assert sorted(first.prompts + second.prompts) == sorted(whole.prompts)
    assert first.prompts
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")


def test_the_same_policy_data_and_settings_are_never_sampled_again(tmp_path):
    grow(tmp_path / "one", Policy())
    again = Policy()
    outcome = grow(tmp_path / "two", again)
    assert again.calls == 0
    assert outcome.metrics["continuations_sampled"].value == 0
    for changes in ({"seed": 2}, {"fingerprint": "other"}):
        other = Policy()
        grow(tmp_path / f"with {changes}", other, **changes)
        assert len(other.prompts) == 3 * (PART + 8)


def test_a_verifier_may_look_at_the_records_own_branches(tmp_path):
    grow(tmp_path / "run", Policy(), reward=BestBranchVerifier("overall"))
    scores = [each["scores"] for each in rows(tmp_path / "run")]
    assert {each[0] for each in scores} == {100.0}
    assert all(-100 <= min(each) < 100 for each in scores)


def test_a_reward_that_is_not_a_number_is_named(tmp_path):
    reward = SimpleNamespace(name="broken", score=lambda trees, texts: [float("nan")] * len(texts))
    with pytest.raises(PrefrunError, match=r"reward broken gave nan for record chain:\d+, branch"):
        grow(tmp_path / "run", Policy(), reward=reward)


def test_what_cannot_be_cut_or_judged_is_refused_before_a_model_is_loaded():
    algorithm = GrowTrees(GrowTreesConfig())
    with pytest.raises(ConfigError, match="needs a verifier, and data=chain_arithmetic brings"):
        algorithm.check(DATA, None)
    branches = (Branch((Step("yes"),), {"overall": 1.0}), Branch((Step("no"),), {"overall": 0.0}))
    flat = SimpleNamespace(
        name="flat", train=[PreferenceTree("r7", "x?", branches)], test=[], objective="overall"
    )
    with pytest.raises(DataError, match=r"record r7, field 'branches\[0\].steps': the best branch"):
        algorithm.check(flat, DATA.reward)


@pytest.mark.parametrize("keys", [{"branches": 0}, {"temperature": 0.0}, {"max_new_tokens": 0}])
def test_the_keys_are_checked(keys):
    ((key, value),) = keys.items()
    with pytest.raises(ConfigError, match=f"algo.{key}={value}"):
        GrowTreesConfig(**keys)


def test_a_damaged_store_is_named(tmp_path):
    (tmp_path / "continuations.sqlite").write_bytes(b"no database, but long enough for one" * 9)
    with pytest.raises(PrefrunError, match=r"continuations.sqlite: cannot be used"):
        Continuations(tmp_path).read(["key"])


def test_conformance():
    check_algorithm("grow_trees")


def prefrun(*words: str, folder: Path) -> None:
    environment = {**os.environ, "PREFRUN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "prefrun", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_from_the_command_line_trees_are_grown_and_learned_from(tmp_path):
    words = ["data.records=20", "model=chain", "evaluation.max_new_tokens=48"]
    prefrun(
        "algo=grow_trees",
        "data=chain_arithmetic",
        "algo.max_new_tokens=48",
        "output_dir=trees",
        *words,
        folder=tmp_path,
    )
    prefrun(
        "algo=tpo",
        "data=step_trees",
        "data.path=trees/trees.jsonl.gz",
        "reward=chain_arithmetic",
        "output_dir=run",
        "trainer.max_steps=2",
        *words[1:],
        folder=tmp_path,
    )
    metrics = json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"]
    assert {"answer_accuracy", "tree_kendall_tau"} <= set(metrics)
    report = (tmp_path / "run" / "report.md").read_text()
    assert "## Trees" in report
    assert (tmp_path / "run" / "plots" / "tree-1.svg").read_text().startswith("<?xml")
