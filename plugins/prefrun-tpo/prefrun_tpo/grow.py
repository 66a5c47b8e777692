"""algo=grow_trees as the host sees it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.algorithm import LENGTH_KEYS, Outcome, RunAlgorithm
from prefrun.errors import ConfigError, PrefrunError
from prefrun.evaluation.evaluator import Estimate
from prefrun.records.tree import PreferenceTree
from prefrun.rundir.files import read_json_lines, write_atomically
from prefrun_tpo.config import GrowTreesConfig
from prefrun_tpo.continuations import Continuations, key_of
from prefrun_tpo.growing import (
    Stub,
    gold_steps,
    grown_tree,
    has_preference,
    prompt_and_prefix,
    scored,
    stubs,
)
from prefrun_tpo.step_trees import read_tree, write_rows

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit
    from prefrun.reward import Reward
    from prefrun.training.services import Services

FOLDER, TREES = "grow_trees", "trees.jsonl.gz"
PART = 32
"""Records that are grown, scored and written together."""
CARD = """
Grows preference trees from a policy; trains nothing. The data recipe of TPO (Liao, Chu, Wang, arXiv
2410.12854): the gold solution of T steps is cut at random points, drawn without replacement from
0 .. T-1; the policy goes on from each cut at a temperature; a verifier scores every branch. The
official recipe has a large model go on and judge; here the run's own model goes on and the run's
reward judges. Continuations are cut at 'Step k:' where the gold steps begin so, else at line ends.

Reads any data with steps; the best branch of a record is its gold solution, the worst one the known
wrong one. Writes RUN/trees.jsonl.gz, which data=step_trees reads: gold first, known wrong last.

Continuations are kept in the cache folder (cache.dir) by model, prompt and settings, and are never
sampled twice; with cache.enabled=false in the run's folder. A run that was interrupted goes on with
`prefrun resume RUN`.
"""


class GrowTrees(RunAlgorithm):
    """Samples continuations of cut gold solutions and writes the scored trees."""

    paper = "Liao et al. 2024, arXiv 2410.12854"
    kind = "data: trees sampled from a policy"
    formula = "gold[:cut] + sample, scored by a verifier"
    verdict = "The trees of the experiment of algo=tpo."

    card = CARD
    trainer_keys = LENGTH_KEYS
    evaluates_policy = False
    config: GrowTreesConfig

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise ConfigError without a verifier, DataError for a record that cannot be cut."""
        if reward is None:
            raise ConfigError(
                f"algo=grow_trees needs a verifier, and data={data.name} brings none\n"
                "  remedy: set reward=NAME, such as reward=solution"
            )
        for tree in (*data.train, *data.test):
            gold_steps(tree, data.objective)

    def run(self, services: Services) -> Outcome:
        """Grow the trees of all records, held-out ones too, and write them."""
        records = [*services.data.train, *services.data.test]
        folder = services.run.output_dir / FOLDER
        sampled, rows = 0, []
        for number, start in enumerate(range(0, len(records), PART)):
            part = folder / f"part-{number:05}.jsonl"
            if not part.exists():
                trees, new = self._grow(records[start : start + PART], services)
                sampled += new
                write_atomically(part, "".join(f"{json.dumps(row)}\n" for row in write_rows(trees)))
            rows += read_json_lines(part)
            done = min(start + PART, len(records))
            services.log(done, {"trees/records": done, "trees/sampled": sampled})
        trees = [read_tree(row, str(number)) for number, row in enumerate(rows)]
        kept = [row for row, tree in zip(rows, trees, strict=True) if has_preference(tree)]
        if not kept:
            raise PrefrunError(
                "no tree has branches of different scores\n  remedy: raise algo.temperature or "
                "algo.branches, or choose another verifier with reward=NAME"
            )
        write_trees(services.run.output_dir / TREES, kept)
        return Outcome(metrics=_metrics(trees, len(kept), sampled))

    def _grow(
        self, records: Sequence[PreferenceTree], services: Services
    ) -> tuple[list[PreferenceTree], int]:
        """Return the scored trees of RECORDS, and how many continuations were sampled anew."""
        objective, reward = services.data.objective, services.reward
        assert reward is not None  # `check` has seen to it
        wanted = stubs(records, objective, self.config.branches, services.run.seed)
        texts, new = self._continue(records, wanted, services)
        pairs = list(zip(wanted, texts, strict=True))
        trees = [
            grown_tree(
                tree,
                objective,
                [(stub, text) for stub, text in pairs if stub.tree == index],
                keep_worst=self.config.keep_worst,
                source=services.loaded.name,
            )
            for index, tree in enumerate(records)
        ]
        return scored(trees, records, reward), new

    def _continue(
        self, records: Sequence[PreferenceTree], wanted: Sequence[Stub], services: Services
    ) -> tuple[list[str], int]:
        """Return one continuation per stub, and how many were not known before."""
        store = Continuations(store_folder(services))
        prompts = [
            prompt_and_prefix(services.loaded.tokenizer, records[stub.tree], stub.prefix)
            for stub in wanted
        ]
        origin = self._origin(services)
        keys = [
            key_of(origin, prompt, stub.draw) for prompt, stub in zip(prompts, wanted, strict=True)
        ]
        known = store.read(keys)
        missing = {
            key: PreferenceTree(key, prompt)  # its random numbers follow its key
            for key, prompt in zip(keys, prompts, strict=True)
            if key not in known
        }
        if missing:
            texts = services.policy().generate(
                list(missing.values()),
                self.config.max_new_tokens,
                self.config.temperature,
                services.run.seed,
            )
            new = dict(zip(missing, texts, strict=True))
            store.write(new)
            known |= new
        return [known[key] for key in keys], len(missing)

    def _origin(self, services: Services) -> list[Any]:
        """All that decides a continuation beside its prompt."""
        trainer = services.config.trainer
        vocabulary = sorted(services.loaded.tokenizer.get_vocab().items())
        return [
            services.loaded.fingerprint,
            blake2b(json.dumps(vocabulary).encode(), digest_size=16).hexdigest(),
            [trainer.max_length, trainer.max_prompt_length, trainer.truncation],
            [self.config.temperature, self.config.max_new_tokens, services.run.seed],
        ]


def store_folder(services: Services) -> Path:
    """Return where continuations are kept: the cache, or the run where that is switched off."""
    from prefrun.policy.cache_store import cache_folder

    cache = services.config.cache
    return cache_folder(cache.dir) if cache.enabled else services.run.output_dir / FOLDER


def write_trees(path: Path, rows: Sequence[Any]) -> None:
    """Write ROWS as compressed JSON lines, the same bytes for the same rows."""
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    write_atomically(path, gzip.compress(text.encode(), mtime=0))


def _metrics(trees: Sequence[PreferenceTree], kept: int, sampled: int) -> dict[str, Estimate]:
    """What the run says of its trees."""
    branches = [len(tree.branches) for tree in trees]
    scores = [
        branch.scores["overall"]
        for tree in trees
        for branch in tree.branches
        if branch.source and "from step" in branch.source
    ]
    values = {
        "trees_written": float(kept),
        "branches_per_tree": sum(branches) / len(branches),
        "continuations_sampled": float(sampled),
    }
    if scores:
        values["continuation_score"] = sum(scores) / len(scores)
    return {name: Estimate(value) for name, value in values.items()}
