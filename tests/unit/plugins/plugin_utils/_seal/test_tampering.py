# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is done to sealed bundles is found, and named for what it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.instructions import COMMAND
from ansible_collections.bankops.fleet.tests.fakes.forging import bundle, rechain, reseal, rewrite_ledger, sign
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site

KINDS_OF_FILES = [
    "plan.json",
    "hosts/web1.json",
    "ledger.jsonl",
    "approvals/1.json",
    "approvals/1.sig",
    "reports/report.html",
    "seal.json",
    "README.txt",
    "allowed_signers.seal",
    "allowed_signers.approvals",
    "SHA256SUMS",
    "SHA256SUMS.sig",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three months of tenant alpha, sealed."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.history()
    return made


@pytest.fixture
def bundles(site: Site, tmp_path: Path) -> Path:
    """A copy of what was sealed, for a test to spoil."""
    shutil.copytree(site.bundles, tmp_path / "bundles")
    return tmp_path / "bundles"


def named(findings: list[Finding]) -> set[tuple[str, str]]:
    """The kind of each finding, and what it is about."""
    return {(finding.kind.value, finding.subject) for finding in findings}


def run_instructions(folder: Path, signers: Path) -> subprocess.CompletedProcess[str]:
    """What README.txt says, and nothing else, with no program that it does not name."""
    lines = (folder / "README.txt").read_text().splitlines()
    program = "\n".join(line for line in lines if line.startswith(COMMAND))
    environment = {"PATH": os.environ["PATH"], "SIGNERS": str(signers)}
    return subprocess.run(
        ["sh", "-e", "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_what_was_sealed_verifies(site: Site, bundles: Path) -> None:
    assert site.verify(bundles) == []
    assert site.verify(bundles / "alpha") == []
    assert site.verify(bundle(bundles, 2)) == []


@pytest.mark.parametrize("path", KINDS_OF_FILES)
def test_one_bit_flipped_in_any_kind_of_file_is_found_and_the_file_named(site: Site, bundles: Path, path: str) -> None:
    spoiled = bundle(bundles, 2) / path
    content = spoiled.read_bytes()
    for position in (0, len(content) // 3, len(content) - 1):
        spoiled.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        found = site.verify(bundle(bundles, 2))
        assert found, f"the bit at {position}"
        assert path.startswith("SHA256SUMS") or ("file_changed", path) in {(f.kind.value, f.where) for f in found}
        assert path != "SHA256SUMS.sig" or {f.where for f in found} == {path}


def test_every_character_of_a_signature_counts(site: Site, bundles: Path) -> None:
    # ssh-keygen itself passes over blanks, and over bits that base64 does not need.
    spoiled = bundle(bundles, 1) / "SHA256SUMS.sig"
    text = spoiled.read_text()
    for other in (
        f"{text}\n",
        text.replace("\n", "\r\n"),
        text.rstrip("\n"),
        f" {text}",
        text.replace("\n", "\n\n", 2),
    ):
        spoiled.write_text(other, newline="")
        assert ("signature_bad", "seal 1") in named(site.verify(bundle(bundles, 1)))


@pytest.mark.parametrize("gone", ["hosts/web1.json", "ledger.jsonl", "approvals/1.sig", "SHA256SUMS", "SHA256SUMS.sig"])
def test_a_file_that_was_removed_is_named(site: Site, bundles: Path, gone: str) -> None:
    (bundle(bundles, 2) / gone).unlink()
    found = site.verify(bundle(bundles, 2))
    assert ("file_missing", gone) in {(finding.kind.value, finding.where) for finding in found}


@pytest.mark.parametrize("added", ["notes.txt", "hosts/web9.json", ".hidden", "approvals/2.json"])
def test_a_file_that_was_added_is_named(site: Site, bundles: Path, added: str) -> None:
    (bundle(bundles, 2) / added).write_text("{}")
    found = site.verify(bundle(bundles, 2))
    assert ("file_added", added) in {(finding.kind.value, finding.where) for finding in found}


def test_a_link_is_no_file_that_was_sealed(site: Site, bundles: Path, tmp_path: Path) -> None:
    folder = bundle(bundles, 2)
    (tmp_path / "elsewhere").write_bytes((folder / "plan.json").read_bytes())
    (folder / "plan.json").unlink()
    (folder / "plan.json").symlink_to(tmp_path / "elsewhere")
    found = named(site.verify(bundles))
    assert {("file_added", "seal 2"), ("file_missing", "seal 2")} <= found


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], "ledger_broken"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "ledger_broken"),
        (lambda lines: rechain([*lines, lines[-1]]), "ledger_appended"),
        (lambda lines: lines[:-2], "ledger_cut"),
        (lambda lines: rechain([*lines[:2], lines[2].replace(b'"apply"', b'"stage"'), *lines[3:]]), "ledger_replaced"),
    ],
    ids=["an entry removed", "two reordered", "appended after the seal", "the tail cut", "replaced and chained anew"],
)
def test_what_was_done_to_a_ledger_is_named(
    site: Site, bundles: Path, change: Callable[[list[bytes]], list[bytes]], kind: str
) -> None:
    folder = bundle(bundles, 2)
    rewrite_ledger(folder, change)
    found = named(site.verify(bundles))
    assert {(kind, "seal 2"), ("file_changed", "seal 2")} <= found
    assert {subject for _kind, subject in found} == {"seal 2"}
    # Nor does it help to write the sums anew.
    reseal(folder)
    assert {(kind, "seal 2"), ("signature_bad", "seal 2"), ("chain_broken", "seal 3")} <= named(site.verify(bundles))


def test_a_whole_plan_that_was_replaced_with_its_seal_fails_by_the_signature_and_by_the_chain(
    site: Site, bundles: Path
) -> None:
    folder = bundle(bundles, 2)
    rewrite_ledger(folder, lambda lines: rechain(lines[:-1]))
    lines = (folder / "ledger.jsonl").read_bytes().splitlines()
    reseal(folder, ledger={"count": len(lines), "head": json.loads(lines[-1])["hash"]})
    assert {("signature_bad", "seal 2"), ("chain_broken", "seal 3")} <= named(site.verify(bundles))


@pytest.mark.parametrize("key", ["mallory", "beta", "alice"])
def test_a_seal_by_another_key_is_named(site: Site, bundles: Path, key: str) -> None:
    folder = bundle(bundles, 3)
    reseal(folder, why="expired")
    sign(folder, site.keys[key])
    found = site.verify(bundles)
    assert ("signer_unknown", "seal 3") in named(found)
    # Seals that expired too early are named as well, whoever signed them.
    assert ("facts_differ", "seal 3") in named(found)


def test_a_sealed_plan_deleted_from_the_middle_is_named(site: Site, bundles: Path) -> None:
    shutil.rmtree(bundle(bundles, 2))
    assert named(site.verify(bundles)) == {("seal_missing", "seal 2"), ("month_missing", "cycle 2026-10")}


def test_the_last_seal_that_was_deleted_is_known_to_the_state_and_to_anchors_alone(site: Site, bundles: Path) -> None:
    gone = bundle(bundles, 3)
    anchor = {"tenant": "alpha", "number": 3, "root": digest_of_bytes((gone / "SHA256SUMS").read_bytes())}
    shutil.rmtree(gone)
    assert site.verify(bundles) == []
    assert named(site.verify(bundles, state=True)) == {("bundle_missing", "seal 3")}
    assert named(site.verify(bundles, anchors=site.anchors([anchor]))) == {("anchor_gone", "seal 3")}


def test_two_seals_that_were_swapped_are_named(site: Site, bundles: Path) -> None:
    second, third = bundle(bundles, 2), bundle(bundles, 3)
    aside = bundles / "aside"
    second.rename(aside)
    third.rename(second)
    aside.rename(third)
    assert named(site.verify(bundles)) == {("bundle_misplaced", "seal 2"), ("bundle_misplaced", "seal 3")}
    # Or only the seals in them.
    shutil.rmtree(bundles)
    shutil.copytree(site.bundles, bundles)
    for name in ("seal.json", "SHA256SUMS", "SHA256SUMS.sig"):
        one, other = bundle(bundles, 2) / name, bundle(bundles, 3) / name
        mine, theirs = one.read_bytes(), other.read_bytes()
        one.write_bytes(theirs)
        other.write_bytes(mine)
    found = {finding.kind.value for finding in site.verify(bundles)}
    assert {"bundle_misplaced", "plan_changed", "file_changed", "ledger_replaced"} <= found


def test_a_second_seal_of_the_same_number_is_a_fork(site: Site, bundles: Path) -> None:
    shutil.copytree(bundle(bundles, 3), bundles / "alpha" / "0003-2026-11-0000000000000000")
    assert ("seal_forked", "seal 3") in named(site.verify(bundles))


def test_a_bundle_of_another_tenant_is_named(site: Site, bundles: Path) -> None:
    (bundles / "beta").mkdir()
    shutil.move(bundle(bundles, 3), bundles / "beta")
    found = {(finding.kind.value, finding.tenant) for finding in site.verify(bundles)}
    assert {("bundle_misplaced", "beta"), ("signer_unknown", "beta")} <= found


def test_an_anchor_shows_a_chain_that_was_made_anew(site: Site, bundles: Path) -> None:
    anchors = site.anchors([{"tenant": "alpha", "number": "1", "root": "0" * 64}])
    assert named(site.verify(bundles, anchors=anchors)) == {("anchor_differs", "seal 1")}
    assert named(site.verify(bundle(bundles, 1), anchors=anchors)) == {("anchor_differs", "seal 1")}


def test_what_is_no_json_or_has_no_shape_ends_no_verification(site: Site, bundles: Path) -> None:
    folder = bundle(bundles, 1)
    (folder / "seal.json").write_bytes(b"[" * 100_000)
    (bundle(bundles, 2) / "ledger.jsonl").write_bytes(b"[" * 100_000 + b"\n")
    (bundle(bundles, 3) / "plan.json").write_bytes(b"[]")
    reseal(bundle(bundles, 3), plan=digest_of_bytes(b"[]"))
    found = named(site.verify(bundles))
    assert {("seal_malformed", f"bundle {folder.name}"), ("ledger_broken", "seal 2")} <= found
    assert {("bundle_malformed", "seal 3"), ("signature_bad", "seal 3")} <= found


@pytest.mark.parametrize("path", [*KINDS_OF_FILES, "hosts/web2.json"])
@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "link"])
def test_what_never_ends_in_place_of_a_file_is_not_read(
    site: Site, bundles: Path, path: str, put: Callable[[Path], None]
) -> None:
    (bundle(bundles, 2) / path).unlink()
    put(bundle(bundles, 2) / path)
    found = {(finding.kind.value, finding.where) for finding in site.verify(bundles)}
    assert ("file_added", path) in found
    assert ("file_missing", path) in found or path == "SHA256SUMS"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"cycle": "xxxx"}, "seal_malformed"),
        ({"cycle": "0"}, "seal_malformed"),
        ({"cycle": "2026-13"}, "seal_malformed"),
        ({"tenant": "../beta"}, "seal_malformed"),
        ({"number": 0}, "seal_malformed"),
        ({"previous": {"number": 0, "root": "0" * 64}}, "seal_malformed"),
        ({"cycle": "9999-12"}, "signature_bad"),
        ({"number": 10**12}, "signature_bad"),
    ],
)
def test_a_seal_with_absurd_names_and_numbers_ends_no_verification(
    site: Site, bundles: Path, changes: dict[str, Any], kind: str
) -> None:
    reseal(bundle(bundles, 3), **changes)
    found = site.verify(bundles)
    assert kind in {finding.kind.value for finding in found}
    assert len(found) < 100
    # A month is believed only where the signature holds.
    assert "month_missing" not in {finding.kind.value for finding in found}


def test_the_instructions_alone_verify_a_bundle(site: Site, bundles: Path) -> None:
    for number in (1, 2, 3):
        done = run_instructions(bundle(bundles, number), site.signers)
        assert done.returncode == 0, done.stderr
        assert 'Good "bankops-fleet-seal" signature for seal@alpha' in done.stdout
        assert 'Good "bankops-fleet-approval" signature for alice' in done.stdout


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "ledger.jsonl").open("ab").write(b"{}\n"),
        lambda folder: (folder / "hosts/web1.json").unlink(),
        lambda folder: (folder / "notes.txt").write_text("x"),
        lambda folder: (folder / "a\nb").write_text("x"),
        lambda folder: reseal(folder, number=9),
        lambda folder: (folder / "SHA256SUMS.sig").unlink(),
    ],
    ids=["changed", "removed", "added", "added with a strange name", "sums written anew", "unsigned"],
)
def test_the_instructions_alone_find_a_bad_bundle(site: Site, bundles: Path, spoil: Callable[[Path], object]) -> None:
    spoil(bundle(bundles, 2))
    assert run_instructions(bundle(bundles, 2), site.signers).returncode != 0


def _two_names(folder: Path) -> None:
    (folder / "approvals" / "9.json\n..approvals").mkdir()
    (folder / "approvals" / "9.json\n..approvals" / "9.json").write_text("forged")


@pytest.mark.parametrize(
    "forge",
    [_two_names, lambda folder: (folder / "evil\n..evil").write_text("x"), lambda folder: os.mkfifo(folder / "pipe")],
    ids=["a folder with two names", "a file with two names", "a pipe"],
)
def test_the_instructions_alone_find_names_that_pass_for_others(
    site: Site, bundles: Path, forge: Callable[[Path], object]
) -> None:
    forge(bundle(bundles, 1))
    done = run_instructions(bundle(bundles, 1), site.signers)
    assert done.returncode != 0
    assert "Good" not in done.stdout


def test_the_instructions_alone_find_another_key(site: Site, bundles: Path, tmp_path: Path) -> None:
    own = bundle(bundles, 2) / "allowed_signers.seal"
    other = tmp_path / "signers"
    other.write_text(own.read_text().replace("seal@alpha", "seal@beta"))
    assert run_instructions(bundle(bundles, 2), other).returncode != 0
