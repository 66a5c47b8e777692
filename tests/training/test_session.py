"""What a sweep's jobs share of their tokens belongs to the very records of the job."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from prefrun.models.text import LanguageModel
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.dataset import generated_split
from prefrun.sharing import sharing
from prefrun.testing import make_trees
from prefrun.training.session import Session


@pytest.fixture(autouse=True)
def sweep():
    """A sweep, which leaves nothing behind."""
    sharing.switch(True)
    yield
    sharing.switch(False)


@pytest.fixture
def make_session(tokenizer, monkeypatch):
    """Make a session on records; all have one plan, as where a data source was read anew."""
    calls = []
    real = Tokeniser.tokenise_all
    each = Tokeniser.tokenise_each
    monkeypatch.setattr(
        Tokeniser, "tokenise_each", lambda self, trees: calls.extend(trees) or each(self, trees)
    )

    def make(trees):
        session = Session.__new__(Session)
        session._plan = SimpleNamespace(
            key=lambda *sections: "same", length_limits=(64,), settings={"data": None}
        )
        session._given, session._uses_model = generated_split("made", trees, []), True
        loaded = SimpleNamespace(tokenizer=tokenizer, name="", fingerprint="", note="")
        session.kind = LanguageModel(loaded)
        session.kind.tokeniser = Tokeniser(tokenizer, 64)
        session.truncation = real(session.kind.tokeniser, trees[:1])[0].truncated
        session.calls = calls
        return session

    return make


def ids(tokens):
    return [(each.prompt_ids, each.branches) for each in tokens]


def test_the_second_job_on_the_same_records_tokenises_nothing(make_session):
    trees = make_trees(3, 2)
    first = make_session(trees)
    one = first.encode(trees)
    second = make_session(trees)
    second._given = first._given
    second.calls.clear()
    assert [a is b for a, b in zip(second.encode(trees), one, strict=True)] == [True] * 3
    assert second.calls == []


def test_records_an_algorithm_made_are_tokenised_beside_them(make_session):
    trees, made = make_trees(3, 2), make_trees(2, 3, seed=5)
    session = make_session(trees)
    mixed = [made[0], trees[1], made[1]]
    assert ids(session.encode(mixed)) == ids(session.kind.tokeniser.tokenise_all(mixed))


def test_records_read_anew_never_get_the_tokens_of_dead_ones(make_session):
    for seed in range(30):  # CPython gives freed identities away at once
        session = make_session(make_trees(4, 2, seed=seed))
        trees = session._given.train
        assert ids(session.encode(trees)) == ids(session.kind.tokeniser.tokenise_all(trees))
        session._given = None
