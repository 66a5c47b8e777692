"""Holds on to what every algorithm computes, to the last bit.

    python benchmarks/frozen.py before.json                      # runs every case, writes results
    python benchmarks/frozen.py after.json --against before.json # and compares with these
    python benchmarks/frozen.py some.json --only lipo --only rps # some cases

The cases of `frozen_cases.py` run one after the other, each in a process, folder and cache of its
own, with one thread. Every differing value is printed with its case and key, and the exit code is
then 1, as it is if a case fails. A case that only one side has, or whose algorithm is not installed
here, is named and makes no difference. Results of another machine or other libraries differ.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from frozen_cases import CASES, Words

PRELOADED = (
    *("hydra._internal.core_plugins.basic_launcher", "matplotlib.backends.backend_agg", "peft"),
    *("prefrun.builtin.model", "prefrun.launch", "prefrun.training.execute"),
    *("prefrun.training.loop", "scipy.stats", "transformers.models.llama.modeling_llama"),
)
"""What the cases' processes, which are forked from this one, have imported already."""
NAMES = ("steps", "metrics", "records", "weights_moved")
"""Of summary.json; times, memory and names are left out."""
LINES = (
    *("metrics.jsonl", "samples.jsonl", "rps/candidates.jsonl", "simulpl/pairs.jsonl"),
    "trees.jsonl.gz",
)
"""Further results of a run, where it has them."""
LIMIT = 600
"""Seconds after which a case is stopped."""
Values = dict[str, float | int | str | bool | None]


def main() -> int:
    """Run the cases, write FILE, compare, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="where the results go")
    parser.add_argument("--against", type=Path, help="results to compare with")
    parser.add_argument("--only", action="append", choices=CASES, metavar="NAME", help="a case")
    arguments = parser.parse_args()
    before = json.loads(arguments.against.read_text()) if arguments.against else None
    wanted = {name: CASES[name] for name in arguments.only or CASES}
    results = run_all(wanted)
    arguments.file.write_text(json.dumps(results, indent=1) + "\n")
    failed = [name for name, result in results.items() if "error" in result]
    lines = [f"{name}: failed: {results[name]['error']}" for name in failed]
    if before is not None:
        for name in sorted({*before, *results} if arguments.only is None else results):
            lines += compared(name, before.get(name), results.get(name))
    print("\n".join(lines))
    different = sum(" != " in line for line in lines)
    print(json.dumps({"cases": len(results), "failed": len(failed), "different": different}))
    return 1 if failed or different else 0


def run_all(cases: Mapping[str, Words]) -> dict[str, dict[str, Any]]:
    """Return command and values by name of each of CASES whose algorithm is installed."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "100"}
    for module in PRELOADED:
        import_module(module)
    results = {}
    for name, words in cases.items():
        missing = not_installed(words)
        if missing:
            print(f"{name}: left out, {missing} is not installed", file=sys.stderr)
            continue
        begun = time.perf_counter()
        results[name] = {"words": list(words), **run_one(words)}
        print(f"{name}: {time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
    return results


def not_installed(words: Words) -> str | None:
    """Return the choice of a component among WORDS that is not there, such as algo=lipo."""
    from prefrun.plugins import components

    for word in words:
        group, _, name = word.partition("=")
        if group in ("algo", "data", "model") and (group, name) not in components():
            return word
    return None


def run_one(words: Words) -> dict[str, Any]:
    """Return the values of `prefrun WORDS`, or the error it ended with."""
    with tempfile.TemporaryDirectory() as folder:
        process = get_context("fork").Process(target=_prefrun, args=(words, Path(folder)))
        process.start()
        process.join(LIMIT)
        if process.exitcode is None:
            process.kill()
            process.join()
        said = Path(folder, "said").read_text(errors="replace").strip()
        if process.exitcode:
            return {"error": " / ".join(said.splitlines()[-2:]) or f"exit {process.exitcode}"}
        return {"values": values_of(Path(folder, "run"))}


def _prefrun(words: Sequence[str], folder: Path) -> None:
    """Run in FOLDER, in a process of its own; what is said goes to the file `said`."""
    with (folder / "said").open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    os.environ["PREFRUN_CACHE"] = str(folder / "cache")
    import torch

    from prefrun.cli import main as prefrun

    torch.set_num_threads(1)
    words = [*words, "output_dir=run"]
    sys.argv = [sys.argv[0], *words]
    sys.exit(prefrun(words))


def values_of(run: Path) -> Values:
    """Return what RUN computed, by a key such as summary/metrics/kl/after."""
    summary = json.loads((run / "summary.json").read_text())
    values: dict[str, Any] = {name: summary.get(name) for name in NAMES}
    found: Values = {f"summary/{key}": value for key, value in flat(values)}
    found["summary/cost/tokens"] = summary["cost"]["tokens"]
    for name in LINES:
        path = run / name
        if path.exists():
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            rows = [json.loads(line) for line in text.splitlines()]
            found |= {f"{name}/{key}": value for key, value in flat(rows)}
    return found


def flat(nested: Any) -> Iterator[tuple[str, Any]]:
    """Yield each number and text in NESTED with its path."""
    if isinstance(nested, dict | list):
        items = nested.items() if isinstance(nested, dict) else enumerate(nested)
        for name, value in items:
            for key, leaf in flat(value):
                yield f"{name}/{key}" if key else str(name), leaf
    else:
        yield "", nested


def compared(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[str]:
    """Yield a line for every difference of the case NAME; ` != ` stands in those that count."""
    if before is None or after is None:
        yield f"{name}: {'new' if before is None else 'gone'}"
        return
    if before["words"] != after["words"]:
        yield f"{name}: the command is another one"
    if "error" in before or "error" in after:
        return
    old, new = before["values"], after["values"]
    for key in dict.fromkeys((*old, *new)):
        one, other = (repr(values[key]) if key in values else "-" for values in (old, new))
        if one != other:  # by their text: nan is nan, and every bit of a number is in it
            yield f"{name}  {key}: {one} != {other}"


if __name__ == "__main__":
    sys.exit(main())
