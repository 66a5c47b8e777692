"""Runs `prefrun` in a process that is forked from one with the heavy imports behind it.

It has memory, folder, environment, signals and an exit code of its own, and saves 5 s of CPU. What
a library reads from the environment as it is imported is that of the tests' process.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "hydra._internal.core_plugins.basic_launcher",
        "matplotlib.backends.backend_agg",
        "peft",
        "prefrun.builtin.model",
        "prefrun.comparison.compare",
        "prefrun.launch",
        "prefrun.training.execute",
        "prefrun.training.loop",
        "scipy.stats",
        "tests.together.forked",
        "transformers.models.llama.modeling_llama",
    ]
)


LIMIT = 900
"""Seconds after which a process that is waited for is killed: every wait has an end."""


class Forked:
    """`prefrun WORDS` at work in FOLDER, in the manner of subprocess.Popen.

    Whatever the tests' own process ignores, it begins with SIGINT, SIGTERM and SIGHUP as a terminal
    has them, but for those IGNORED.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        ignored: Sequence[int] = (),
    ) -> None:
        self._outputs = TemporaryDirectory()
        self._files = [Path(self._outputs.name, name) for name in ("stdout", "stderr")]
        self._process = _FORKS.Process(
            target=_main, args=(words, folder, environment, self._files, ignored)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """The process' number."""
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code; the negative number of the signal that ended it; None while at work."""
        return self._process.exitcode

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until READY(), looking each millisecond. The process must then be at work."""
        end = time.monotonic() + LIMIT
        while not ready() and self.returncode is None and time.monotonic() < end:
            self._process.join(0.001)
        if time.monotonic() > end:
            self.kill()
            self._process.join(LIMIT)
        assert self.returncode is None, self.communicate()

    def send_signal(self, number: int) -> None:
        """Send signal NUMBER."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def communicate(self) -> tuple[str, str]:
        """Wait for the end, and return what was written to stdout and to stderr."""
        self._process.join(LIMIT)
        if self._process.exitcode is None:
            self.kill()
            self._process.join(LIMIT)
        out, err = (file.read_text() for file in self._files)
        self._outputs.cleanup()
        return out, err


def _main(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    outputs: Sequence[Path],
    ignored: Sequence[int],
) -> None:
    """Do in the forked process what `python -m prefrun WORDS` does in a new one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    for number, path in enumerate(outputs, 1):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    shown = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [str(folder), *filter(None, shown)]

    import prefrun
    from prefrun.cli import main

    sys.argv = [str(Path(prefrun.__file__).with_name("__main__.py")), *words]
    try:
        sys.exit(main())
    finally:  # what an interpreter does at its end, and a forked process in another order
        threading._shutdown()
        atexit._run_exitfuncs()
