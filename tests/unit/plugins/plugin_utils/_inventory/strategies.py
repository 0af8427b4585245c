# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configurations, and machines as nobody would name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import (
    Configuration,
    read_configuration,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import Identity
from ansible_collections.bankops.fleet.tests.fakes.machines import machine

FILE = "clouds.multicloud.yml"


def configured(folder: Path | None = None, **options: Any) -> Configuration:
    """The configuration of a file with one cloud and these options."""
    content = {
        "plugin": "bankops.fleet.multicloud",
        "sources": [{"type": "aws", "regions": ["eu-central-1"]}],
        **options,
    }
    return read_configuration(content, str((folder or Path()) / FILE), None)


# Few different values, so that machines meet each other, and texts that other machines' names may be made of.
_WORDS = st.sampled_from(
    [
        "web",
        "db",
        "web_i-1",
        "web_i-1_1",
        "localhost",
        "all",
        "fleet",
        "cloud_aws",
        "tenant_a",
        "",
        "-oProxyCommand=id",
        "a b",
    ]
) | st.text(max_size=12)
_TAGS = st.dictionaries(st.sampled_from(["tenant", "Tenant", "cluster", "wave", "Role"]), _WORDS, max_size=3)

machines: st.SearchStrategy[Machine] = st.builds(
    machine,
    st.sampled_from(["i-1", "i-2", "i-3"]) | st.text(min_size=1, max_size=6),
    cloud=st.sampled_from(Cloud),
    account=st.sampled_from(["1", "2"]),
    name=_WORDS,
    power=st.sampled_from(Power),
    tags=_TAGS,
    private_ip=st.sampled_from(["", "10.0.0.1", "10.0.0.2"]),
    private_dns=_WORDS,
    managed_by=st.sampled_from([(), (Transport.SSM,)]),
    not_managed_by=st.sampled_from([(), (Transport.SSM,)]),
)


def _agreed(reading: dict[Scope, list[Machine]]) -> dict[Scope, list[Machine]]:
    """The same, but that all who saw a machine say the same of its tags."""
    tags: dict[Identity, Mapping[str, str]] = {}
    return {
        scope: [replace(each, tags=tags.setdefault(each.identity, each.tags)) for each in found]
        for scope, found in reading.items()
    }


readings: st.SearchStrategy[dict[Scope, list[Machine]]] = st.dictionaries(
    st.builds(Scope, st.sampled_from(["one", "two"]), st.sampled_from(["1", "2"]), st.sampled_from(["east", "west"])),
    st.lists(machines, max_size=8),
    max_size=4,
).map(_agreed)
"""What several scopes named, with machines that are in more than one of them."""
