# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of Falcon: every sensor once, in the fewest calls, through real falconpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

pytest.importorskip("falconpy")

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import falcon_api
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import FalconSource, SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_api import Reach
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.console import CID, Console
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.faults import TOKEN, answers, fault
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.server import serving

CHILD, OTHER = "c" * 32, "d" * 32
LOGIN, LIST = "oauth2AccessToken", "CombinedDevicesByFilter"


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A region with one API client, whose credentials the environment has."""
    found = Console()
    monkeypatch.setenv("FALCON_CLIENT_ID", found.client.client_id)
    monkeypatch.setenv("FALCON_CLIENT_SECRET", found.client.secret)
    for name in ("FALCON_CLOUD", "FALCON_MEMBER_CID"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.fixture
def source(console: Console) -> Iterator[FalconSource]:
    """A source at its address."""
    with serving(console) as url:
        yield FalconSource("falcon", Reach(base_url=url))


def read(source: FalconSource) -> list[SensorHost]:
    deadline = Deadline.after(20)
    return [sensor for scope in source.scopes(deadline) for sensor in source.sensors(scope, deadline)]


def test_a_sensor_is_told_as_the_console_has_it(console: Console, source: FalconSource) -> None:
    console.add(
        "a1",
        service_provider="AWS_EC2_V2",
        service_provider_account_id="123456789012",
        instance_id="i-0aa11bb22cc33dd44",
        hostname="web1",
        last_seen="2026-11-20T08:00:00Z",
        reduced_functionality_mode="yes",
    )
    assert read(source) == [
        SensorHost(
            cid=CID,
            aid="a1",
            hostname="web1",
            cloud="aws",
            account="123456789012",
            instance_id="i-0aa11bb22cc33dd44",
            agent_version="7.29.18202.0",
            last_seen=datetime(2026, 11, 20, 8, tzinfo=timezone.utc),
            status="normal",
            rfm=True,
            platform="Linux",
        )
    ]


def test_a_virtual_machine_of_azure_is_named_in_lower_case_as_its_source_names_it(
    console: Console, source: FalconSource
) -> None:
    console.add(
        "a1",
        service_provider="AZURE",
        service_provider_account_id="9405B466-DC55-4B34-A424-2059FF303A68",
        instance_id="4220508A-D2A1-466F-9187-40594DB3256B",
    )
    [sensor] = read(source)
    assert sensor.identity == (
        "azure",
        "9405b466-dc55-4b34-a424-2059ff303a68",
        "4220508a-d2a1-466f-9187-40594db3256b",
    )


def test_a_google_project_is_known_by_its_id_only_where_somebody_says_so(
    console: Console, source: FalconSource
) -> None:
    for aid, project in (("a1", "578609343865"), ("a2", "111111111111")):
        console.add(aid, service_provider="GCP", service_provider_account_id=project, instance_id="5278723726495898635")
    known, unknown = read(replace(source, project_ids={"578609343865": "prod-web"}))
    assert (known.account, known.account_is_known) == ("prod-web", True)
    assert (unknown.account, unknown.account_is_known) == ("111111111111", False)


def test_what_the_console_does_not_say_is_unknown(console: Console, source: FalconSource) -> None:
    device = console.add("a1", service_provider="OCI")
    for name in ("reduced_functionality_mode", "last_seen", "agent_version", "platform_name", "status", "hostname"):
        del device[name]
    [sensor] = read(source)
    assert sensor.identity == ("unknown", "unknown", "unknown")
    assert (sensor.rfm, sensor.last_seen, sensor.status, sensor.hostname) == (None, None, "unknown", "unknown")


def test_hosts_are_read_in_the_fewest_calls(console: Console, source: FalconSource) -> None:
    for number in range(25):
        console.add(f"a{number:02}")
    assert len(read(source)) == 25
    assert console.calls == [LOGIN, LIST]


def test_further_pages_are_asked_for_by_the_token_of_the_one_before(console: Console, source: FalconSource) -> None:
    console.page = 2
    for number in range(5):
        console.add(f"a{number}")
    assert [sensor.aid for sensor in read(source)] == ["a0", "a1", "a2", "a3", "a4"]
    assert console.calls == [LOGIN, LIST, LIST, LIST]


def test_a_filter_goes_to_the_service_on_every_page(console: Console, source: FalconSource) -> None:
    console.page = 1
    for number in range(3):
        console.add(f"a{number}", product_type_desc="Workstation" if number == 1 else "Server")
    found = read(replace(source, filter="platform_name:'Linux'+product_type_desc:'Server'"))
    assert [sensor.aid for sensor in found] == ["a0", "a2"]


def test_a_console_without_hosts_is_empty(console: Console, source: FalconSource) -> None:
    assert read(source) == []


def test_each_child_cid_is_read_with_a_token_of_its_own(console: Console, source: FalconSource) -> None:
    console.client.children = {CHILD, OTHER}
    console.add("a1", cid=CHILD)
    console.add("a2", cid=OTHER)
    console.add("a3")
    found = read(replace(source, member_cids=(CHILD, OTHER)))
    assert [(sensor.cid, sensor.aid) for sensor in found] == [(CHILD, "a1"), (OTHER, "a2")]
    assert console.calls == [LOGIN, LIST] * 2


def test_the_environment_names_the_child_cid_where_the_file_names_none(
    console: Console, source: FalconSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.client.children = {CHILD}
    console.add("a1", cid=CHILD)
    monkeypatch.setenv("FALCON_MEMBER_CID", f"{CHILD.upper()}-1A")
    assert [scope.account for scope in source.scopes(Deadline.after(5))] == [CHILD]
    assert [sensor.aid for sensor in read(source)] == ["a1"]


def test_a_custom_address_stays_whatever_region_the_token_is_of(console: Console, source: FalconSource) -> None:
    console.region, console.page = "eu-1", 1
    console.add("a1")
    console.add("a2")
    assert [sensor.aid for sensor in read(source)] == ["a1", "a2"]


@pytest.fixture
def regions(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Console, Console]]:
    """Two public regions, us-1 and eu-1, of which the second is the home of the API client."""
    home = Console(region="eu-1", client=console.client, tokens=console.tokens)
    console.region = "eu-1"
    with serving(console) as first, serving(home) as second:
        monkeypatch.setitem(falcon_api.CLOUDS, "us-1", first)
        monkeypatch.setitem(falcon_api.CLOUDS, "eu-1", second)
        yield console, home


def test_without_a_region_the_token_says_which_one_it_is(regions: tuple[Console, Console]) -> None:
    first, home = regions
    home.add("a1")
    assert [sensor.aid for sensor in read(FalconSource("falcon", Reach()))] == ["a1"]
    assert (first.calls, home.calls) == ([LOGIN], [LIST])


def test_a_region_that_sends_away_is_left_for_the_one_that_it_names(regions: tuple[Console, Console]) -> None:
    first, home = regions
    elsewhere = "https://attacker.example.com/oauth2/token"
    fault(first, TOKEN, answers(308, X_Cs_Region="eu-1", Location=elsewhere))
    home.add("a1")
    assert [sensor.aid for sensor in read(FalconSource("falcon", Reach()))] == ["a1"]
    assert home.calls == [LOGIN, LIST]


def test_a_region_that_was_named_is_not_left(regions: tuple[Console, Console], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCON_CLOUD", "US-1")
    with pytest.raises(SourceError, match="these credentials are of the region eu-1, and not of us-1") as refused:
        read(FalconSource("falcon", Reach()))
    assert refused.value.kind == "credentials_refused"
    assert refused.value.remedy == "Set cloud, or FALCON_CLOUD, to eu-1."


def test_over_tls_the_certificate_is_checked_against_the_file_that_is_named(console: Console, tmp_path: Path) -> None:
    console.add("a1")
    authority = make_authority(tmp_path, "falcon")
    with serving(console, authority.context) as url:
        trusting = Reach(base_url=url, ca_file=str(authority.ca_file))
        assert [sensor.aid for sensor in read(FalconSource("falcon", trusting))] == ["a1"]
        with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED") as refused:
            read(FalconSource("falcon", Reach(base_url=url)))
    assert refused.value.kind == "certificate_bad"
    assert "ca_file" in refused.value.remedy


def test_the_fake_fails_for_what_the_api_does_not_know(console: Console) -> None:
    import requests

    with pytest.raises(AssertionError), serving(console) as url:  # noqa: PT012
        requests.get(f"{url}/devices/combined/devices/v2", timeout=5)
        requests.get(f"{url}/devices/combined/devices/v1", params={"limit": 10_001, "page": 2}, timeout=5)
        requests.get(f"{url}/devices/combined/devices/v1", params={"sort": "colour"}, timeout=5)
        requests.post(f"{url}/oauth2/token", data={"client_id": "x"}, timeout=5)
        requests.get(f"{url}/policy/combined/prevention/v1", timeout=5)
    assert console.violations == [
        "GET /devices/combined/devices/v2 is no operation of the API",
        "CombinedDevicesByFilter: query parameter page is unknown",
        "CombinedDevicesByFilter: query parameter limit=10001: is out of bounds",
        "CombinedDevicesByFilter: query parameter sort=colour: is none of what is allowed",
        "oauth2AccessToken: formData parameter client_secret is missing",
        "queryCombinedPreventionPolicies is not in the fake",
    ]
