"""Runs `prefrun` in a process that is forked from one with the heavy imports behind it.

It has memory, folder, environment, signals and an exit code of its own, and saves 5 s of CPU. What
a library reads from the environment as it is imported is that of the tests' process.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
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


class Forked:
    """`prefrun WORDS` at work in FOLDER, in the manner of subprocess.Popen."""

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._outputs = TemporaryDirectory()
        self._files = [Path(self._outputs.name, name) for name in ("stdout", "stderr")]
        self._process = _FORKS.Process(target=_main, args=(words, folder, environment, self._files))
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
        while not ready() and self.returncode is None:
            self._process.join(0.001)
        assert self.returncode is None, self.communicate()

    def send_signal(self, number: int) -> None:
        """Send signal NUMBER."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def communicate(self) -> tuple[str, str]:
        """Wait for the end, and return what was written to stdout and to stderr."""
        self._process.join()
        out, err = (file.read_text() for file in self._files)
        self._outputs.cleanup()
        return out, err


def _main(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], outputs: Sequence[Path]
) -> None:
    """Do in the forked process what `python -m prefrun WORDS` does in a new one."""
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
