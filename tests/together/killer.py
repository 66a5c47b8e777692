"""A plugin whose process dies at the write of a file."""

from __future__ import annotations

KILLER = '''
"""Kills this process at the write KILL_AT names: part of its path, the how manieth, and when."""
import os, signal
from pathlib import Path

part, count, when = os.environ["KILL_AT"].split(":")
left = int(count)


def watched(function, path_of):
    def call(*arguments, **rest):
        global left
        path = path_of(*arguments)
        hit = part in path
        left -= hit
        dies = hit and left == 0
        if dies and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **rest)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


class Dying:
    """A file that the process does not outlive; of its one write, all or half gets to the disk."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2] if when == "half" else data)
        self.file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def open_path(path, mode="r", *arguments, **rest):
    file = whole_open(path, mode, *arguments, **rest)
    return Dying(file) if mode == "ab" and part in str(path) else file


whole_open, Path.open = Path.open, open_path
os.replace = watched(os.replace, lambda source, target: str(target))
os.rename = watched(os.rename, lambda source, target: str(target))
os.fsync = watched(os.fsync, lambda file: os.readlink(f"/proc/self/fd/{file}"))
'''
