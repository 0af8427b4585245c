# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence of a look: in the ledger while that is open, beside the plan afterwards, and each tenant's alone."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import (
    Finding,
    Looked,
    Row,
    TenantCoverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.records import (
    REPORT,
    Recorded,
    record_coverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import facts_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import build
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle
from ansible_collections.bankops.fleet.tests.fakes.sealing import put_seal
from ansible_collections.bankops.fleet.tests.fakes.sensors import instance
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._approval.conftest import publish

READ = [{"inventory": "fleet.multicloud.yml", "read": "2026-11-15T21:00:00Z"}]
LOOKED = Looked(
    "2026-11-15T22:00:00Z",
    7,
    2410,
    [{"source": "falcon", "cid": "f" * 32, "sensors": 2410}],
    ["source aws: throttled"],
    READ,
)
WHO = {"user": "deploy", "host": "controller1"}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return publish(tmp_path / "state", "alpha")


def coverage_of(book: Book, why: str = "it runs, and no sensor has its identity") -> TenantCoverage:
    row = Row(Finding.UNPROTECTED, "web3", "web3", instance(3), why)
    return TenantCoverage("alpha", book.plan, "2026-11", machines=3, running=3, planned=2, protected=2, rows=[row])


def recorded_in(book: Book) -> list[dict[str, Any]]:
    return [entry for entry in read_entries(book.state.entries("alpha", book.plan)) if entry["phase"] == "coverage"]


def test_what_was_found_is_an_entry_of_the_plan_and_of_no_attempt(book: Book) -> None:
    assert record_coverage(book.state, coverage_of(book), LOOKED, WHO) is Recorded.LEDGER
    [entry] = recorded_in(book)
    assert (entry["attempt"], entry["host"], entry["outcome"]) == (0, None, "ok")
    found = entry["data"]["coverage"]
    assert found["counts"] == {"unprotected": 1, "unmanaged": 0, "stale": 0, "duplicate": 0, "gone": 0, "unknown": 0}
    assert found["findings"][0]["instance_id"] == instance(3)[2]
    assert (found["read"], found["stale_days"], found["sensors_were_read"]) == (LOOKED.read, 7, True)
    assert found["incomplete"] == ["source aws: throttled"]
    assert found["inventory"] == READ
    assert entry["data"]["provenance"] == WHO
    assert verify(book.state.entries("alpha", book.plan)).ok


def test_it_says_nothing_of_other_tenants(book: Book) -> None:
    record_coverage(book.state, coverage_of(book), LOOKED, WHO)
    assert not {"2410", "f" * 32} & set(json.dumps(recorded_in(book)).replace('"', " ").replace(",", " ").split())


def test_it_changes_neither_what_is_reported_nor_what_is_sent(book: Book) -> None:
    before = facts_of(book.state, "alpha", book.plan)
    record_coverage(book.state, coverage_of(book), LOOKED, WHO)
    assert facts_of(book.state, "alpha", book.plan) == before


def test_a_sealed_ledger_stays_and_what_is_found_later_stands_beside_it(book: Book) -> None:
    record_coverage(book.state, coverage_of(book), LOOKED, WHO)
    put_seal(book)
    before = list(book.state.entries("alpha", book.plan))
    for why in ("first", "password=hunter22"):
        assert record_coverage(book.state, coverage_of(book, why), LOOKED, WHO) is Recorded.REPORT
    assert list(book.state.entries("alpha", book.plan)) == before
    document = json.loads(book.state.get_report("alpha", book.plan, REPORT))
    assert (document["format"], document["tenant"], document["plan"]) == (1, "alpha", book.plan)
    assert [each["coverage"]["findings"][0]["why"] for each in document["coverages"]] == [
        "first",
        "password=[redacted]",
    ]


def test_a_report_that_somebody_changed_is_not_written_over(book: Book) -> None:
    put_seal(book)
    book.state.put_report("alpha", book.plan, REPORT, b'{"format": 2, "coverages": []}')
    with pytest.raises(FleetError, match="is not as this version writes it") as refused:
        record_coverage(book.state, coverage_of(book), LOOKED, WHO)
    assert refused.value.kind == "coverage_damaged"


def test_a_tenant_without_a_plan_has_no_record(book: Book) -> None:
    assert record_coverage(book.state, TenantCoverage("beta"), LOOKED, WHO) is Recorded.NOWHERE


def test_reports_take_no_notice_of_it(tmp_path: Path) -> None:
    plan = put_cycle(tmp_path, "alpha", "2026-11", hosts=15)
    state, now = FolderState(tmp_path), datetime(2026, 11, 20, tzinfo=timezone.utc)
    before = build(state, Wanted(ScopeKind.TENANT, ("alpha",)), now)
    record_coverage(state, TenantCoverage("alpha", plan, "2026-11"), LOOKED, WHO)
    after = build(state, Wanted(ScopeKind.TENANT, ("alpha",)), now)
    assert after.plans[0].entries == before.plans[0].entries + 1
    assert after.plans[0].ledger_ok
    assert (after.hosts, after.plans[0].troubles) == (before.hosts, before.plans[0].troubles)
