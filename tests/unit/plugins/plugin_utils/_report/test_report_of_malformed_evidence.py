# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host said is no reason to have no report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import summarise

from .conftest import OPENSSL

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
    assert summary
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
