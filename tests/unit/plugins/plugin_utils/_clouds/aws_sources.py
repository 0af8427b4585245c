# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of AWS before a fake of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws import AwsSource, read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import Application, Front, serving

FILE = "fleet.multicloud.yml"
SERVICES = ("ec2", "organizations", "ssm", "sts")


@cache
def _loader() -> Any:
    """The models of services, which take longer to load than most tests."""
    from botocore.loaders import Loader

    return Loader()


def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing of AWS that whoever runs the tests has, and no way to a machine's own credentials."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("botocore.loaders.create_loader", lambda _path=None: _loader())


@contextmanager
def aws_before(answers: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """The front of an AWS that knows the credentials of the environment; in the end it was asked nothing improper."""
    clean_environment(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environments-secret")
    with serving(Front(answers)) as front:
        yield front
    assert not front.violations


def source(front: Front | None, *, raw: bool = False, **options: Any) -> AwsSource:
    """A source with these options, that asks the front for everything."""
    if front:
        options = {"endpoints": dict.fromkeys(SERVICES, front.url), **options}
    faults = Faults(FILE)
    entry = Entry(faults, "sources[0]", options)
    found = read_source(entry, "production", raw=raw)
    entry.refuse_others()
    faults.refuse()
    return found


def read(source: AwsSource, seconds: float = 30) -> list[Machine]:
    """All machines of a source."""
    deadline = Deadline.after(seconds)
    return [machine for scope in source.scopes(deadline) for machine in source.machines(scope, deadline)]
