"""The W&B client as prefrun uses it: quiet, offline without a key, one id per folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import wandb

from prefrun.errors import PrefrunError
from prefrun.rundir.files import write_atomically
from prefrun_wandb.config import Mode
from prefrun_wandb.key import has_key

ID_FILE = "wandb_id"


def open_run(mode: Mode, folder: Path, **words: Any) -> Any:
    """Open a W&B run whose files lie in FOLDER, under the id it had before where it had one.

    Raises PrefrunError where W&B refuses, such as for a wrong key.
    """
    try:
        return wandb.init(
            **words,
            resume="allow",
            mode=mode.value,
            dir=folder,
            reinit="finish_previous",  # else a sweep's next job lands in a failed one's run
            settings=wandb.Settings(
                silent=True,
                console="off",
                x_disable_stats=True,
                x_disable_machine_info=True,  # it includes the command line
            ),
        )
    except wandb.Error as error:
        raise PrefrunError(
            f"W&B did not accept the run: {error}\n"
            "  remedy: run `wandb login`, or set tracker.mode=offline"
        ) from error


def usual_mode() -> Mode:
    """What `wandb offline`, WANDB_MODE or the lack of a key say."""
    settings = wandb.setup().settings
    if settings.mode in ("offline", "disabled"):
        return Mode[settings.mode]
    return Mode.online if settings.api_key or has_key(settings.base_url) else Mode.offline


def kept_id(folder: Path) -> str:
    """Return the id kept in FOLDER; where there is none, a new one, which is kept there."""
    file = folder / ID_FILE
    if not file.exists():
        write_atomically(file, f"{uuid4().hex[:12]}\n")
    return file.read_text(encoding="utf-8").strip()


def whereabouts(mode: Mode, run: Any, folder: Path) -> str:
    """Return where RUN is, or how to send it."""
    if mode is Mode.online:
        return f"online: {run.url}"
    return f"offline: send it later with `wandb sync {folder}/wandb/offline-run-*`"
