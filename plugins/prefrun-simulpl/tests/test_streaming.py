"""Streaming translation: the same as scoring under a mask, and nothing computed twice."""

from __future__ import annotations

import pytest
import torch

from prefrun_simulpl.layout import add_target, source_row, token_delays
from prefrun_simulpl.memory import Memory
from prefrun_simulpl.rules import ConfidenceRule, FullSentenceRule, WaitKRule
from prefrun_simulpl.scoring import RowStates, score_targets
from prefrun_simulpl.streaming import Translator
from prefrun_simulpl.vocabulary import END_ID

RULES = [ConfidenceRule(0.3), ConfidenceRule(0.5, 2), ConfidenceRule(0.7), WaitKRule(1)]
RULES += [WaitKRule(3), FullSentenceRule(), ConfidenceRule(1.5)]
LONGEST = 12


@pytest.fixture
def translator(loaded, vocabulary) -> Translator:
    return Translator(loaded.model, vocabulary, LONGEST)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_stream_writes_what_scoring_under_the_mask_predicts(translator, sources, rule) -> None:
    for source in sources:
        (made,) = translator.translate([source], rule)
        row = source_row(source)
        target = add_target(
            row,
            1,
            [[token] for token in made.tokens],
            [*made.token_delays, len(source)],
            source=len(source),
        )
        states = RowStates(translator.model, [row])
        predicted = states.logits([(0, place) for place in target.places]).argmax(-1)
        assert predicted[: len(made.tokens)].tolist() == made.tokens


@pytest.mark.parametrize("rule", RULES[:3], ids=lambda rule: rule.name)
def test_reads_and_writes_follow_the_confidence_under_the_mask(translator, sources, rule) -> None:
    for source in sources:
        (made,) = translator.translate([source], rule)
        row = source_row(source)
        target = add_target(
            row,
            1,
            [[token] for token in made.tokens],
            [*made.token_delays, len(source)],
            source=len(source),
            probes=True,
            min_source=rule.min_source,
        )
        states = RowStates(translator.model, [row])
        waits = states.confidence([(0, place) for _, place in target.reads]).sigmoid()
        assert (waits < rule.threshold).all()
        places = zip(target.places, made.token_delays, strict=False)
        written = [(0, place) for place, seen in places if seen < len(source)]
        assert (states.confidence(written).sigmoid() >= rule.threshold).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_company_changes_nothing(translator, sources, rule) -> None:
    together = translator.translate(sources, rule)
    for source, made in zip(sources, together, strict=True):
        (alone,) = translator.translate([source], rule)
        assert (alone.tokens, alone.token_delays) == (made.tokens, made.token_delays)


def test_nothing_is_computed_twice(translator, sources, monkeypatch) -> None:
    """A source subword once, when it is read; a target place once per decision made there."""
    computed = []
    states = translator.model.states

    def counting(ids, is_target, *others):
        computed.extend(zip(ids[0].tolist(), is_target[0].tolist(), strict=True))
        return states(ids, is_target, *others)

    monkeypatch.setattr(translator.model, "states", counting)
    for rule in (ConfidenceRule(0.5), WaitKRule(2), FullSentenceRule()):
        for source in sources:
            computed.clear()
            (made,) = translator.translate([source], rule)
            heard = [token for token, is_target in computed if not is_target]
            subwords = [token for word in source for token in word]
            assert heard == subwords[: len(heard)]
            decisions = len(computed) - len(heard)
            written = len(made.tokens) + 1
            assert written <= decisions <= written + len(source)


def test_a_read_leaves_the_cache_as_it_was(loaded, sources) -> None:
    memory = Memory(loaded.model, 1)
    (first, second, *_) = sources[0]
    heard = [(token, place, False) for place, token in enumerate(first)]
    memory.ask([[*heard, (1, 0, True)]])
    memory.keep([False])
    before = [layer.keys.clone() for layer in memory._cache.layers]
    more = [(token, len(first) + place, False) for place, token in enumerate(second)]
    memory.ask([[*more, (1, 0, True)]])
    for layer, old in zip(memory._cache.layers, before, strict=True):
        torch.testing.assert_close(layer.keys[:, :, : old.shape[2]], old, rtol=0, atol=0)
    assert memory.places == len(first) + len(second) + 2


def test_words_that_are_not_read_yet_change_nothing(translator, sources) -> None:
    shared, rule = 4, WaitKRule(2)
    one, two = sources[0], [*sources[0][:shared], *sources[1][:2]]
    assert one[shared] != two[shared]
    made, other = (translator.translate([source], rule)[0] for source in (one, two))
    early = sum(delay <= shared for delay in made.token_delays)
    assert early >= shared - rule.k + 1
    assert made.tokens[:early] == other.tokens[:early]
    assert made.token_delays[:early] == other.token_delays[:early]


@pytest.mark.parametrize("k", [1, 3, 20])
def test_wait_k_counts_words_and_not_subwords(translator, vocabulary, sources, k) -> None:
    target = vocabulary.split("rosk unbekannt tull sint unbekannt")
    assert max(map(len, target)) > 1
    forced = [token for word in target for token in word]
    (made,) = translator.translate([sources[0]], WaitKRule(k), [forced])
    source = len(sources[0])
    assert made.words == ["rosk", "unbekannt", "tull", "sint", "unbekannt"]
    assert made.delays == [min(k + number, source) for number in range(5)]


def test_full_sentence_reads_everything_first(translator, sources) -> None:
    for rule in (FullSentenceRule(), ConfidenceRule(1.5)):
        for made in translator.translate(sources, rule):
            assert set(made.token_delays) <= {made.source}


def test_forced_log_probs_are_those_of_the_schedule(translator, vocabulary, sources) -> None:
    """Token and action log-probs in one pass, against one pass per decision."""
    source, target = sources[0], vocabulary.split("rosk unbekannt tull")
    delays = [2, 2, 5]
    row = source_row(source)
    seen = token_delays(delays, target, len(source))
    laid = add_target(row, 1, target, seen, source=len(source), probes=True)
    scored = score_targets(RowStates(translator.model, [row]), [(0, laid)], [len(source)])
    tokens = [token for word in target for token in word]
    read, expected = 1, []
    for number, (token, delay) in enumerate(zip([*tokens, END_ID], seen, strict=True)):
        logp, acted = _ask(translator.model, source, tokens, seen, number, delay)
        total = acted.log() if delay < len(source) and token != END_ID else torch.zeros(())
        for words in range(read, delay):
            if token != END_ID:
                waited = _ask(translator.model, source, tokens, seen, number, words)[1]
                total = total + (1 - waited).log()
        expected.append((logp[token], total))
        read = max(read, delay)
    for values, column in zip(
        (scored.tokens, scored.actions), zip(*expected, strict=True), strict=True
    ):
        torch.testing.assert_close(values[0], torch.stack([v.double() for v in column]))


def _ask(model, source, tokens, seen, number, words):
    """Log-probs and confidence for token NUMBER after WORDS words, in a pass of its own."""
    row = source_row(source[:words])  # words that are not read are not even there
    before = [[token] for token in tokens[:number]]
    laid = add_target(row, 1, before, [*seen[:number], words], source=words)
    states = RowStates(model, [row])
    place = [(0, laid.places[-1])]
    return states.logits(place)[0].log_softmax(-1), states.confidence(place)[0].sigmoid()
