# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory file may say of Azure, without Azure's libraries."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure import CLOUDS, Options, Place, read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY

ONE, TWO = "291BBA3F-e0a5-47bc-a099-3bdcb2a50a05", "72ac930a-f34e-42d8-b06d-dc2a9e12ed71"
PUBLIC = CLOUDS["AzureCloud"]


def read(**options: Any) -> tuple[Options, list[str]]:
    """What is understood, and the faults."""
    faults = Faults("fleet.multicloud.yml")
    entry = Entry(faults, "sources[0]", options)
    source = read_source(entry, "production", raw=False)
    entry.refuse_others()
    return source._options, faults.lines


def test_the_least_that_a_source_needs() -> None:
    options, faults = read(subscriptions=[ONE, TWO, ONE.lower()])
    assert faults == []
    assert options == Options((ONE.lower(), TWO), "", "", PUBLIC, believe_model=False)


def test_a_single_subscription_all_and_the_same_by_default() -> None:
    assert read(subscriptions=TWO)[0].subscriptions == (TWO,)
    assert read(subscriptions="all") == read() == (Options(("all",), "", "", PUBLIC, believe_model=False), [])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_clouds_are_those_of_the_libraries(cloud: str) -> None:
    core, identity = pytest.importorskip("azure.core"), pytest.importorskip("azure.identity")
    tools = pytest.importorskip("azure.mgmt.core.tools")
    names = {
        "AzureCloud": ("AZURE_PUBLIC_CLOUD", "AZURE_PUBLIC_CLOUD"),
        "AzureUSGovernment": ("AZURE_US_GOVERNMENT", "AZURE_GOVERNMENT"),
        "AzureChinaCloud": ("AZURE_CHINA_CLOUD", "AZURE_CHINA"),
    }
    if not hasattr(tools, "get_arm_endpoints"):
        pytest.skip("this azure-mgmt-core has no list of clouds")
    setting, host = names[cloud]
    known = tools.get_arm_endpoints(getattr(core.AzureClouds, setting))
    place = read(subscriptions="all", cloud=cloud)[0].place
    assert f"{place.endpoint}/" == known["resource_manager"]
    assert [f"{place.audience}/.default"] == known["credential_scopes"]
    if place.authority:
        assert place.authority == f"https://{getattr(identity.AzureAuthorityHosts, host)}"


def test_a_private_cloud_has_its_own_places() -> None:
    options, faults = read(
        subscriptions=TWO,
        tenant="contoso.onmicrosoft.com",
        client_id=ONE,
        endpoint="https://management.local.azurestack.external/",
        audience="https://management.contoso.onmicrosoft.com/2f2d/",
        authority="https://adfs.local.azurestack.external/adfs",
        agent="provisioned",
    )
    assert faults == []
    assert (options.tenant, options.client_id, options.believe_model) == ("contoso.onmicrosoft.com", ONE, True)
    assert options.place == Place(
        "https://management.local.azurestack.external",
        "https://management.contoso.onmicrosoft.com/2f2d/",
        "https://adfs.local.azurestack.external/adfs",
    )


@pytest.mark.parametrize(
    ("options", "place", "words"),
    [
        ({"subscriptions": []}, "sources[0].subscriptions: []", "names none"),
        ({"subscriptions": ["prod"]}, "sources[0].subscriptions: prod", "has not the right form"),
        ({"subscriptions": [ONE + "0"]}, "sources[0].subscriptions", "has not the right form. Write it like '0b1f"),
        ({"subscriptions": ["all", ONE]}, "sources[0].subscriptions", "has all beside others"),
        ({"subscriptions": "all", "cloud": "AzureGermanCloud"}, "sources[0].cloud", "is not known"),
        ({"subscriptions": "all", "cloud": "AzureCloud2"}, "sources[0].cloud", "Did you mean AzureCloud?"),
        ({"subscriptions": "all", "endpoint": "http://management.azure.com"}, "sources[0].endpoint", "right form"),
        ({"subscriptions": "all", "endpoint": "https://a@b"}, "sources[0].endpoint", "right form"),
        ({"subscriptions": "all", "endpoint": "https://a/b"}, "sources[0].endpoint", "right form"),
        ({"subscriptions": "all", "authority": "http://login.example"}, "sources[0].authority", "right form"),
        ({"subscriptions": "all", "audience": "graph"}, "sources[0].audience", "right form"),
        ({"subscriptions": "all", "tenant": "a b"}, "sources[0].tenant", "right form"),
        ({"subscriptions": "all", "client_id": "fleet"}, "sources[0].client_id", "right form"),
        ({"subscriptions": "all", "agent": "yes"}, "sources[0].agent", "Write one of reported, provisioned"),
        ({"subscriptions": "all", "subscription_id": ONE}, "sources[0].subscription_id", "is no option"),
    ],
)
def test_a_fault_is_told_with_its_place(options: dict[str, Any], place: str, words: str) -> None:
    (line,) = read(**options)[1]
    assert line.startswith(f"fleet.multicloud.yml: {place}")
    assert words in line


def test_what_the_documentation_shows_is_understood() -> None:
    page = (REPOSITORY / "docs/inventory/azure.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    sources = [source for block in blocks for source in (block["sources"] if isinstance(block, dict) else block)]
    assert len(sources) == 4
    for source in sources:
        own = {key: value for key, value in source.items() if key not in {"type", "name", "placement"}}
        assert read(**own)[1] == []


def test_credentials_do_not_belong_there() -> None:
    (line,) = read(subscriptions="all", client_secret="hunter2")[1]  # noqa: S106
    assert "sources[0].client_secret: is a credential" in line
    assert "hunter2" not in line


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_calls"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "azure.core", None)
    faults = Faults("fleet.multicloud.yml")
    source = read_source(Entry(faults, "sources[0]", {"subscriptions": "all"}), "production", raw=False)
    with pytest.raises(SourceError) as found:
        source.scopes(Deadline.after(1))
    assert found.value.kind == "library_missing"
    assert "azure.core" in found.value.message
    assert "requirements-azure.txt" in found.value.remedy
