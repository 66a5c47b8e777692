"""Which records say something to a language model once they are tokens."""

from __future__ import annotations

from dataclasses import replace

from prefrun.errors import DataError
from prefrun.policy.rendering import Change, render
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step


def check_usable(tokeniser: Tokeniser, tree: PreferenceTree, tokens: TokenisedTree) -> None:
    """Raise DataError if TREE, which became TOKENS, says nothing.

    That is if two answers are equal token by token, if an answer is empty, has no token left, or
    is not written by the chat template.
    """
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
