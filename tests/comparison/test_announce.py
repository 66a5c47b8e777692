"""Plugins are told of a comparison; one that fails costs nobody a result."""

from __future__ import annotations

import pytest

from prefrun import hookimpl
from prefrun.commands.report import report
from prefrun.errors import ConfigError
from prefrun.plugins import plugin_manager


class Listener:
    """Takes part of what it may, and then fails with ERROR."""

    def __init__(self, error=None):
        self.error, self.calls = error, []

    @hookimpl
    def prefrun_comparison_written(self, directories, folder):
        self.calls.append(([path.name for path in directories], folder))
        if self.error:
            raise self.error


@pytest.fixture
def listen():
    """Return `listen(listener)`: registers it as a plugin until the test ends."""
    manager, registered = plugin_manager()[0], []

    def listen(listener):
        manager.register(listener)
        registered.append(listener)
        return listener

    yield listen
    for listener in registered:
        manager.unregister(listener)


def test_plugins_learn_of_the_finished_runs_when_all_is_written(make_run, tmp_path, listen):
    make_run("sweep/0", {"kl": 1.0})
    make_run("sweep/1", None, algo="dpo")
    listener = listen(Listener())
    report([str(tmp_path / "sweep")])
    assert listener.calls == [(["0"], tmp_path / "sweep")]


@pytest.mark.parametrize(("error", "trace"), [(ConfigError("no key"), False), (KeyError(1), True)])
def test_a_plugin_that_fails_stops_nothing(make_run, tmp_path, listen, caplog, error, trace):
    make_run("sweep/0", {"kl": 1.0})
    after = listen(Listener())
    listen(Listener(error))  # plugins are called in the reverse of their order
    assert report([str(tmp_path / "sweep")]) == 0
    assert len(after.calls) == 1
    (said,) = [entry for entry in caplog.records if entry.name == "prefrun.comparison.announce"]
    assert "could not take the comparison" in said.message
    assert bool(said.exc_info) is trace
