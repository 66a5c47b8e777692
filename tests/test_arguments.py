"""Options may stand anywhere among the overrides; wrong ones get one message."""

from __future__ import annotations

import pytest

from prefrun.arguments import ordered
from prefrun.errors import ConfigError
from prefrun.sweep import is_sweep


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("algo=dpo -m seed=1,2", "-m algo=dpo seed=1,2"),
        ("algo=dpo seed=1,2 --multirun", "--multirun algo=dpo seed=1,2"),
        ("algo=dpo --cfg job seed=1", "--cfg job algo=dpo seed=1"),
        ("algo=dpo --cfg=job seed=1", "--cfg=job algo=dpo seed=1"),
        ("a=1 -p trainer b=2 -c job c=3", "-p trainer -c job a=1 b=2 c=3"),
        ("a=1 --config-dir mine +e=x -cd x ~b", "--config-dir mine -cd x a=1 +e=x ~b"),
        ("a=1 --info defaults b=2", "--info defaults a=1 b=2"),
        ("a=1 b=2 --info", "--info a=1 b=2"),
        ("-sc query=bash", "-sc query=bash"),
        ("a=1 --config-dir seed=1 seed=1", "--config-dir seed=1 a=1 seed=1"),
        ("b=1 a=1 b=1", "b=1 a=1 b=1"),
        ("", ""),
    ],
)
def test_options_come_first_with_their_values(arguments, expected):
    assert ordered(arguments.split()) == expected.split()


def test_a_sweep_is_known_wherever_its_option_stands():
    assert is_sweep(ordered(["algo=dpo", "-m", "seed=1,2"]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("algo=dpo --multi seed=1", "there is no option --multi. Did you mean '--multirun'?"),
        ("algo=dpo --nothing-of-the-kind=3", "there is no option --nothing-of-the-kind=3"),
        ("algo=dpo --config-dir", "--config-dir/-cd: expected one argument"),
        ("algo=dpo --cfg jobs", "invalid choice: 'jobs'"),
        ("-m algo=dpo --info", "-m and --info exclude each other"),
        ("algo=dpo -m --cfg job", "without -m, --cfg shows one job"),
        ("algo=dpo --resolve", "add --cfg job"),
    ],
)
def test_a_wrong_option_is_one_message(arguments, said):
    with pytest.raises(ConfigError) as caught:
        ordered(arguments.split())
    assert said in str(caught.value)
    assert "usage:" not in str(caught.value)
