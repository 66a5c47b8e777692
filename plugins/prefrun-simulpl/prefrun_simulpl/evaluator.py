"""evaluator=simt: quality and latency of streaming translations, and the curve of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun.reward import ObjectivesReward
from prefrun.rundir.files import write_json
from prefrun_simulpl.curve_file import CURVE, FOLDER, INSTANCES
from prefrun_simulpl.instances import elapsed_words, instance, write_instances
from prefrun_simulpl.latency import COMPUTATION_AWARE, METRICS, corpus_mean, reference_length
from prefrun_simulpl.model import SimtForCausalLM
from prefrun_simulpl.pair_records import reference_of
from prefrun_simulpl.quality import corpus_bleu
from prefrun_simulpl.rules import ConfidenceRule, FullSentenceRule, Rule, WaitKRule, rule_of
from prefrun_simulpl.streaming import Translation, Translator
from prefrun_simulpl.vocabulary import Vocabulary

LOWER_IS_BETTER = ("AL", "LAAL", "AP", "DAL", "ATD", "CW", "MaxCW", "StartOffset")


class SimtEvaluator(Evaluator):
    """BLEU, latency per sentence (SimulEval's definitions), and both over thresholds and wait-k.

    Latency is averaged over sentences with a hypothesis; `empty_hypotheses` counts the others.
    With `computation_aware`, names that end in `_CA` add computing time to the delays, in source
    words of `word_ms` each. `RUN/evaluation/simt` gets instances.log and curve.json.
    """

    directions: ClassVar = {
        "BLEU": "max",
        "hypothesis_length": "none",
        "empty_hypotheses": "min",
        **{name: "min" if name in LOWER_IS_BETTER else "none" for name in METRICS},
        **{
            f"{name}_CA": "min" if name in LOWER_IS_BETTER else "none" for name in COMPUTATION_AWARE
        },
    }

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return the metrics of the chosen read/write policy, and write the curve.

        Raises NotApplicable for a model that does not translate, or has not learned anything yet.
        """
        corpus = _Corpus(context, self.config)
        rule = rule_of(self.config, corpus.model.config.trained_for or {})
        size = 1 if self.config.computation_aware else self.config.batch_size
        results = corpus.translate(rule, size)
        rows = [corpus.latency(number, result) for number, result in enumerate(results)]
        metrics = {"BLEU": Estimate(corpus.bleu(results))}
        for name in self._names():
            values = [row.get(name) for row in rows]
            if any(value is not None for value in values):
                metrics[name] = mean_with_interval(
                    values, resamples=context.bootstrap, seed=context.seed
                )
        lengths = [float(len(result.words)) for result in results]
        metrics["hypothesis_length"] = mean_with_interval(
            lengths, resamples=context.bootstrap, seed=context.seed
        )
        metrics["empty_hypotheses"] = Estimate(float(lengths.count(0.0)))
        metrics |= corpus.judged(results)
        if context.folder is not None:
            folder = context.folder / FOLDER
            write_instances(folder / INSTANCES, corpus.instances(results, rows))
            write_json(folder / CURVE, self._curve(corpus))
        return metrics

    def _names(self) -> list[str]:
        aware = COMPUTATION_AWARE if self.config.computation_aware else ()
        return [*METRICS, *(f"{name}_CA" for name in aware)]

    def _curve(self, corpus: _Corpus) -> list[dict[str, Any]]:
        """One row per threshold, k, and the whole sentence."""
        keys = self.config
        least = (corpus.model.config.trained_for or {}).get("min_source", 1)
        rules: list[tuple[str, float | None, Rule]] = [
            ("confidence", value, ConfidenceRule(value, least)) for value in keys.thresholds
        ]
        rules += [("wait-k", k, WaitKRule(k)) for k in keys.wait_k]
        if keys.full_sentence:
            rules.append(("full sentence", None, FullSentenceRule()))
        return [
            {"system": system, "setting": setting, **corpus.summary(rule)}
            for system, setting, rule in rules
        ]


class _Corpus:
    """The held-out sentences, and the model that translates them."""

    def __init__(self, context: EvaluationContext, config: Any) -> None:
        loaded = getattr(context.policy, "loaded", None)
        if loaded is None or not isinstance(loaded.model, SimtForCausalLM):
            raise NotApplicable("the model does not translate while it reads: use model=simt")
        if not loaded.model.config.trained_for:
            raise NotApplicable("the model is trained from scratch and has learned nothing yet")
        self.context, self.config, self.model = context, config, loaded.model
        self.trees = list(context.trees)
        self.references = [reference_of(tree) for tree in self.trees]
        vocabulary = Vocabulary(loaded.tokenizer)
        self._sources = [vocabulary.split(tree.prompt_text) for tree in self.trees]
        self._translator = Translator(loaded.model.eval(), vocabulary, config.max_tokens)

    def translate(self, rule: Rule, size: int) -> list[Translation]:
        """Translate every sentence under RULE, SIZE of like length side by side."""
        order = sorted(range(len(self._sources)), key=lambda index: len(self._sources[index]))
        results: list[Any] = [None] * len(order)
        for start in range(0, len(order), size):
            part = order[start : start + size]
            made = self._translator.translate([self._sources[index] for index in part], rule)
            for index, result in zip(part, made, strict=True):
                results[index] = result
        return results

    def bleu(self, results: Sequence[Translation]) -> float:
        """Corpus BLEU; an empty hypothesis counts, as words that are missing."""
        return corpus_bleu([result.text for result in results], self.references)

    def latency(self, number: int, result: Translation) -> dict[str, float]:
        """Every latency of one translation; {} of an empty one."""
        if not result.words:
            return {}
        length = reference_length(self.references[number])
        row = {
            name: float(metric(result.delays, result.source, length))
            for name, metric in METRICS.items()
        }
        if self.config.computation_aware:
            elapsed: Any = elapsed_words(result, self.config.word_ms)
            for name in COMPUTATION_AWARE:
                row[f"{name}_CA"] = float(METRICS[name](elapsed, result.source, length))
        return row

    def judged(self, results: Sequence[Translation]) -> dict[str, Estimate]:
        """Mean of each objective of the run's reward, where it has one."""
        try:
            reward = self.context.reward
        except NotApplicable:
            return {}
        texts = [result.text for result in results]
        if isinstance(reward, ObjectivesReward):
            scores = reward.score_objectives(self.trees, texts)
            columns = dict(zip(reward.objectives, zip(*scores, strict=True), strict=True))
        else:
            columns = {"reward": tuple(reward.score(self.trees, texts))}
        context = self.context
        return {
            name: mean_with_interval(values, resamples=context.bootstrap, seed=context.seed)
            for name, values in columns.items()
        }

    def summary(self, rule: Rule) -> dict[str, Any]:
        """Return one row of the curve: quality and mean latencies under RULE."""
        results = self.translate(rule, self.config.batch_size)
        rows = [self.latency(number, result) for number, result in enumerate(results)]
        latency = {name: corpus_mean([row.get(name) for row in rows]) for name in METRICS}
        judged = {name: estimate.value for name, estimate in self.judged(results).items()}
        empty = sum(not result.words for result in results)
        return {"BLEU": self.bleu(results), **judged, **latency, "empty_hypotheses": empty}

    def instances(
        self, results: Sequence[Translation], rows: Sequence[dict[str, float]]
    ) -> list[dict[str, Any]]:
        """Return the lines of instances.log. Without computing time, `elapsed` are the delays."""
        lines = []
        for number, (tree, result) in enumerate(zip(self.trees, results, strict=True)):
            elapsed: Sequence[float] = result.delays
            if self.config.computation_aware:
                elapsed = elapsed_words(result, self.config.word_ms)
            reference = self.references[number]
            lines.append(
                instance(number, tree.prompt_text, reference, result, elapsed, rows[number])
            )
        return lines
