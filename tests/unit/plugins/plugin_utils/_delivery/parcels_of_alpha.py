# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Destinations, reports and parcels as the tests of deliveries need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import Brief, brief_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import (
    Destination,
    read_destinations,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.parcels import (
    Parcel,
    Reports,
    parcels,
    read_reports,
)
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document

PLAN = "ab" * 32
WEBHOOK = "https://hooks.example/services/T000/B000/sEcReTpArT"
EMAIL = {
    "name": "officers",
    "type": "email",
    "tenants": ["alpha"],
    "formats": ["html"],
    "to": ["ann@alpha.example", "bob@alpha.example"],
    "sender": "fleet@bankops.example",
    "server": "mail.bankops.example",
}
S3 = {"name": "archive", "type": "s3", "tenants": ["alpha"], "formats": ["html", "csv"], "bucket": "evidence"}
SLACK = {"name": "operators", "type": "slack", "tenants": ["alpha"], "link": "https://reports.example/alpha"}
TEAMS = {**SLACK, "name": "board", "type": "teams"}
CREDENTIALS = {"operators": {"url": WEBHOOK}, "board": {"url": WEBHOOK}}


def destination(given: dict[str, Any], **more: Any) -> Destination:
    """One checked destination."""
    names = {given["name"]} & set(CREDENTIALS)
    credentials = {name: CREDENTIALS[name] for name in names}
    (made,) = read_destinations([{**given, **more}], credentials, ["alpha", "beta"])
    return made


def brief(*, hostile: bool = False) -> Brief:
    """The brief of an invented report of tenant alpha that is not well."""
    return brief_of(document(tenants=1, hostile=hostile))


def reports(folder: Path, said: Brief | None = None, facts: str = "f" * 64) -> Reports:
    """Reports of tenant alpha, as HTML and as three files of CSV."""
    names = ("report.html", "hosts.csv", "changes.csv", "cves.csv")
    for name in names:
        (folder / name).write_text(f"marker of {name}\n")
    html, *csv = (str(folder / name) for name in names)
    return read_reports("alpha", PLAN, "2026-11", {"html": [html], "csv": csv}, (said or brief()).as_data(), facts)


def parcel(folder: Path, given: dict[str, Any], **more: Any) -> Parcel:
    """What the destination gets of those."""
    (made,) = parcels(reports(folder), [destination(given, **more)])
    return made
