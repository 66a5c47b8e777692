"""Signals end what listens, after a step; one that is ignored stays so."""
# ruff: noqa: PT012 - what follows a signal in its block is what is tested

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator

import pytest

from prefrun import signals
from prefrun.signals import SIGNALS, Stopped, finishing_first, listening, telling

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def as_at_a_terminal(monkeypatch) -> Iterator[None]:
    """Whatever the tests' process was started with; no two signals are taken for one."""
    monkeypatch.setattr(signals, "SAME", -1.0)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signals.forget()
    yield
    signals.forget()
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_is_an_interrupt_with_the_code_a_shell_would_report(number):
    with pytest.raises(KeyboardInterrupt) as stopped, listening():
        send(number)
    assert stopped.value.exit_code == CODES[number]
    assert signal.getsignal(number) == signal.SIG_DFL
    assert pickle.loads(pickle.dumps(stopped.value)).number == number


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_waits_for_the_step_and_the_second_does_not(number):
    done = []
    with pytest.raises(Stopped), finishing_first() as stop_requested:
        assert not stop_requested()
        send(number)
        assert stop_requested()
        done.append("step")
        send(number)
        done.append("more")
    assert done == ["step"]


def test_after_the_step_the_signal_is_raised():
    with pytest.raises(Stopped), listening():
        with finishing_first():
            send(signal.SIGTERM)
        raise AssertionError("it went on")


def test_a_terminal_that_closes_sends_its_signal_twice_and_means_one(monkeypatch):
    monkeypatch.setattr(signals, "SAME", 60.0)
    done = []
    with pytest.raises(Stopped), finishing_first():
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        done.append("step")
    assert done == ["step"]


def test_in_a_process_of_a_launcher_a_second_signal_changes_nothing():
    done = []
    with pytest.raises(Stopped), listening(repeats=False), finishing_first():
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        done.append("step")
    assert done == ["step"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored_and_the_others_are_obeyed(number):
    signal.signal(number, signal.SIG_IGN)
    with pytest.raises(Stopped) as stopped, listening():
        send(number)
        send(signal.SIGTERM)
    assert stopped.value.number == signal.SIGTERM
    assert signal.getsignal(number) == signal.SIG_IGN


def test_a_handler_of_somebody_else_is_left_alone():
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    with listening():
        send(signal.SIGTERM)
    assert seen == [signal.SIGTERM]


def test_observers_hear_of_the_first_signal_before_it_is_raised():
    seen = []
    with pytest.raises(Stopped), listening(), telling(seen.append):
        send(signal.SIGTERM)
    assert seen == [signal.SIGTERM]


def test_a_process_that_was_told_to_stop_begins_nothing_more():
    with pytest.raises(Stopped), listening(repeats=False):
        send(signal.SIGTERM)
    with pytest.raises(Stopped), listening(repeats=False):
        raise AssertionError("the next job began")
    signals.forget()
    with listening():
        pass


def test_outside_the_main_thread_nothing_is_touched():
    seen = []

    def work() -> None:
        with finishing_first() as stop_requested:
            seen.append((signal.getsignal(signal.SIGTERM), stop_requested()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert seen == [(signal.SIG_DFL, False)]
