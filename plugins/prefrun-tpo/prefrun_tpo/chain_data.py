"""data=chain_arithmetic: generated exercises with trees of solutions, and their exact verifier."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from prefrun.errors import DataError
from prefrun.records.config import FileDataConfig
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.format import Format
from prefrun.records.split import DataSplit
from prefrun_tpo.chain import Chain, corrupt, draw, solve, verify
from prefrun_tpo.config import ChainArithmeticConfig
from prefrun_tpo.cutting import cut_points
from prefrun_tpo.step_trees import read_tree
from prefrun_tpo.verdicts import ChainVerifier

NOTE = (
    "Generated exercises (chain arithmetic), not a published data set: {train} training and {test} "
    "held-out trees. Other trees: data=gsm8k_trees or data=step_trees with data.path=FILE"
)
FORMAT = Format("chain_arithmetic", read_tree, answers_field="responses")


class ChainArithmetic:
    """Makes the same records for the same configuration on every machine."""

    uses_seed = False

    card = """
    Chain arithmetic: 'Start 4: +3 +5' is solved by 'Step 1: +3 = 7', 'Step 2: +5 = 2' (modulo 10).
    A record is a tree: the gold solution; solutions that keep its steps up to a random cut and are
    finished by a solver that errs in a part of the steps, and goes on from its error; and one with
    exactly one error. Score: 200 * (part of the steps before the first wrong one) - 100. The data's
    own reward is the exact verifier. Source: the project's own, after the recipe of TPO's data
    (arXiv 2410.12854).
    """

    def __init__(self, config: ChainArithmeticConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate everything; the same at every SEED. Raises DataError for too many records."""
        split = build_split(
            "chain_arithmetic",
            number_rows("chain", generate(self.config)),
            FORMAT,
            FileDataConfig(test_fraction=self.config.test_fraction),
            reward=ChainVerifier(),
        )
        return replace(split, note=NOTE.format(train=len(split.train), test=len(split.test)))


def generate(config: ChainArithmeticConfig) -> list[dict[str, Any]]:
    """Return records {prompt, responses, scores, sources} with different prompts."""
    rng = Random(f"prefrun/chain {config.generator_seed}")
    found: dict[str, Chain] = {}
    for _ in range(100 * config.records):
        if len(found) == config.records:
            break
        chain = draw(config.steps, rng, for_trees=True)
        found[chain.prompt] = chain
    if len(found) < config.records:
        raise DataError(
            f"there are fewer than data.records={config.records} exercises of "
            f"data.steps={config.steps}",
            remedy="ask for fewer records or for more steps",
        )
    return [_record(chain, config, rng) for chain in found.values()]


def _record(chain: Chain, config: ChainArithmeticConfig, rng: Random) -> dict[str, Any]:
    """Return one tree: gold, branches that differ, and the corrupted solution as the last one."""
    cuts = cut_points(config.steps, config.branches, rng)
    solutions = {solve(chain, config.steps, 0.0, rng): "gold"}
    for cut in cuts:
        solutions.setdefault(
            solve(chain, cut, config.error_rate, rng), f"noisy from step {cut + 1}"
        )
    wrong = corrupt(chain, rng)
    solutions.pop(wrong, None)
    solutions[wrong] = "corrupted"
    verdicts = [verify(chain, "".join(steps)) for steps in solutions]
    return {
        "prompt": chain.prompt,
        "responses": [list(steps) for steps in solutions],
        "scores": [200.0 * each.right_steps / each.steps - 100.0 for each in verdicts],
        "sources": list(solutions.values()),
    }
