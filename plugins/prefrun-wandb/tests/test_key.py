"""Where a key is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefrun_wandb.key import has_key

PUBLIC = "https://api.wandb.ai"
OWN = "https://wandb.example.org:8080"


def write_netrc(file: Path, host: str, password: str = "secret") -> None:
    file.write_text(f"machine {host}\n  login user\n  password {password}\n")
    file.chmod(0o600)


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"])
def test_the_environment_counts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert not has_key(PUBLIC)
    monkeypatch.setenv(name, "value")
    assert has_key(PUBLIC)


@pytest.mark.parametrize("host", ["api.wandb.ai", "api.forge.coreweave.com"])
def test_netrc_counts_under_both_names_of_the_public_service(host: str) -> None:
    write_netrc(Path("~/.netrc").expanduser(), host)
    assert has_key(PUBLIC)
    assert has_key("https://api.forge.coreweave.com")
    assert not has_key(OWN)


def test_the_key_of_one_s_own_server_counts_for_that_server() -> None:
    write_netrc(Path("~/_netrc").expanduser(), "wandb.example.org:8080")
    assert has_key(OWN)
    assert not has_key(PUBLIC)


def test_a_netrc_file_named_in_the_environment_takes_precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_netrc(Path("~/.netrc").expanduser(), "api.wandb.ai")
    monkeypatch.setenv("NETRC", str(tmp_path / "empty"))
    assert not has_key(PUBLIC)
    write_netrc(tmp_path / "empty", "api.wandb.ai")
    assert has_key(PUBLIC)


def test_a_damaged_netrc_file_is_no_key() -> None:
    Path("~/.netrc").expanduser().write_text("nonsense here\n")
    assert not has_key(PUBLIC)
