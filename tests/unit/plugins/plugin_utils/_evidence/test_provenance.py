# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An attempt says who started it and from which revision, or that nobody can tell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import (
    collection_version,
    read_provenance,
)

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in a new repository with one commit."""

    def run(*arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    run("init", "--quiet")
    (tmp_path / "site.yml").write_text("first\n")
    run("add", "site.yml")
    run("commit", "--quiet", "--message", "first")
    return run


def test_a_clean_checkout(tmp_path: Path, git: Git) -> None:
    found = read_provenance(tmp_path)
    assert found["revision"] == git("rev-parse", "HEAD")
    assert found["dirty"] is False
    assert found["user"]
    assert found["host"]
    assert found["ansible_core"][0].isdigit()
    assert found["collection"][0].isdigit()


def test_a_changed_checkout_is_dirty(tmp_path: Path, git: Git) -> None:
    (tmp_path / "site.yml").write_text("second\n")
    assert read_provenance(tmp_path)["dirty"] is True


def test_without_a_repository_nobody_can_tell(tmp_path: Path) -> None:
    found = read_provenance(tmp_path)
    assert (found["revision"], found["dirty"]) == ("unknown", None)


def test_without_git_nobody_can_tell(tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_provenance(tmp_path)["revision"] == "unknown"


def test_awx_and_sudo_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_JOB_ID", "4711")
    monkeypatch.setenv("SUDO_USER", "operator")
    found = read_provenance(tmp_path)
    assert (found["awx_job"], found["sudo_user"]) == ("4711", "operator")


def test_the_version_of_an_installed_collection_stands_in_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "1.2.3"}}')
    assert collection_version(tmp_path) == "1.2.3"
    assert collection_version(tmp_path / "elsewhere") == "unknown"
