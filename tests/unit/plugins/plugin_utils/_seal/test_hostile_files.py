# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever lies in one bundle, all others are judged, and what is told is text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal import verification
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.console import render
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.people import check_people
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.verification import Verification, verify_evidence
from ansible_collections.bankops.fleet.tests.fakes.forging import bundle, reseal
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site, utc_now

EARLIEST, LATEST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
DEEP = 1010
"""Nested so far, JSON is read and cannot be written again."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three months of tenant alpha, sealed."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.history()
    return made


@pytest.fixture
def bundles(site: Site, tmp_path: Path) -> Iterator[Path]:
    """A copy of what was sealed, for a test to spoil."""
    shutil.copytree(site.bundles, tmp_path / "bundles")
    yield tmp_path / "bundles"
    # Python's own rmtree goes no deeper than it calls itself.
    subprocess.run(["rm", "-r", str(tmp_path / "bundles")], check=True)


def verified(site: Site, folder: Path) -> Verification:
    wanted = verification.Wanted(site.signers, None, [], [], None, utc_now())
    return verify_evidence(folder, None, wanted)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def approval(key: str, value: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "approvals/1.json"
        path.write_bytes(canonical({**json.loads(path.read_bytes()), key: value}))

    return spoil


def sealed(value: str) -> Callable[[Path], None]:
    return lambda folder: reseal(folder, sealed=value)


def attempts_in(depth: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        reseal(folder, attempts=["here"])
        path = folder / "seal.json"
        path.write_bytes(path.read_bytes().replace(b'"here"', nested(depth)))

    return spoil


def folders_in(depth: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        inner = os.open(folder / "reports", os.O_RDONLY)
        for _level in range(depth):
            os.mkdir("d", dir_fd=inner)
            outer, inner = inner, os.open("d", os.O_RDONLY, dir_fd=inner)
            os.close(outer)
        os.close(os.open("x", os.O_CREAT, dir_fd=inner))
        os.close(inner)

    return spoil


def put(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "kind", "where"),
    [
        (approval("created", EARLIEST), "approval_invalid", "approvals/1.json"),
        (approval("expires", LATEST), "approval_invalid", "approvals/1.json"),
        (put("approvals/1.json", nested(DEEP)), "approval_invalid", "approvals/1.json"),
        (sealed("0001-01-01T00:00:00+23:59"), "seal_malformed", "seal.json"),
        (sealed("9999-12-31T23:59:59Z"), "seal_malformed", "seal.json"),
        (sealed("2026-11-29T19:40:00+00:00"), "seal_malformed", "seal.json"),
        (sealed("2026-11-29T19:40:00.000Z"), "seal_malformed", "seal.json"),
        (attempts_in(DEEP), "seal_malformed", "seal.json"),
        (put("seal.json", nested(100_000)), "seal_malformed", "seal.json"),
        (put("ledger.jsonl", nested(DEEP) + b"\n"), "ledger_broken", "ledger.jsonl"),
        (put("allowed_signers.approvals", b"\xff"), "file_changed", "allowed_signers.approvals"),
        (folders_in(1200), "file_added", f"reports/{'d/' * 1200}x"),
        (folders_in(3000), "bundle_malformed", None),
    ],
)
def test_one_hostile_file_is_a_finding_and_hides_nothing_in_other_bundles(
    site: Site, bundles: Path, spoil: Callable[[Path], object], kind: str, where: str | None
) -> None:
    spoil(bundle(bundles, 2))
    (bundle(bundles, 3) / "reports/report.html").write_text("all is well")
    found = site.verify(bundles)
    assert (kind, where) in {(each.kind.value, where and each.where) for each in found}
    assert ("seal 3", "file_changed") in {(each.subject, each.kind.value) for each in found}


def test_an_error_that_nobody_foresaw_is_a_finding_that_names_the_file(
    site: Site, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(checked: Any, *given: Any) -> Any:
        yield from check_people(checked, *given)
        if checked.seal.number == 2:
            raise MemoryError("x" * 10_000)

    monkeypatch.setattr(verification, "check_people", fall)
    (bundle(bundles, 3) / "reports/report.html").write_text("all is well")
    first, second = site.verify(bundles)
    assert (first.kind, first.subject, first.where) == ("bundle_malformed", "seal 2", "approvals/1.sig")
    assert len(first.what) < 300
    assert (second.kind, second.subject) == ("file_changed", "seal 3")


def test_a_program_that_is_missing_is_no_fault_of_a_bundle(
    site: Site, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FleetError) as refused:
        site.verify(bundles)
    assert refused.value.kind == "command_missing"


def test_hours_without_end_hold_no_longer_than_any_time_can_be_written(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Site(tmp_path / "other")
    policy = other.policy()
    monkeypatch.setattr(other, "policy", lambda _approval: {**policy, "approval_hours": 10**12})
    other.seal(other.patched())
    assert other.verify() == []


def test_a_ledger_of_the_state_that_is_nested_beyond_measure_ends_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    books = [site.freeze("alpha", cycle) for cycle in ("2026-10", "2026-11")]
    for book, text in zip(books, (nested(DEEP), b'"0001-01-01T00:00:00+14:00"'), strict=True):
        ledger = tmp_path / f"state/tenants/alpha/plans/{book.plan}/ledger.jsonl"
        entry = json.loads(ledger.read_bytes())
        line = canonical({**entry, "seq": 2, "prev": entry["hash"], "time": "here"})
        ledger.write_bytes(ledger.read_bytes() + line.replace(b'"here"', text) + b"\n")
    found = {(each.kind.value, each.subject) for each in site.verify(state=True)}
    assert found == {("ledger_broken", f"plan {book.plan[:16]} of cycle {book.head['cycle']}") for book in books}


def test_a_plan_of_the_state_that_has_not_its_shape_ends_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.state.write_plan("alpha") as writer:
        plan = writer.finish({"format": 1, "tenant": "alpha", "cycle": "2026-11", "expires": "never", "hosts": {}})
    site.state.put_cycle("2026-11", [{"tenant": "alpha", "plan": plan}])
    (finding,) = site.verify(state=True)
    assert (finding.kind, finding.subject) == ("plan_changed", f"plan {plan[:16]} of cycle 2026-11")


def test_what_is_told_is_text_whatever_names_files_have(site: Site, bundles: Path) -> None:
    os.close(os.open(os.fsencode(bundle(bundles, 3)) + b"/reports/x\xff\x1b[2J.html", os.O_CREAT))
    os.rename(bundle(bundles, 3), os.fsencode(bundles) + b"/alpha/\xff")
    found = verified(site, bundles)
    told = json.dumps([*(each.as_data() for each in found.findings), *(each.as_data() for each in found.bundles)])
    assert "reports/x??[2J.html" in told
    assert "\\u" not in told
    assert all(line.isprintable() for line in render(found, "here", with_state=False))


def test_an_empty_folder_in_a_bundle_is_named(site: Site, bundles: Path) -> None:
    (bundle(bundles, 2) / "reports/extra").mkdir()
    (finding,) = site.verify(bundles)
    assert (finding.kind, finding.where) == ("file_added", "reports/extra")


def test_what_lies_beside_the_bundles_and_was_not_looked_at_is_noted(site: Site, bundles: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle(bundles, 3), bundles / "alpha/.copy")
    shutil.copytree(bundles / "alpha", bundles / ".beta")
    moved, last = tmp_path / "elsewhere", bundle(bundles, 3)
    last.rename(moved)
    last.symlink_to(moved)
    found = verified(site, bundles)
    assert found.findings == ()
    assert [line for line in render(found, "here", with_state=False) if line.startswith("NOTE: ")] == [
        f"NOTE: {bundles}/.beta was not looked at: its name begins with a dot",
        f"NOTE: {bundles}/alpha/.copy was not looked at: its name begins with a dot",
        f"NOTE: {last} is a link; what was looked at lies elsewhere",
    ]


def test_one_finding_is_one_finding(site: Site, bundles: Path) -> None:
    (bundle(bundles, 2) / "notes.txt").write_text("x")
    lines = render(verified(site, bundles / "alpha"), "here", with_state=False)
    assert ": 1 finding; NOTE: " in lines[1]
    assert lines[-1] == "here: 3 bundles verified, alone, without the state: 1 finding."
