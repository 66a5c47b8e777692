"""algo=simulpl as the host sees it: three phases, each of which a resumed run skips once done."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar

from prefrun import ConfigError
from prefrun.algorithm import LENGTH_KEYS, LOOP_KEYS, Outcome, RunAlgorithm
from prefrun.console import console, progress
from prefrun.records.split import DataSplit
from prefrun.reward import Reward
from prefrun.training.services import Services
from prefrun_simulpl.config import ReadPolicy
from prefrun_simulpl.model import SimtForCausalLM, learn_vocabulary, translation_model
from prefrun_simulpl.pair_records import reference_of
from prefrun_simulpl.pairs import Pair, build_pairs, read_pairs, write_pairs
from prefrun_simulpl.preference import Preference
from prefrun_simulpl.streaming import Translator
from prefrun_simulpl.supervised import Supervised, sentence_pairs
from prefrun_simulpl.vocabulary import Vocabulary

FOLDER, SUPERVISED, PAIRS = "simulpl", "supervised", "pairs.jsonl"
"""In the run directory: what phase 1 and phase 2 leave. Phase 3 leaves the run's model/."""
LONGEST_CANDIDATE = 128
"""Subwords after which a candidate translation is cut."""

CARD = """
SimulPL: Aligning Human Preferences in Simultaneous Machine Translation
Yu, Zhao, Zhu, Xu, Zhou, Zong, arXiv 2502.00634 (ICLR 2025). Trains a translator that emits target
words while the source arrives, in three phases:

1 supervised  L = NLL(p_full) + NLL(c p_prefix + (1 - c) p_full) - lambda log c, label smoothed;
              p_prefix and c = sigmoid(w h + b) see the first g(t) source words, p_full all of them
2 pairs       chosen and rejected translations with delays g(t): given, scheduled by wait-k, or
              decoded by the current policy and ranked by quality and latency
3 SimulDPO    L = -log sigmoid(r_w - r_l + alpha (lat_w - lat_l))
              r = beta sum_t [log p/p_ref of y_t given x_<=g(t), y_<t  +  eta (A_t - A_t,ref)]
              A_t = log c_t(g(t)) + sum of log(1 - c_t(j)) over the reads before unit t
              eta = alpha = 0 is DPO. lat: average proportion of the schedule, a constant

decoding      READ while c < threshold and source is left, else WRITE; a sentence does not end
              before its source does

What is certain: delays and latency metrics (SimulEval), wait-k, the decoding rule. Phase 1 is the
objective of SM2 (Yu et al. 2024), of the same first author; that SimulPL uses it is an assumption.
SimulDPO is a reconstruction: the paper's repository holds no code, and its equation was not read.

Pitfalls: AL rewards over-generation, quote LAAL with it; delays are per word, that of its last
subword; alpha with a latency outside [0, 1] saturates the sigmoid; a translation must be re-scored
with the source words read at each token, never with the whole source; an empty hypothesis has no
latency and is left out and counted.
"""


class SimulPL(RunAlgorithm):
    """Supervised start, preference pairs, SimulDPO; or a wait-k or full-sentence baseline."""

    card = CARD
    trainer_keys = LENGTH_KEYS | LOOP_KEYS | {"gradient_checkpointing", "compile"}
    instead: ClassVar = {
        "max_steps": "algo.supervised.steps and algo.preference.steps",
        "batch_size": "algo.supervised.batch_tokens and algo.preference.batch_size",
        "learning_rate": "algo.supervised.learning_rate and algo.preference.learning_rate",
        "warmup_steps": "algo.supervised.warmup_steps",
    }
    golden = "prefrun_simulpl.golden:compute"
    vectors = "simulpl.json"
    paper = "Yu et al. 2025, arXiv 2502.00634"
    kind = "offline pairs, simultaneous translation, own model"
    formula = (
        "-log sigmoid(beta [(log p + eta A)_w - (..)_l, each over ref] + alpha (lat_w - lat_l))"
    )
    verdict = (
        "Latency falls in 3 of 3 seeds, and BLEU at low latency rises on Multi30k (one seed); the "
        "claim at matched latency could not be tested: the curves share no range."
    )

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError for records without a reference, ConfigError where there are none."""
        del reward
        if not data.train:
            raise ConfigError("algo=simulpl needs training records, and the data have none")
        for tree in (*data.train, *data.test):
            reference_of(tree)

    def run(self, services: Services) -> Outcome:
        """Carry out the phases that are not done yet, and return the last model."""
        model = translation_model(services.loaded, "algo=simulpl")
        if not model.config.trained_for:
            texts = [tree.prompt_text for tree in services.data.train]
            texts += [reference_of(tree) for tree in services.data.train]
            learn_vocabulary(services.loaded, texts, services.run.seed)
        vocabulary = Vocabulary(services.loaded.tokenizer)
        self._supervised(services, model, vocabulary)
        if self.config.policy is ReadPolicy.confidence and self.config.preference.steps:
            pairs = self._pairs(services, model, vocabulary)
            loop = Preference(model, vocabulary, pairs, self.config, services.run.seed)
            services.optimise(loop)
        return Outcome(policy=services.policy())

    def _supervised(
        self, services: Services, model: SimtForCausalLM, vocabulary: Vocabulary
    ) -> None:
        folder = services.run.output_dir / FOLDER / SUPERVISED
        if self.config.supervised.steps:
            pairs = sentence_pairs(services.data.train, vocabulary)
            services.optimise(Supervised(model, pairs, self.config, services.run.seed))
        if folder.exists():  # its last checkpoint may be gone by now
            model.load_state_dict(SimtForCausalLM.from_pretrained(folder).state_dict())
        model.config.trained_for = {
            "policy": self.config.policy.name,
            "threshold": self.config.threshold,
            "k": self.config.k,
            "min_source": self.config.min_source,
        }
        if not folder.exists():
            _save_folder(services, folder)

    def _pairs(
        self, services: Services, model: SimtForCausalLM, vocabulary: Vocabulary
    ) -> list[Pair]:
        path = services.run.output_dir / FOLDER / PAIRS
        if not path.exists():
            translator = Translator(model, vocabulary, LONGEST_CANDIDATE)
            with progress("preference pairs") as show:
                pairs = build_pairs(services.data.train, translator, self.config, show)
            write_pairs(path, pairs)
        pairs = read_pairs(path)
        console.print(f"  pairs   {len(pairs)} of {len(services.data.train)} records", markup=False)
        return pairs


def _save_folder(services: Services, folder: Path) -> None:
    """Write model and tokenizer into FOLDER, whole or not at all."""
    staging = folder.with_name(f"{folder.name}.incomplete")
    shutil.rmtree(staging, ignore_errors=True)
    services.loaded.model.save_pretrained(staging)
    services.loaded.tokenizer.save_pretrained(staging)
    os.replace(staging, folder)
