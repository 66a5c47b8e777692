"""What a function returns becomes a loss, and where it fails is named by its own line."""

from __future__ import annotations

import pytest

from prefrun.errors import PrefrunError
from prefrun.loss_file.registering import register_file
from prefrun.testing.batches import make_batch


def loss_of(path, batch):
    component = register_file(path)
    return component.load()(component.config()).loss(batch)


def test_a_tensor_is_one_term_of_weight_one(write):
    batch = make_batch(seed=0)
    code = "def f(batch, beta: float = 2.0):\n    return beta * batch.log_ratios.sum(-1)\n"
    output = loss_of(write(code), batch)
    assert list(output.terms) == ["f"]
    assert output.loss.item() == pytest.approx(2 * batch.log_ratios.sum(-1).mean().item())


def test_a_loss_output_is_taken_as_it_is(write):
    code = (
        "from prefrun.algorithm import LossOutput, Term\n"
        "def f(batch):\n"
        "    v = batch.policy_logps[:, 0]\n"
        "    return LossOutput({'a': Term(v, v.detach() * 0 + 3)}, {'m': v.detach().mean()})\n"
    )
    output = loss_of(write(code), make_batch(seed=0))
    assert (list(output.terms), list(output.metrics)) == (["a"], ["m"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("return batch.log_ratio", ":2: AttributeError: 'BranchBatch' object has no attribute"),
        ("return batch.scores.view(-1, 9999)", ":2: RuntimeError: shape '[-1, 9999]' is invalid"),
        ("return batch.log_ratios.mean()", ":1: f returned a tensor of shape [], not [trees] = ["),
        ("return 0.5", ":1: f returned float, no tensor or LossOutput"),
        ("return batch.scores.sum(-1)", ":1: f returned numbers that do not depend on the policy"),
    ],
)
def test_a_failure_names_the_users_line(write, line, expected):
    batch = make_batch(seed=0)
    batch = batch.with_policy(batch.policy_token_logps.clone().requires_grad_(), {})
    path = write(f"def f(batch):\n    {line}\n")
    with pytest.raises(PrefrunError) as caught:
        loss_of(path, batch)
    assert str(caught.value).startswith(f"{path}{expected}")
