"""A Hydra application whose jobs say who they are, meet each other, wait for ever, or die."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

from prefrun_launchers import prefrun_config_dir

CONFIG = {
    "job": 0,
    "do": "nothing",
    "hydra": {"output_subdir": None, "searchpath": [f"file://{prefrun_config_dir()}"]},
}
ConfigStore.instance().store("toy", CONFIG)


@hydra.main(version_base="1.3", config_path=None, config_name="toy")
def run(config):
    """One job."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    seen = {
        "pid": os.getpid(),
        "job": HydraConfig.get().job.num,
        "device": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "cache": os.environ.get("PREFRUN_CACHE"),
        "torch": "torch" in sys.modules,
    }
    (folder / "seen.json").write_text(json.dumps(seen))
    if config.do == "meet":  # a pipe opens only when somebody opens its other end
        with open(f"pipe{config.job // 2}", "rw"[config.job % 2]):
            pass
    elif config.do == "wait":
        with open("pipe", "w") as pipe:
            try:
                print("waits", file=pipe, flush=True)
                signal.pause()
            except KeyboardInterrupt:
                print("interrupted", file=pipe, flush=True)
                raise
    elif config.do == "be cut once" and not Path("cut").exists():
        Path("cut").touch()
        os.kill(os.getpid(), signal.SIGUSR2)  # as Slurm does before the time is up
    elif config.do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return config.job * 10


if __name__ == "__main__":  # a shell has background jobs ignore SIGINT, and so the tests
    ignores = "IGNORES_SIGINT" in os.environ
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignores else signal.default_int_handler)
    run()
