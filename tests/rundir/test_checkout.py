"""The state of a git checkout, on real ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from prefrun.rundir.checkout import describe_checkout


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("ignored/\n")
    (tmp_path / "loss.py").write_text("beta = 0.1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit(checkout):
    assert describe_checkout(checkout) == {
        "root": str(checkout.resolve()),
        "commit": git(checkout, "rev-parse", "HEAD"),
        "dirty": False,
        "diff_sha256": None,
    }


def test_every_change_gives_another_hash_and_undoing_it_the_first(checkout):
    seen = set()
    for change in ("beta = 0.2\n", "beta = 0.3\n"):
        (checkout / "loss.py").write_text(change)
        seen.add(describe_checkout(checkout)["diff_sha256"])
    (checkout / "loss.py").write_text("beta = 0.1\n")
    (checkout / "new.py").write_text("")
    seen.add(describe_checkout(checkout)["diff_sha256"])
    assert len(seen) == 3
    assert None not in seen
    (checkout / "new.py").unlink()
    assert describe_checkout(checkout)["dirty"] is False


def test_a_staged_change_counts(checkout):
    (checkout / "loss.py").write_text("beta = 0.2\n")
    git(checkout, "add", ".")
    assert describe_checkout(checkout)["dirty"] is True


def test_a_subfolder_describes_its_checkout(checkout):
    (checkout / "sub").mkdir()
    assert describe_checkout(checkout / "sub")["root"] == str(checkout.resolve())


def test_no_checkout_gives_none(tmp_path):
    assert describe_checkout(tmp_path) is None


def test_a_package_in_an_ignored_folder_is_no_part_of_the_project(checkout):
    (checkout / "ignored" / "site-packages").mkdir(parents=True)
    assert describe_checkout(checkout / "ignored" / "site-packages") is None


def test_a_checkout_without_a_commit_is_dirty(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("")
    described = describe_checkout(tmp_path)
    assert described["commit"] is None
    assert described["dirty"] is True


def test_variables_of_a_git_hook_do_not_mislead(checkout, monkeypatch, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert describe_checkout(checkout)["root"] == str(checkout.resolve())


def test_without_git_the_state_is_unknown(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert describe_checkout(checkout) is None
