# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may stand in an inventory file about Google Cloud; that needs no library."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp import read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults


def faults_of(options: dict[str, Any]) -> str:
    """What is said of options, as one text."""
    faults = Faults("fleet.multicloud.yml")
    entry = Entry(faults, "sources[0]", options)
    read_source(entry, "production", raw=False)
    entry.refuse_others()
    return "\n".join(faults.lines)


@pytest.mark.parametrize(
    "options",
    [
        {"projects": "payments-prod"},
        {"projects": ["payments-prod", "example.com:payments-prod"]},
        {"parents": ["organizations/123456789012", "folders/1"]},
        {"projects": ["payments-prod"], "endpoint": "https://compute-fleet.p.googleapis.com"},
        {"projects": ["payments-prod"], "endpoint": "http://127.0.0.1:8080"},
        {"projects": ["payments-prod"], "impersonate": "fleet@ops-prod.iam.gserviceaccount.com"},
        {"projects": ["payments-prod"], "filter": "(labels.fleet = managed) (status = RUNNING)"},
    ],
)
def test_what_a_source_may_say(options: dict[str, Any]) -> None:
    assert faults_of(options) == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "sources[0].projects: names no project. Name the projects, or with parents"),
        ({"projects": []}, "sources[0].projects: []: names no project"),
        ({"projects": ["Payments"]}, "sources[0].projects: Payments: has not the right form. Write it like 'paym"),
        ({"projects": [123456789012]}, "is no list of texts"),
        ({"projects": ["123456789012"]}, "has not the right form"),
        ({"parents": ["payments"]}, "sources[0].parents: payments: has not the right form. Write it like 'folders/12"),
        ({"projects": "payments-prod", "filters": "x"}, "sources[0].filters: is no option. Did you mean filter?"),
        (
            {"projects": "payments-prod", "endpoint": "http://proxy.example.com"},
            "endpoint: http://proxy.example.com: h",
        ),
        ({"projects": "payments-prod", "endpoint": "https://example.com/compute/v1"}, "has not the right form"),
        ({"projects": "payments-prod", "impersonate": "alice@example.com"}, "impersonate: alice@example.com: has not"),
        ({"projects": "payments-prod", "service_account_file": "k.json"}, "service_account_file: is a credential"),
    ],
)
def test_what_a_source_may_not_say(options: dict[str, Any], expected: str) -> None:
    said = faults_of(options)
    assert expected in said
    assert len(said.splitlines()) == 1
    assert said.startswith("fleet.multicloud.yml: sources[0]")


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_google(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] in ("google", "googleapiclient"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *arguments)

    for name in [each for each in sys.modules if each.partition(".")[0] in ("google", "googleapiclient")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_google)
    source = read_source(Entry(Faults("f"), "s", {"projects": "payments-prod"}), "production", raw=False)
    with pytest.raises(SourceError) as caught:
        source.scopes(Deadline.after(5))
    assert caught.value.kind == "library_missing"
    assert "is not installed" in caught.value.message
    assert caught.value.remedy == "Run pip install -r requirements-gcp.txt of this collection."
