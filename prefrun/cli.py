"""The front door: prefrun's own words and every --help; Hydra gets the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from prefrun import signals
from prefrun.errors import PrefrunError
from prefrun.escaping import visible
from prefrun.processes.checks import refuse_other_launchers

COMMANDS = {
    "plugins": ("prefrun.commands.plugins:plugins", "list what is installed, broken ones too"),
    "explain": ("prefrun.commands.explain:explain", "NAME: formula, defaults, source, pitfalls"),
    "new": ("prefrun.commands.new:new", "KIND NAME: write a small plugin to begin from"),
    "check": ("prefrun.commands.check:check", "NAME: is a component sound, property by property"),
    "report": ("prefrun.commands.report:report", "DIR...: table and plots of finished runs"),
    "status": ("prefrun.commands.status:status", "DIR: how far a sweep is, live"),
    "diff": ("prefrun.commands.diff:diff", "RUN_A RUN_B: what differs, results included"),
    "cache": ("prefrun.commands.cache:cache", "ls|clear|verify: the cached reference log-probs"),
    "rerun": ("prefrun.commands.rerun:rerun", "RUN_DIR: do a finished run again and compare"),
    "resume": ("prefrun.commands.resume:resume", "RUN_DIR: go on with a run that was cut"),
}
Command = Callable[[list[str]], int]
INTERRUPTED = 130
"""The exit code of a Ctrl-C that came before anybody listened."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: 0, 1 failed, 2 bad input.

    A signal ends it with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP).
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    signals.forget()
    try:
        with signals.listening():
            refuse_other_launchers()
            return _dispatch(arguments)
    except PrefrunError as error:
        print(f"prefrun: {visible(str(error))}", file=sys.stderr)
        return error.exit_code
    except signals.Stopped as stopped:
        return stopped.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away, as in `prefrun plugins | head`
        sys.stderr.close()
        return 1


def _dispatch(arguments: list[str]) -> int:
    asks_help = bool({"-h", "--help"} & set(arguments))
    if arguments and arguments[0] in COMMANDS:
        command = load_command(arguments[0])
        if not asks_help:
            return command(arguments[1:])
        from prefrun.commands.help import command_help

        print(command_help(command))
        return 0
    if arguments == ["--version"]:
        from importlib.metadata import version

        print(f"prefrun {version('prefrun')}")
        return 0
    if not arguments or asks_help:
        from prefrun.commands.help import print_help

        return print_help(arguments, {word: line for word, (_, line) in COMMANDS.items()})
    from prefrun.launch import launch

    return launch(arguments)


def load_command(word: str) -> Command:
    """Import and return what `prefrun WORD` calls."""
    module, _, function = COMMANDS[word][0].partition(":")
    command: Command = getattr(import_module(module), function)
    return command


if __name__ == "__main__":
    sys.exit(main())
