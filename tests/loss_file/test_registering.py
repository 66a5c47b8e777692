"""A loss file is a choice like any other, here and in another process."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from prefrun.errors import ConfigError
from prefrun.jobs.code import code_fingerprint
from prefrun.loss_file.registering import register_file, register_words
from prefrun.plugins import component_of, components

LOSS = "def f(batch, beta: float = 0.1):\n    '''A card.\n\n    More.'''\n"
READ = """
import pickle, sys
from prefrun.plugins import component_of
component = component_of(pickle.load(sys.stdin.buffer))
print(component.name, component.summary)
"""


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("algo={}", "algo=my_loss.py"),
        ("algo=lipo,{},dpo", "algo=lipo,my_loss.py,dpo"),
        ("algo=choice('{}',dpo)", "algo=choice('my_loss.py',dpo)"),
        ("data.path={}", "data.path={}"),
        ("algo=lipo", "algo=lipo"),
    ],
)
def test_only_files_after_algo_become_names(write, word, expected):
    path = write(LOSS)
    assert register_words([word.format(path)]) == [expected.format(path)]


def test_its_settings_find_it_in_a_process_that_never_saw_it(write):
    settings = register_file(write(LOSS)).config(beta=0.3)
    done = subprocess.run(
        [sys.executable, "-c", READ], input=pickle.dumps(settings), capture_output=True, check=True
    )
    assert done.stdout.decode().split() == ["my_loss.py", "A", "card."]


def test_an_edited_file_is_another_code_and_another_configuration(write):
    def identity():
        component = register_file(write(code))
        return component.config(), code_fingerprint([component.factory.partition(":")[0]])

    code = LOSS
    first = identity()
    assert identity() == first
    code += "# edited\n"
    config, fingerprint = identity()
    assert fingerprint != first[1]
    assert config.sha256 != first[0].sha256
    assert component_of(config) is components()["algo", "my_loss.py"]


def test_two_files_of_one_name_are_refused_unless_they_are_the_same(write):
    first = register_file(write(LOSS, "a/loss.py"))
    assert register_file(write(LOSS, "b/loss.py")) is first
    with pytest.raises(ConfigError, match="have the same name"):
        register_file(write(LOSS + "# other\n", "b/loss.py"))


def test_the_command_line_shows_its_keys_and_configuration(prefrun, write):
    write(LOSS)
    assert "algo.beta=0.1   (float)" in prefrun("algo=./my_loss.py", "--help").stdout
    assert "A card.\n\nMore." in prefrun("explain", "./my_loss.py").stdout
    shown = prefrun("algo=./my_loss.py", "algo.beta=0.2", "--cfg", "job")
    assert "algo:\n  beta: 0.2\n" in shown.stdout, shown.stderr
    refused = prefrun("algo=./my_loss.py", "algo.bta=0.2")
    assert refused.returncode == 2
    assert "Did you mean 'beta'?" in refused.stderr
