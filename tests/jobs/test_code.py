"""The fingerprint follows the code at work, and nothing else."""

from __future__ import annotations

import sys

import pytest

from prefrun.jobs import code
from prefrun.jobs.code import code_fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "site" / "a_package_of_mine"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "weights" / "model.bin").write_bytes(b"1")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield folder
    sys.modules.pop("a_package_of_mine", None)


def fingerprint(*packages: str) -> str:
    """As a new process computes it."""
    code._package.cache_clear()
    return code_fingerprint(packages)


def test_it_changes_with_code_and_with_files_beside_it(package):
    seen = [fingerprint("a_package_of_mine")]
    (package / "loss.py").write_text("x = 1")
    seen.append(fingerprint("a_package_of_mine"))
    (package / "weights" / "model.bin").write_bytes(b"2")
    seen.append(fingerprint("a_package_of_mine"))
    (package / "loss.py").rename(package / "losses.py")
    seen.append(fingerprint("a_package_of_mine"))
    assert len(set(seen)) == 4
    (package / "losses.py").rename(package / "loss.py")
    assert fingerprint("a_package_of_mine") == seen[2]


def test_compiled_files_and_the_order_of_packages_do_not_count(package):
    first = fingerprint("a_package_of_mine", "prefrun")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "loss.cpython-311.pyc").write_bytes(b"1")
    assert fingerprint("prefrun", "a_package_of_mine") == first
    assert fingerprint("prefrun") != first


def test_a_library_of_another_version_is_other_code(monkeypatch):
    first = fingerprint("prefrun")
    monkeypatch.setattr(code, "_version", lambda name: "0.0.1" if name == "torch" else "1")
    assert fingerprint("prefrun") != first
