# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of Azure as the tests make and read them: by the real libraries, from a cloud of our own on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure import AzureSource, read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.tests.fakes.authority import Authority, make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.server import serving
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    SUBSCRIPTION,
    TENANT,
    Azure,
    Interface,
    PublicAddress,
    ScaleSet,
    VirtualMachine,
)


@dataclass
class Cloud:
    """A cloud, where it is, and who vouches for its certificate."""

    azure: Azure
    url: str
    authority: Authority

    def source(self, *, raw: bool = False, **options: Any) -> AzureSource:
        """A source as an inventory file describes it."""
        options = {"subscriptions": [SUBSCRIPTION], "endpoint": self.url, "authority": self.url, **options}
        return source(options, raw=raw)

    def read(self, *, raw: bool = False, seconds: float = 20, **options: Any) -> list[Machine]:
        """All machines."""
        found, deadline = self.source(raw=raw, **options), Deadline.after(seconds)
        return [machine for scope in found.scopes(deadline) for machine in found.machines(scope, deadline)]

    def refused(self, *, seconds: float = 20, **options: Any) -> SourceError:
        """Why it cannot be read. Nothing that is said, or that led to it, has a secret in it."""
        with pytest.raises(SourceError) as found:
            self.read(seconds=seconds, **options)
        problem = found.value
        told = f"{problem} {problem.remedy} {problem.data} {problem.__cause__}"
        secrets = [self.azure.principal.secret, self.azure.principal.assertion, *self.azure.tokens]
        assert not [secret for secret in secrets if secret in told]
        assert problem.__suppress_context__ or problem.__context__ is None
        assert len(problem.message) < 700
        assert problem.message.isprintable()
        return problem


def source(options: dict[str, Any], *, raw: bool = False) -> AzureSource:
    """A source as an inventory file describes it. Raises AssertionError with the faults of the description."""
    faults = Faults("fleet.multicloud.yml")
    entry = Entry(faults, "sources[0]", {"type": "azure", **options})
    entry.text("type")
    found = read_source(entry, "production", raw=raw)
    entry.refuse_others()
    assert faults.lines == []
    return found


@contextmanager
def cloud_of_our_own(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud that a service principal is known to by the environment; no pause is longer than Azure wants it."""
    azure, authority = Azure(), make_authority(folder, "azure")
    for name in ("AZURE_TOKEN_CREDENTIALS", "AZURE_AUTHORITY_HOST", "HTTPS_PROXY", "https_proxy"):
        patch.delenv(name, raising=False)
    patch.setenv("AZURE_TENANT_ID", TENANT)
    patch.setenv("AZURE_CLIENT_ID", azure.principal.client_id)
    patch.setenv("AZURE_CLIENT_SECRET", azure.principal.secret)
    patch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
    patch.setattr("random.uniform", lambda _least, _most: 0.0)
    with serving(azure, authority.context) as url:
        yield Cloud(azure, url, authority)


def machine(number: int, **values: Any) -> VirtualMachine:
    """A machine with an interface."""
    interfaces = [Interface(f"nic{number}", f"10.0.{number // 250}.{number % 250 + 4}")]
    return VirtualMachine(**{"name": f"vm{number}", "interfaces": interfaces, **values})


def published(number: int, **values: Any) -> VirtualMachine:
    """A machine with an interface that has a public address and name."""
    public = PublicAddress(f"ip{number}", f"20.1.0.{number}", f"vm{number}.westeurope.cloudapp.azure.com")
    return machine(number, interfaces=[Interface(f"nic{number}", f"10.0.0.{number}", public=public)], **values)


def pool(name: str, count: int, **values: Any) -> ScaleSet:
    """A uniform scale set."""
    instances = [
        machine(number, name=f"{name}_{number}", computer_name=f"{name}{number:06d}") for number in range(count)
    ]
    return ScaleSet(name, instances, **values)
