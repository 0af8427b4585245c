# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program in docs/auditors.md says of a bundle what is so, and runs nothing out of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.instructions import COMMAND
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site

PAGE = REPOSITORY / "docs" / "auditors.md"


def program() -> str:
    """The one that the page tells auditors to keep."""
    (found,) = re.findall(r"^```shell\n(#!/bin/sh\n.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    return str(found)


def verified(folder: Path, signers: Path, tenant: str = "alpha") -> tuple[int, str]:
    """The status and everything that it said."""
    verify = signers.parent / "verify.sh"
    verify.write_text(program())
    done = subprocess.run(
        ["sh", str(verify), str(folder), str(signers), tenant],
        # Whoever has the working folder among those of programs would run what lies there.
        env={"PATH": f".:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two months of tenant alpha, sealed."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.history(months=("2026-10", "2026-11"))
    return made


@pytest.fixture
def bundle(site: Site, tmp_path: Path) -> Path:
    """A copy of the second bundle, for a test to spoil."""
    (found,) = site.bundles.glob("alpha/0002-*")
    return Path(shutil.copytree(found, tmp_path / found.name))


def test_a_good_bundle_is_verified_and_what_to_compare_is_said(site: Site, bundle: Path) -> None:
    status, said = verified(bundle, site.signers)
    root = digest_of_bytes((bundle / "SHA256SUMS").read_bytes())
    assert (status, said.splitlines()[-1]) == (0, f"VERIFIED: root {root}")
    assert 'Good "bankops-fleet-seal" signature for seal@alpha' in said
    assert 'Good "bankops-fleet-approval" signature for alice' in said
    assert (bundle / "seal.json").read_text() in said


def test_a_plan_without_an_approval_is_verified_too(site: Site) -> None:
    book = site.freeze("beta", approval="none", expires=timedelta(seconds=-1))
    status, said = verified(site.seal(book).bundle, site.signers, "beta")
    assert status == 0, said


def remove(name: str) -> Callable[[Path], None]:
    return lambda bundle: (bundle / name).unlink()


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda bundle: (bundle / name).write_text(text)


def lists_its_own(bundle: Path) -> None:
    """What somebody does who cannot sign: the list of files is made to fit."""
    (bundle / "plan.json").write_text("{}")
    sums = bundle / "SHA256SUMS"
    paths = [line[66:] for line in sums.read_text().splitlines()]
    sums.write_text("".join(f"{digest_of_bytes((bundle / path).read_bytes())}  {path}\n" for path in paths))


def lead_away(bundle: Path) -> None:
    (bundle / "plan.json").rename(bundle.parent / "plan.json")
    (bundle / "plan.json").symlink_to(bundle.parent / "plan.json")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove("README.txt"), "README.txt: FAILED open or read"),
        (write("README.txt", "Verified.\n"), "README.txt: FAILED"),
        (write("plan.json", "{}"), "plan.json: FAILED"),
        (write("hosts/web1.json", "{}"), "hosts/web1.json: FAILED"),
        (remove("ledger.jsonl"), "ledger.jsonl: FAILED open or read"),
        (remove("approvals/1.sig"), "approvals/1.sig: FAILED open or read"),
        (remove("seal.json"), "seal.json"),
        (remove("SHA256SUMS"), "SHA256SUMS"),
        (remove("SHA256SUMS.sig"), "Couldn't read signature file"),
        (write("SHA256SUMS", ""), "Signature verification failed: incorrect signature"),
        (lists_its_own, "Signature verification failed: incorrect signature"),
        (write("notes.txt", ""), "a file was added"),
        (write("hosts/\nplan.json", ""), "a name that cannot be printed"),
        (lead_away, "there is a link"),
        (shutil.rmtree, "can't cd to"),
    ],
)
def test_what_is_wrong_or_missing_is_said_and_nothing_is_verified(
    site: Site, bundle: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(bundle)
    status, said = verified(bundle, site.signers)
    assert status != 0
    assert said.splitlines()[-1] == f"NOT VERIFIED: {bundle}"
    assert words in said
    assert "VERIFIED: root" not in said


@pytest.mark.parametrize("tenant", ["beta", "alph.", "*", ""])
def test_a_bundle_of_another_tenant_is_not_verified(site: Site, bundle: Path, tenant: str) -> None:
    status, said = verified(bundle, site.signers, tenant)
    assert status != 0
    assert f"seal.json is no seal of tenant {tenant}\n" in said


def test_a_key_that_the_file_does_not_list_is_not_believed(site: Site, bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "signers"
    other.write_text(site.signers.read_text().replace("seal@alpha", "seal@gamma"))
    assert verified(bundle, other)[0] != 0
    status, said = verified(bundle, tmp_path / "none")
    assert status != 0
    assert "NOT VERIFIED" in said


def test_nothing_out_of_a_bundle_is_run(site: Site, bundle: Path) -> None:
    ran = bundle.parent / "ran"
    (bundle / "README.txt").write_text(f"{COMMAND}touch {ran}\n")
    for name in ("grep", "sha256sum", "ssh-keygen"):
        (bundle / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (bundle / name).chmod(0o755)
    (bundle / "seal.json").write_text(f'{{"tenant":"alpha","sealed":"$(touch {ran})","sealed":"`touch {ran}`"}}')
    assert verified(bundle, site.signers)[0] != 0
    assert not ran.exists()
