# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report says what the ledger proves, on the console and as a page; nothing more, and nothing less."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.collect import failed_requests
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import summarise

REPOSITORY = Path(__file__).parents[5]
OPENSSL = ("openssl", "3.0.15-1~deb12u1", "3.0.17-1~deb12u3", ["CVE-2024-9143"])
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


# What a host said is no reason to have no report


MALFORMED: dict[str, tuple[Phase, dict[str, Any]]] = {
    "versions that are texts": (Phase.APPLY, {"before": "no", "after": ["x"]}),
    "a version that is a list": (Phase.APPLY, {"before": {}, "after": {"openssl:amd64": ["3"]}}),
    "versions before that are a list": (Phase.ROLLBACK, {"before": ["x"], "after": {}}),
    "seconds that are a text": (Phase.VERIFY, {"task": {"seconds": "long"}}),
    "seconds beyond any time": (Phase.VERIFY, {"task": {"seconds": 1e30}}),
    "seconds before the beginning": (Phase.VERIFY, {"task": {"seconds": -1}}),
    "a task that is a text": (Phase.VERIFY, {"task": "the task"}),
    "updates that appeared, as a number": (Phase.PREFLIGHT, {"appeared": 3}),
    "updates that appeared, as texts": (Phase.PREFLIGHT, {"appeared": ["nginx"]}),
    "an update without a name": (Phase.PREFLIGHT, {"appeared": [{"version": "1"}]}),
    "CVEs as a list": (Phase.STAGE, {"cves": ["CVE-2024-9143"]}),
    "CVEs that are dictionaries": (Phase.STAGE, {"cves": {"openssl": [{"id": 1}, None]}}),
    "CVEs as a number": (Phase.STAGE, {"cves": {"openssl": 3}}),
    "a way back that is a text": (Phase.STAGE, {"rollback": "yes"}),
    "no way back, as numbers": (Phase.STAGE, {"rollback": {"cannot": [1, 2]}}),
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_malformed_evidence_is_a_trouble_and_prevents_no_report(book: Any, malformed: str) -> None:
    phase, data = MALFORMED[malformed]
    book.freeze({"web1": {"updates": [OPENSSL]}, "web2": {"updates": [OPENSSL]}}, [["web1", "web2"]])
    book.open()
    for _twice in range(2):
        book.write("web1", phase, EntryOutcome.CHANGED, data)
    for host in ("web1", "web2"):
        book.patch(host, [OPENSSL])
    book.close()
    report = book.report()
    assert report.ledger.ok
    assert report.counts["verified"] == 2
    assert report.troubles == (f"the evidence of web1's {phase.value} is malformed",)
    assert {host.host: len(host.changes) for host in report.hosts} == {"web1": 1, "web2": 1}
    assert report.troubles[0] in console.render(report)
    assert report.troubles == book.document().troubles
    lines, summary = summarise(book.state, "north", book.plan)
    assert "CVE-2024-9143" in Path(summary).read_text()
    assert lines


@pytest.mark.parametrize("field", ["time", "data", "attempt", "outcome"])
def test_a_planted_entry_that_is_malformed_itself_breaks_the_chain_and_prevents_no_report(
    mixed: Any, field: str
) -> None:
    ledger = next(mixed.state._root.rglob("ledger.jsonl"))
    *before, last = ledger.read_bytes().splitlines()
    judged = next(line for line in before if b'"phase":"outcome"' in line)
    planted = {**json.loads(judged), field: ["planted"]}
    ledger.write_bytes(b"\n".join([*before, json.dumps(planted).encode(), last]) + b"\n")
    report = mixed.report()
    assert not report.ledger.ok
    assert f"the evidence of {planted['host']}'s outcome is malformed" in report.troubles
    assert mixed.page()


# A refusal makes nothing better


Story = list[tuple[str, Any]]
STORIES: dict[str, Story] = {
    "verified": [("open", None), ("begin", None), ("judge", "verified")],
    "never begun": [("open", None), ("judge", "not_attempted")],
    "failed, then not begun again": [
        ("open", None),
        ("begin", None),
        ("judge", "failed"),
        ("open", None),
        ("judge", "not_attempted"),
    ],
    "unreachable, refused, then verified": [
        ("open", None),
        ("judge", "unreachable"),
        ("open", None),
        ("refuse", None),
        ("judge", "not_attempted"),
        ("open", None),
        ("begin", None),
        ("judge", "verified"),
    ],
    "skipped, then skipped for another reason": [
        ("open", None),
        ("judge", "skipped"),
        ("open", None),
        ("refuse", None),
        ("judge", "skipped"),
    ],
    "not begun twice": [("open", None), ("judge", "not_attempted"), ("open", None), ("judge", "not_attempted")],
    "rolled back, then the preflight was refused": [
        ("open", None),
        ("begin", None),
        ("judge", "rolled_back"),
        ("open", None),
        ("refuse", None),
        ("judge", "not_attempted"),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_the_report_and_the_guards_read_the_same_outcome(book: Any, story: str) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    for number, (step, value) in enumerate(STORIES[story]):
        tell(book, step, value, f"reason {number}")
    host, progress = book.report().hosts[0], book.progress()
    guarded = progress.outcomes["web1"]
    assert not progress.in_the_middle("web1")
    assert (host.outcome, host.in_service, host.reason) == (guarded.outcome, guarded.in_service, guarded.reason)


@pytest.mark.parametrize("earlier", [[], ["not_attempted"], ["skipped"], ["unreachable"]])
@pytest.mark.parametrize("later", [[], ["not_attempted"]])
def test_a_host_in_the_middle_of_its_change_is_in_service_for_nobody(
    book: Any, earlier: list[str], later: list[str]
) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    for outcome in earlier:
        tell(book, "open", None)
        tell(book, "judge", outcome)
    tell(book, "open", None)
    tell(book, "begin", None)
    for outcome in later:
        tell(book, "open", None)
        tell(book, "judge", outcome)
    host = book.report().hosts[0]
    assert book.progress().in_the_middle("web1")
    assert host.in_service == "unknown"
    assert host.outcome in (HostOutcome.FAILED, HostOutcome.NOT_ATTEMPTED)


def tell(book: Any, step: str, value: Any, reason: str = "") -> None:
    """A step of a story: an attempt is opened (the one before is closed), a host is begun, refused or judged."""
    if step == "open":
        if book.attempt:
            book.close()
        book.open()
    elif step == "begin":
        book.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    elif step == "refuse":
        book.write("web1", Phase.PREFLIGHT, EntryOutcome.FAILED, {"msg": "the stop file is there"})
    else:
        service = "yes" if value in ("verified", "not_attempted", "skipped") else "unknown"
        book.judge("web1", HostOutcome(value), service, reason)


def test_a_refusal_of_a_later_attempt_is_a_note(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    book.patch("web1", [OPENSSL], HostOutcome.FAILED, in_service="no", reason="not up after 60 s")
    book.close()
    book.open()
    book.judge("web1", HostOutcome.NOT_ATTEMPTED, reason="the failure budget is spent")
    book.close()
    host = book.report().hosts[0]
    assert (host.outcome, host.in_service, host.reason) == ("failed", "no", "not up after 60 s")
    assert host.notes == ("a later attempt did not begin it: the failure budget is spent",)
    assert host.seconds == 40.0


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


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("commands", ["of the page", "first of the documentation", "second of the documentation"])
def test_the_commands_that_readers_are_given_check_the_ledger(mixed: Any, commands: str, damaged: bool) -> None:
    report = mixed.report()
    ledger = next(mixed.state._root.rglob("ledger.jsonl"))
    if damaged:
        ledger.write_bytes(ledger.read_bytes().replace(b'"in_service":"no"', b'"in_service":"yes"'))
    blocks = re.findall(r"```shell\n(.*?)```", (REPOSITORY / "docs" / "evidence.md").read_text(), re.DOTALL)
    page = Page(mixed.page()).text
    scripts = {
        "of the page": page[page.index("sha256sum plan.json") : page.index("\nEND") + 5],
        "first of the documentation": blocks[0],
        "second of the documentation": blocks[1],
    }
    done = subprocess.run(
        ["bash", "-c", scripts[commands]], cwd=ledger.parent, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    if damaged:
        assert "AssertionError: line" in said or "changed: {" in said
    else:
        assert f"last hash {report.ledger.head}" in said
        assert "changed: {" not in said
        assert "does not follow" not in said
    if commands != "second of the documentation":
        assert f"{report.plan}  plan.json" in said


class Page(HTMLParser):
    """What a browser would see of a page: its tags, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_everything_in_it(mixed: Any) -> None:
    page = Page(mixed.page(user_requests={"north": {"requests": 12345, "failed": 0}}))
    assert page.open == []
    for word in ("web1", "rolled back", "1.22.1-9+deb12u3", "CVE-2025-23419", "database team", "12345", "operator"):
        assert word in page.text, word
    assert mixed.report().ledger.head in page.text


def test_what_comes_from_outside_is_shown_as_text(book: Any, mixed: Any) -> None:
    own = [tag for tag, _attributes in Page(mixed.page()).tags if tag == "script"]
    updates = [(f"nginx{EVIL}", EVIL, '"><img src=x onerror=alert(1)>', [f"CVE-{EVIL}"])]
    hold = {
        "package": EVIL,
        "owner": EVIL,
        "reason": EVIL,
        "expires": "2026-12-01",
        "expired": True,
        "updates": [EVIL],
    }
    book.freeze({EVIL: {"updates": updates, "wave": EVIL}}, [[EVIL]], holds=[hold], left=[(EVIL, EVIL, EVIL)])
    book.open(provenance={"user": EVIL, "host": EVIL, "revision": EVIL}, limit=[EVIL])
    book.patch(EVIL, updates)
    book.judge(EVIL, HostOutcome.FAILED, in_service="no", reason=f"{EVIL}{{{{ 7 * 7 }}}}")
    book.close()
    rendered = book.page(user_requests={"north": {EVIL: EVIL, "failed": EVIL}})
    page = Page(rendered)
    assert [tag for tag, _attributes in page.tags if tag in ("script", "img")] == own
    assert all("onerror" not in attributes for _tag, attributes in page.tags)
    assert EVIL not in rendered
    assert "{{ 7 * 7 }}" in page.text


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
