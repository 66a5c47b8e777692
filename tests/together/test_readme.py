"""What the README shows is true: every command runs, and its loss works."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.together.conftest import Workplace
from tests.together.documents import QUICK, blocks, settings, typed, words_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TUTORIAL = (ROOT / "docs/tutorial.md").read_text()

Rows = list[dict[str, Any]]


def list_rows() -> Rows:
    """Records in UltraFeedback's layout."""
    answers = [{"response": text, "overall_score": score} for text, score in RATED]
    return [{"instruction": f"Question {n}?", "completions": answers} for n in range(12)]


def dialogue_rows() -> Rows:
    """Records in hh-rlhf's layout."""
    begin = "\n\nHuman: Question {}?\n\nAssistant: "
    return [
        {"chosen": begin.format(n) + "Yes.", "rejected": begin.format(n) + "No."} for n in range(12)
    ]


def preference_rows() -> Rows:
    """Records in TRL's preference format."""
    return [{"prompt": f"Question {n}?", "chosen": "Yes.", "rejected": "No."} for n in range(12)]


RATED = (("Yes.", 9.0), ("Perhaps.", 5.0), ("No.", 2.0))
ROWS = {"ultrafeedback": list_rows, "hh": dialogue_rows, "trl": preference_rows}


def write_rows(path: Path, rows: Rows) -> None:
    """Write ROWS in the format that the name of PATH says."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


VOTES = [
    {"question": f"{n} + 1?", "answer_a": f"{n + 1}", "answer_b": "No.", "winner": winner}
    for n, winner in enumerate(["answer_a", "answer_b"] * 12)
]
"""Pairs whose better answer a column names, as in the README's mapping."""


def loss_in(text: str) -> str:
    """The code of the file that TEXT calls my_loss.py."""
    (block,) = [block for block in blocks(text) if block.title == "my_loss.py"]
    return block.text


def write_loss(place: Workplace) -> None:
    """Put the README's loss where its commands look for it."""
    (place.folder / "my_loss.py").write_text(loss_in(README))


def provide_inputs(place: Workplace, given: dict[str, str]) -> None:
    """Put the data and the model that a command names where it names them."""
    if "./my_loss.py" in given.get("algo", ""):
        write_loss(place)
    if "data.path" in given:
        rows = VOTES if "data.columns.winner" in given else ROWS[given["data"]]()
        write_rows(place.folder / given["data.path"], rows)
    if "model.name" in given:
        from prefrun_tiny.model import WEIGHTS

        shutil.copytree(WEIGHTS, place.folder / given["model.name"])


@pytest.mark.parametrize("command", typed(README))
def test_a_command_that_trains_ends_well(workplace, command):
    words = words_of(command)
    given = settings(words)
    provide_inputs(workplace, given)
    done = workplace.run_anew(*words, *QUICK)
    assert done.returncode == 0, done.stderr
    jobs = math.prod(len(value.split(",")) for value in given.values()) if "-m" in words else 1
    assert len(list(workplace.folder.rglob("summary.json"))) == jobs
    if "-m" in words:
        (sweep,) = (workplace.folder / "runs").iterdir()
        assert {"comparison.md", "comparison.csv", "comparison.png"} <= set(os.listdir(sweep))


PLUGIN_READMES = sorted(ROOT.glob("plugins/*/README.md"))
SHOWN_BY_PLUGINS = [command for file in PLUGIN_READMES for command in typed(file.read_text())]


@pytest.mark.parametrize("command", SHOWN_BY_PLUGINS)
def test_a_command_of_a_plugins_readme_composes(workplace, command):
    words = [word for word in words_of(command) if word != "-m"]
    one_job = [word for word in words if "(" not in word]  # without the ranges of a search
    first = [re.sub(r"=([\w.]+),.*", r"=\1", word) for word in one_job]  # of a sweep, its first
    done = workplace.run(*first, "--cfg", "job")
    assert done.returncode == 0, done.stderr


INSTEAD = {"DIR…": "whole", "DIR": "whole", "RUN_A": "whole", "RUN_B": "whole", "RUN_DIR": "whole"}
SHOWN_IN_TABLE = [
    words for words in re.findall(r"`(prefrun [^`]+)`", README) if words not in typed(README)
]


@pytest.mark.parametrize("command", SHOWN_IN_TABLE)
def test_a_command_of_the_table_answers(finished, command):
    write_loss(finished)
    words = [INSTEAD.get(word, word) for word in words_of(command)]
    done = finished.run(*words)
    if words[0] == "resume":
        assert done.returncode == 2
        assert "has finished" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_the_shell_completes_names(workplace):
    (line,) = re.findall(r"`(eval [^`]+)`", README)
    installed = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", f"{line}\ncomplete -p prefrun"],
        cwd=workplace.folder,
        env=workplace.environment | {"PATH": installed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("prefrun")


def test_the_loss_of_the_readme_has_20_lines():
    assert len([line for line in loss_in(README).splitlines() if line.strip()]) <= 20


def test_the_loss_of_the_readme_is_the_tutorials_which_is_checked_and_compared_there():
    assert loss_in(README) == loss_in(TUTORIAL)
