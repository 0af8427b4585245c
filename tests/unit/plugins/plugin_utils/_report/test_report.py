# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report says what the ledger proves, on the console and as a page; nothing more, and nothing less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.collect import failed_requests

from .conftest import OPENSSL

REPOSITORY = Path(__file__).parents[5]
EVIL = "<script>alert('x')</script>"


def test_every_host_is_counted_once(mixed: Any) -> None:
    report = mixed.report()
    assert report.counts == {
        "unreachable": 0,
        "failed": 1,
        "rolled_back": 1,
        "verified": 2,
        "unchanged": 1,
        "skipped": 1,
        "not_attempted": 1,
    }
    assert sum(report.counts.values()) == len(report.hosts) == 7


def test_versions_are_those_that_were_read_on_the_host(mixed: Any) -> None:
    hosts = {host.host: host for host in mixed.report().hosts}
    verified = {change.package: (change.before, change.after) for change in hosts["web1"].changes}
    assert verified["nginx:amd64"] == ("1.22.1-9", "1.22.1-9+deb12u3")
    assert hosts["web1"].rebooted
    assert not any(change.changed for change in hosts["web2"].changes)
    assert hosts["web3"].changes == ()


def test_durations_come_from_the_ledger(mixed: Any) -> None:
    host = next(host for host in mixed.report().hosts if host.host == "web1")
    # From the start of the preflight (2 s before its entry) to the outcome; from drained to returned.
    assert (host.seconds, host.away_seconds) == (42.0, 37.0)


def test_a_cve_is_closed_only_where_the_host_was_verified_and_the_version_changed(mixed: Any) -> None:
    closed = {cve.cve: cve.hosts for cve in mixed.report().cves}
    assert closed == {
        "CVE-2022-24903": ("web1",),  # found in a changelog while staging
        "CVE-2024-9143": ("kv1", "web1"),
        "CVE-2025-9230": ("kv1", "web1"),
        "CVE-2025-23419": ("web1",),
    }


def test_unknown_cves_are_counted_and_not_taken_for_none(book: Any) -> None:
    strange = [("rsyslog", "1", "2", "unknown")]
    book.freeze({"web1": {"updates": strange}}, [["web1"]])
    book.open()
    book.patch("web1", strange)
    book.close()
    report = book.report()
    assert (report.cves, report.unknown_cves) == ((), 1)
    assert "those of 1 changes are not known" in console.render(report)


def test_what_was_not_applied_is_listed_with_its_reason(mixed: Any) -> None:
    report = mixed.report()
    assert {(update.package, update.reason, len(update.hosts)) for update in report.left} == {
        ("postgresql-15", "held", 7),
        ("libxml2", "too_young", 7),
        ("tzdata", "not_security", 7),
    }
    assert [(hold.owner, hold.expires, len(hold.hosts)) for hold in report.holds] == [
        ("database team", "2027-01-31", 7)
    ]


def test_attempts_say_who_and_from_where(mixed: Any) -> None:
    stage, apply = mixed.report().attempts
    assert (stage.purpose, stage.who, stage.dirty) == ("stage", "deploy", False)
    assert (apply.purpose, apply.who, apply.dirty, apply.job) == ("apply", "operator (as deploy)", True, "4711")


def test_what_needs_attention_is_said(mixed: Any) -> None:
    report = mixed.report(user_requests={"requests": 100, "failed": 2})
    assert not any("web1" in trouble or "app1" in trouble for trouble in report.troubles)
    assert "kv2: failed, out of service: return to service: not up after 60 s" in report.troubles
    assert "failed requests of users: 2" in report.troubles
    assert report.verdict.startswith("4 of 7 hosts need attention")
    assert [host.host for host in report.hosts] == ["web2", "kv2", "web3", "old1", "web1", "kv1", "app1"]


def test_a_cycle_without_trouble(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}, "app1": {"decision": "unchanged"}}, [["web1"]])
    book.open()
    book.judge("app1", HostOutcome.UNCHANGED)
    book.patch("web1", [OPENSSL])
    book.close()
    report = book.report(user_requests={"requests": 100, "failed": 0, "etcd_writes": 7, "etcd_failed": 0})
    assert report.troubles == ()
    assert report.verdict == "All is well: 1 of 2 hosts were patched and verified, 1 needed no change."
    printed = console.render(report)
    assert "1 verified + 1 unchanged = 2 hosts" in printed
    assert "0 failed" in printed
    assert "needs attention" not in printed


def test_hosts_that_wait_as_planned_need_nobodys_attention(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}, "web2": {"updates": [OPENSSL]}}, [["web1"], ["web2"]])
    book.open(limit=["web1"])
    book.patch("web1", [OPENSSL])
    waiting = {"in_service": "yes", "reason": "outside the limit of this attempt", "holds": [], "waiting": True}
    book.write("web2", Phase.OUTCOME, HostOutcome.NOT_ATTEMPTED, waiting)
    book.close()
    report = book.report()
    assert report.troubles == ()
    assert report.verdict == "All is well: 1 of 2 hosts were patched and verified; waiting: 1 hosts."
    assert "waiting: 1 hosts" in console.render(report)
    assert [host.host for host in report.hosts if host.well] == ["web1"]


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [
        (HostOutcome.NOT_ATTEMPTED, {"waiting": "true"}),
        (HostOutcome.NOT_ATTEMPTED, {"in_service": "unknown"}),
        (HostOutcome.FAILED, {}),
    ],
)
def test_only_a_host_in_service_that_was_left_alone_waits(
    book: Any, outcome: HostOutcome, changes: dict[str, Any]
) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    said = {"in_service": "yes", "reason": "soaking", "holds": [], "waiting": True, **changes}
    book.write("web1", Phase.OUTCOME, outcome, said)
    book.close()
    assert book.report().waiting == 0


def test_before_any_attempt_no_host_was_attempted(book: Any) -> None:
    old = {"decision": "skipped", "reason": "the host has neither apt nor dnf"}
    book.freeze({"web1": {"updates": [OPENSSL]}, "old1": old}, [["web1"]])
    report = book.report()
    assert report.counts["not_attempted"] == 2
    assert report.troubles == (
        "web1: not attempted, in service: no attempt has come to it",
        "old1: not attempted, in service: planned as skipped: the host has neither apt nor dnf",
    )


def test_a_host_that_was_begun_and_never_judged_has_failed(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    book.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    report = book.report()
    assert report.hosts[0].outcome is HostOutcome.FAILED
    assert "attempt 1 (apply) by deploy was not closed" in report.troubles


def test_check_mode_proves_nothing(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open(check_mode=True)
    book.write("web1", Phase.APPLY, EntryOutcome.CHANGED, {"before": {}, "after": {"openssl:amd64": "2"}})
    book.close()
    report = book.report()
    assert report.counts["not_attempted"] == 1
    assert report.hosts[0].changes == ()


def test_an_entry_that_was_never_written_whole_is_a_trouble_until_an_attempt_was_closed_in_order(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    book.patch("web1", [OPENSSL])
    ledger = next(book.state._root.rglob("ledger.jsonl"))
    ledger.write_bytes(ledger.read_bytes() + b'{"seq":')
    assert "entries of the ledger that were never written whole, and lie beside it: 1" in book.report().troubles
    book.write(None, Phase.CLOSE, EntryOutcome.FAILED, {"reason": "its process ended without closing it"})
    assert "entries of the ledger that were never written whole, and lie beside it: 1" in book.report().troubles
    book.open()
    book.close()
    report = book.report()
    assert report.troubles == ()
    assert "never written whole, and beside it: 1" in console.render(report)


def test_a_broken_ledger_is_said_loudly(mixed: Any) -> None:
    ledger = next(mixed.state._root.rglob("ledger.jsonl"))
    ledger.write_bytes(ledger.read_bytes().replace(b'"in_service":"no"', b'"in_service":"yes"'))
    report = mixed.report()
    assert not report.ledger.ok
    assert "THE CHAIN IS BROKEN" in console.render(report)
    assert not mixed.document().plans[0].ledger_ok


@pytest.mark.parametrize(
    ("counts", "failures"),
    [
        (None, None),
        ({"requests": 9, "failed": 0}, 0),
        ({"failed": 1, "etcd_failed": 2}, 3),
        ({"requests": 9}, 1),
        ({"failed": "unknown"}, 1),
        ({"failed": None}, 1),
    ],
)
def test_requests_that_nobody_could_count_are_not_taken_for_served(
    counts: dict[str, Any] | None, failures: int | None
) -> None:
    assert failed_requests(counts) == failures


def test_a_large_fleet_shows_the_hosts_that_need_attention(book: Any) -> None:
    names = [f"web{number:03}" for number in range(100)]
    book.freeze({name: {"updates": [OPENSSL]} for name in names}, [names])
    book.open()
    for name in names:
        book.judge(name, HostOutcome.VERIFIED)
    book.judge("web042", HostOutcome.FAILED, in_service="no", reason="x")
    printed = console.render(book.report())
    assert "web042" in printed
    assert "web041" not in printed
    assert "99 hosts that are well" in printed


def test_what_comes_from_outside_does_not_steer_the_terminal(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    book.judge("web1", HostOutcome.FAILED, in_service="no", reason="red \x1b[31m and \r overwritten")
    printed = console.render(book.report(user_requests={"fail\x1b[0med": 1, "failed": 1}))
    assert "\x1b" not in printed
    assert "\r" not in printed


def test_overrides_are_in_every_report(book: Any) -> None:
    override = {"gate": "disk", "owner": "operations", "reason": EVIL, "expires": "2026-12-31"}
    full = {"name": "disk", "verdict": "block", "evidence": "/ is full"}
    said = {key: value for key, value in override.items() if key != "gate"}
    book.freeze(
        {"web1": {"updates": [OPENSSL]}, "web2": {"updates": [OPENSSL]}},
        [["web1"], ["web2"]],
        overrides=[override],
        gates=[{**full, "override": said}],
    )
    report = book.report()
    (found,) = report.overrides
    assert (found.gate, found.owner, found.expires, found.hosts) == (
        "disk",
        "operations",
        "2026-12-31",
        ("web1", "web2"),
    )
    assert found.effect == "lets through block: / is full"
    lines = console.render(report).splitlines()
    assert f"override of disk by operations until 2026-12-31 ({EVIL}): {found.effect}: web1, web2" in lines
    (row,) = book.document().exceptions
    assert (row.kind, row.subject, row.reason, row.expired) == ("override", "disk", EVIL, False)
    assert [(gate.gate, gate.overridden) for gate in book.document().gates] == [("disk", True)]
    assert EVIL not in book.page()
