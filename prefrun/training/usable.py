"""Which records the model can learn from, once its tokenizer and chat template have read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prefrun.errors import DataError
from prefrun.policy.rendering import Change, render
from prefrun.policy.template_notes import template_notes
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.records.config import OnBadRecord
from prefrun.records.dataset import SKIP
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import Branch, PreferenceTree, Step


@dataclass(frozen=True, slots=True)
class Usable:
    """A data source's records, without those that the model cannot use."""

    given: DataSplit
    """What was read. It is kept: `tokens` knows its records by identity."""
    split: DataSplit
    """What is left of it."""
    tokens: Mapping[int, TokenisedTree]
    """The training records' token ids by the records' `id()`."""
    problems: tuple[str, ...]
    """One line per record that was left out."""
    notes: tuple[str, ...]
    """What the user must know of the chat template."""


def usable_records(
    tokeniser: Tokeniser, data: DataSplit, on_bad_record: OnBadRecord | None
) -> Usable:
    """Tokenise DATA, and leave out the records that say nothing after it.

    These are records with two answers that are equal token by token, with an answer that is empty
    or has no token left, and those the chat template refuses. ON_BAD_RECORD: None if the data
    source has no such key. Raises DataError for the first of them unless they are skipped, or if
    none is left.
    """
    problems: list[str] = []
    train = _read("training", data.train, tokeniser, on_bad_record, problems)
    test = _read("held-out", data.test, tokeniser, on_bad_record, problems)
    left = [tree for tree, _ in train], [tree for tree, _ in test]
    changes = [tokens.change for _, tokens in (*train, *test)]
    return Usable(
        given=data,
        split=_without(data, *left, problems),
        tokens={id(tree): tokens for tree, tokens in train},
        problems=tuple(problems),
        notes=tuple(template_notes(tokeniser, [*left[0], *left[1]], changes)),
    )


def _read(
    part: str,
    trees: Sequence[PreferenceTree],
    tokeniser: Tokeniser,
    on_bad_record: OnBadRecord | None,
    problems: list[str],
) -> list[tuple[PreferenceTree, TokenisedTree]]:
    """Return the usable TREES with their tokens, and add a line to PROBLEMS for each other one."""
    left = []
    for tree, tokens in zip(trees, tokeniser.tokenise_each(trees), strict=True):
        try:
            if isinstance(tokens, DataError):
                raise tokens
            _check(tokeniser, tree, tokens)
        except DataError as error:
            _refuse(error, on_bad_record)
            problems.append(str(_with_remedy(error, None)))
        else:
            left.append((tree, tokens))
    if trees and not left:
        raise DataError(
            f"the model can use none of {len(trees)} {part} record(s): {problems[-1]}",
            remedy="choose another model, or change the data",
        )
    return left


def _refuse(error: DataError, on_bad_record: OnBadRecord | None) -> None:
    """Raise ERROR unless bad records are skipped."""
    if on_bad_record is OnBadRecord.skip:
        return
    remedy = error.remedy or "correct or remove the record"
    raise _with_remedy(error, f"{remedy}, or {SKIP}" if on_bad_record else remedy) from error


def _with_remedy(error: DataError, remedy: str | None) -> DataError:
    return DataError(
        error.problem, file=error.file, record=error.record, field=error.field, remedy=remedy
    )


def _without(
    data: DataSplit,
    train: Sequence[PreferenceTree],
    test: Sequence[PreferenceTree],
    problems: Sequence[str],
) -> DataSplit:
    """Return DATA with TRAIN and TEST only. Its fingerprint is another if records are gone."""
    if not problems:
        return data
    counts, gone = data.counts, len(problems)
    digest = hashlib.sha256("\n".join([data.fingerprint, *problems]).encode())
    return replace(
        data,
        train=train,
        test=test,
        fingerprint=digest.hexdigest(),
        counts=ReadCounts(
            counts.read,
            counts.used - gone,
            counts.skipped + gone,
            [*counts.problems, *problems],
        ),
    )


def _check(tokeniser: Tokeniser, tree: PreferenceTree, tokens: TokenisedTree) -> None:
    """Raise DataError if TREE, which became TOKENS, is useless."""
    for number, (branch, ids) in enumerate(zip(tree.branches, tokens.branches, strict=True)):
        field = f"branches[{number}]"
        if not branch.text.strip() and not branch.tool_calls:
            raise DataError("the answer is empty", record=tree.id, field=field)
        dropped = tokens.change is Change.rewritten and _is_dropped(tokeniser, tree, branch)
        if dropped or not ids:
            cause = "the chat template" if dropped else "truncation"
            raise DataError(f"{cause} leaves nothing of the answer", record=tree.id, field=field)
    pair = tokens.equal_branches
    if pair is not None:
        raise _equal(tokeniser, tree, tokens, pair)


def _is_dropped(tokeniser: Tokeniser, tree: PreferenceTree, own: Branch) -> bool:
    """Tell whether the chat template writes an answer of TREE as it writes an empty one."""
    try:
        empty = replace(own, steps=(Step(""),), tool_calls="")
        return _text(tokeniser, tree, own) == _text(tokeniser, tree, empty)
    except DataError:  # no conversation without an answer
        return False


def _text(tokeniser: Tokeniser, tree: PreferenceTree, branch: Branch) -> str:
    """Return prompt and answer."""
    alone = replace(tree, prompt=branch.prompt or tree.prompt, branches=(branch,))
    rendered = render(tokeniser.tokenizer, alone)
    return rendered.prompt + rendered.tails[0]


def _equal(
    tokeniser: Tokeniser, tree: PreferenceTree, tokens: TokenisedTree, pair: tuple[int, int]
) -> DataError:
    """Return the error that two answers of TREE are equal token by token, with the reason."""
    count = len(tree.branches)
    names = f"answers {pair[0] + 1} and {pair[1] + 1} of {count}"
    one, other = (_text(tokeniser, tree, tree.branches[number]) for number in pair)
    cause, remedy = "the tokenizer", "choose another model"
    if one == other:
        cause, remedy = "the chat template", "change the chat template in the model's folder"
    elif tokens.truncated.records:
        limit = tokeniser.limit.max_length
        cause, remedy = f"truncation to trainer.max_length={limit}", "raise trainer.max_length"
    return DataError(
        f"{'chosen and rejected' if count == 2 else names} are the same after {cause}",
        record=tree.id,
        remedy=f"correct or remove the record, or {remedy}",
    )
