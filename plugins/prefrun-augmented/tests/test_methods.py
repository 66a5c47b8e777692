"""What the four methods make of records, and that their terms reach the loss."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from prefrun.errors import DataError
from prefrun.records.tree import Branch, Message, PreferenceTree, Step
from prefrun.testing import make_batch
from prefrun_augmented.around import ROLE
from prefrun_augmented.config import DoveConfig, MaplConfig, RationalesConfig, SpoConfig
from prefrun_augmented.dove import Dove
from prefrun_augmented.instructions import candidates
from prefrun_augmented.mapl import MINUS, PLUS, SIGN, WIDER_BETTER, WIDER_WORSE, Mapl
from prefrun_augmented.rationales import RATIONALE, Rationales
from prefrun_augmented.spo import Spo


def pair(better="a small old boat", worse="the big red boats sail on", prompt="say:", **more):
    branches = (Branch((Step(better),), rank=1), Branch((Step(worse),), rank=2))
    return PreferenceTree("t", prompt, branches, **more)


def roles(tree):
    return {int(branch.scores[ROLE]): branch for branch in tree.branches if branch.scores[ROLE]}


def filled(batch, **by_role):
    """BATCH with role r in the column given."""
    values = torch.zeros_like(batch.scores)
    for column, role in by_role.items():
        values[:, int(column[1:])] = role
    return replace(batch, objectives={**batch.objectives, ROLE: values})


def test_dove_scores_both_instructions():
    other = Branch((Step("yes"),), rank=2, prompt="shout:")
    tree = replace(pair(), branches=(pair().branches[0], other))
    (joint,) = Dove(DoveConfig()).prepare([tree], 0)
    assert [branch.prompt for branch in joint.branches] == ["say:", "shout:"]
    assert all(branch.score_prompt for branch in joint.branches)


def test_dove_without_the_instruction_is_the_base_on_the_answers():
    batch = make_batch(3, 2, tokens=6, ragged=False)
    batch = replace(batch, step_index=(torch.arange(6) >= 2).long().expand(3, 2, 6))
    answers = batch.step_index > 0
    alone = replace(
        batch,
        policy_token_logps=batch.policy_token_logps * answers,
        reference_token_logps=batch.reference_token_logps * answers,
        token_mask=answers,
    )
    joint, conditional = Dove(DoveConfig()), Dove(DoveConfig(joint=False))
    assert torch.allclose(conditional.loss(batch).loss, joint.base.loss(alone).loss)
    assert torch.allclose(joint.loss(batch).loss, joint.base.loss(batch).loss)
    parts = joint.loss(batch).metrics
    ratios = batch.log_ratios
    best = batch.scores.argmax(-1)
    margin = ratios[torch.arange(3), best] - ratios[torch.arange(3), 1 - best]
    total = parts["log_ratio/instruction"] + parts["log_ratio/response"]
    assert total == pytest.approx(float(margin.mean()))


@pytest.mark.parametrize("seed", range(12))
def test_maps_prompts_fit_as_they_claim(seed):
    tree = pair()
    (made,) = Mapl(MaplConfig()).prepare([tree], seed)
    found = roles(made)
    better, worse = tree.branches
    texts = {item.text: item for item in candidates([better.text, worse.text], FixedOrder())}

    def added(branch):
        lines = branch.prompt.removeprefix("say:").strip().split("\n")
        return [texts.get(line) or parse(line) for line in lines]

    if PLUS in found:
        plus, minus = added(found[PLUS]), added(found[MINUS])
        answer = found[PLUS].text
        assert found[MINUS].text == answer
        assert [item.kind for item in plus] == [item.kind for item in minus]
        assert all(item.check(answer) for item in plus)
        assert not all(item.check(answer) for item in minus)
    (item,) = added(found[WIDER_BETTER])
    assert found[WIDER_BETTER].prompt == found[WIDER_WORSE].prompt
    assert found[WIDER_BETTER].text == better.text
    fits = (item.check(better.text), item.check(worse.text))
    assert fits == ((True, False) if made.branches[0].scores[SIGN] == 1 else (False, True))


class FixedOrder:
    """A stand-in for Random that draws the first."""

    def choice(self, items):
        return items[0]

    def shuffle(self, items):
        pass


def parse(line):
    """The instruction that LINE says."""
    from prefrun_augmented import instructions

    makers = {
        "Use at most": instructions.at_most_words,
        "Use at least": instructions.at_least_words,
        "Use the word": instructions.include,
        "Do not use": instructions.exclude,
        "Begin with": instructions.start_with,
        "End with": instructions.end_with,
    }
    make = next(make for words, make in makers.items() if line.startswith(words))
    value = line.split('"')[1] if '"' in line else int(line.split()[3])
    item = make(value)
    assert item.text == line
    return item


def test_mapl_leaves_records_that_bring_their_own_comparisons():
    tree = pair()
    branches = tuple(replace(b, scores={ROLE: 0.0}) for b in tree.branches)
    ready = replace(tree, branches=branches)
    assert Mapl(MaplConfig()).prepare([ready], 0) == [ready]


def test_mapl_extends_the_last_user_message_of_a_chat():
    chat = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
    (made,) = Mapl(MaplConfig()).prepare([pair(prompt=chat)], 0)
    wider = roles(made)[WIDER_BETTER].prompt
    assert wider[:2] == chat[:2]
    assert wider[2].content.startswith("three\n")


def test_mapl_adds_both_terms_with_their_weights():
    batch = filled(
        make_batch(3, 6, ragged=False), c2=PLUS, c3=MINUS, c4=WIDER_BETTER, c5=WIDER_WORSE
    )
    output = Mapl(MaplConfig(lambda_intra=0.5, lambda_inter=2.0)).loss(batch)
    single = Mapl(MaplConfig(lambda_intra=1.0, lambda_inter=1.0)).loss(batch)
    assert torch.allclose(output.terms["intra"].values, 0.5 * single.terms["intra"].values)
    assert torch.allclose(output.terms["inter"].values, 2.0 * single.terms["inter"].values)
    rewards = 0.1 * batch.log_ratios
    intra = torch.nn.functional.softplus(rewards[:, 3] - rewards[:, 2])
    assert torch.allclose(single.terms["intra"].values, intra)


def test_a_rationale_answers_a_question_of_its_own():
    tree = pair(metadata={"rationale": "it is short"})
    method = Rationales(RationalesConfig())
    made, bare = method.prepare([tree, pair()], 0)
    extra = roles(made)[RATIONALE]
    assert extra.text == "it is short"
    assert extra.prompt.index("a small old boat") < extra.prompt.index("the big red boats")
    assert not roles(bare)
    swapped = Rationales(RationalesConfig(swap=True)).prepare([tree] * 20, 0)
    prompts = [roles(each)[RATIONALE].prompt for each in swapped]
    first = [p.index("a small old boat") < p.index("the big red boats") for p in prompts]
    assert 0 < sum(first) < 20


def test_rationales_are_weighed_by_gamma_and_only_where_there_are_some():
    batch = filled(make_batch(2, 3, ragged=False), c2=RATIONALE)
    missing = batch.objectives[ROLE].clone()
    missing[1] = 0
    batch = replace(batch, objectives={**batch.objectives, ROLE: missing})
    config = RationalesConfig(gamma=0.5, rationale_loss="nll", rationale_logps="mean")
    term = method_term(config, batch)
    mean = batch.policy_token_logps[0, 2].sum() / batch.lengths[0, 2]
    assert term.values.tolist() == pytest.approx([-0.5 * float(mean), 0.0])
    assert term.weights.tolist() == pytest.approx([float(batch.weights[0]), 0.0])


def method_term(config, batch):
    from prefrun_augmented.config import RationaleLogps, RationaleLoss

    config = replace(
        config,
        rationale_loss=RationaleLoss[config.rationale_loss],
        rationale_logps=RationaleLogps[config.rationale_logps],
    )
    return Rationales(config).loss(batch).terms["rationale"]


def test_data_without_rationales_are_refused():
    data = SimpleNamespace(name="pairs", train=[pair()], objective="overall")
    with pytest.raises(DataError, match="no record of pairs has a rationale"):
        Rationales(RationalesConfig()).check(data, None)
    data = SimpleNamespace(
        name="pairs", train=[pair(metadata={"rationale": 3})], objective="overall"
    )
    with pytest.raises(DataError, match="a int, no text"):
        Rationales(RationalesConfig()).check(data, None)


def test_spo_adds_poorer_versions_of_the_best_answer():
    tree = pair("the boat and the lighthouse in a storm")
    made, short = Spo(SpoConfig(degrees=4)).prepare([tree, pair("boat")], 0)
    texts = [roles(made)[degree].text for degree in (1, 2, 3)]
    assert [len(text.split()) for text in texts] == [7, 6, 5]
    assert texts[2] == "the and the in a"
    assert not roles(short)


def test_spos_head_learns_from_all_degrees_or_none():
    method = Spo(SpoConfig(degrees=3, gamma=2.0))
    method.module = method.make_module(5).double()
    batch = make_batch(2, 4, ragged=False, needs=method.needs)
    batch = filled(batch, c2=1, c3=2)
    partial = batch.objectives[ROLE].clone()
    partial[1, 3] = 0
    batch = replace(batch, objectives={**batch.objectives, ROLE: partial})
    output = method.loss(batch)
    term = output.terms["degrees"]
    assert (term.weights > 0).tolist() == [True] * 3 + [False] * 3
    output.loss.backward()
    assert method.module.weight.grad.abs().sum() > 0
