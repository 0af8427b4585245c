# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of Google Cloud before a fake of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp import GcpSource, read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import FakeGoogle
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.server import serving
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import Instance

PROJECT = "payments-prod"


def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing of Google that whoever runs the tests has, and no way to a machine's own credentials."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "GCE_", "GCP_")) or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@contextmanager
def google_before(monkeypatch: pytest.MonkeyPatch, folder: Path, *, proxy: bool = False) -> Iterator[FakeGoogle]:
    """A Google Cloud with the key of a service account in the environment; in the end it was asked nothing improper.

    It is the endpoint that ``source_of`` names, or with ``proxy`` the way to googleapis.com.
    """
    clean_environment(monkeypatch)
    # Nobody waits in a test, but for what a service asks.
    monkeypatch.setattr("random.uniform", lambda _least, _most: 0.0)
    authority = make_authority(folder, "google", ["*.googleapis.com", "*.p.googleapis.com"]) if proxy else None
    with serving(FakeGoogle(), authority.context if authority else None) as google:
        if authority:
            monkeypatch.setenv("HTTPS_PROXY", google.url)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
        else:
            google.tokens.uri = f"{google.url}/token"
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google.tokens.key_file(folder)))
        yield google
        assert google.violations == []


def fleet(google: FakeGoogle, count: int = 2, project: str = PROJECT) -> None:
    """A project with some instances."""
    google.cloud.project(project, *(Instance(f"web-{number}") for number in range(count)))


def source_of(google: FakeGoogle, *, raw: bool = False, **options: Any) -> GcpSource:
    """A source of the project, and of what else the options say."""
    faults = Faults("fleet.multicloud.yml")
    given = {"endpoint": google.url, **({} if "parents" in options else {"projects": [PROJECT]}), **options}
    entry = Entry(faults, "sources[0]", {key: value for key, value in given.items() if value})
    source = read_source(entry, "production", raw=raw)
    entry.refuse_others()
    assert faults.lines == []
    return source


def read(source: GcpSource, seconds: float = 20) -> list[Machine]:
    """All machines of all scopes."""
    deadline = Deadline.after(seconds)
    return [machine for scope in source.scopes(deadline) for machine in source.machines(scope, deadline)]
