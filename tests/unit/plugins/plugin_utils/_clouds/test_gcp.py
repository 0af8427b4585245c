# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Cloud is read by its own library, with its own credentials, before a fake that admits what the API admits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("googleapiclient")

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_instances import ALL_FIELDS, FIELDS
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import (
    ScopesError,
    SourceError,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import TOKEN, FakeGoogle
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import ZONES, Instance
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.tokens import ACCOUNT
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.gcp_sources import (
    PROJECT,
    fleet,
    google_before,
    read,
    source_of,
)

OTHER = "fleet-inventory@ops-prod.iam.gserviceaccount.com"
PROJECTS = "cloudresourcemanager.projects.list"
FOLDERS = "cloudresourcemanager.folders.list"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGoogle]:
    with google_before(monkeypatch, tmp_path) as fake:
        yield fake


@pytest.fixture
def all_of_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGoogle]:
    """Under the names that its APIs have, of which only Compute Engine's can be another one."""
    with google_before(monkeypatch, tmp_path, proxy=True) as fake:
        yield fake


def test_all_zones_of_a_project_are_read_by_one_call_for_what_is_needed(google: FakeGoogle) -> None:
    google.cloud.project(PROJECT, *(Instance(f"web-{zone}", zone) for zone in ZONES))
    machines = read(source_of(google))
    assert sorted(machine.zone for machine in machines) == sorted(ZONES)
    (call,) = google.calls()
    assert call.parameters == {"project": PROJECT, "maxResults": 500, "fields": FIELDS, "alt": "json"}
    assert call.account == ACCOUNT
    assert len(google.calls(TOKEN)) == 1


def test_pages_are_as_long_as_the_api_allows(google: FakeGoogle) -> None:
    fleet(google, 1001)
    assert len({machine.instance_id for machine in read(source_of(google))}) == 1001
    assert [call.parameters.get("pageToken") for call in google.calls()] == [None, "Ci-page-500", "Ci-page-1000"]


def test_what_an_instance_is_comes_through_the_selected_fields_as_well_as_through_all(google: FakeGoogle) -> None:
    instance = Instance("web-1", public_ip="34.1.1.1", public_ipv6="2600:1900::1", group="web", labels={"tenant": "a"})
    google.cloud.project(PROJECT, instance, metadata={"enable-osconfig": "TRUE", "VmDnsSetting": "ZonalOnly"})
    (selected,) = read(source_of(google))
    (whole,) = read(source_of(google, raw=True))
    assert [call.parameters["fields"] for call in google.calls()] == [FIELDS, ALL_FIELDS]
    assert whole.raw["scheduling"]["onHostMaintenance"] == "MIGRATE"
    whole.raw = None
    assert selected == whole


def test_projects_are_read_side_by_side_with_one_token(google: FakeGoogle) -> None:
    names = [f"payments-{number:03}" for number in range(8)]
    for name in names:
        google.cloud.project(name, Instance("web-1"), latency=0.2)
    source, deadline = source_of(google, projects=names), Deadline.after(20)
    scopes = source.scopes(deadline)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda scope: list(source.machines(scope, deadline)), scopes))
    assert [machine.account for (machine,) in found] == names
    assert len(google.calls(TOKEN)) == 1
    assert len(google.calls()) == 8


def test_the_filter_is_that_of_the_api_however_long(google: FakeGoogle) -> None:
    google.cloud.project(PROJECT, Instance("web-1", labels={"fleet": "managed"}), Instance("web-2"))
    assert [machine.name for machine in read(source_of(google, filter="labels.fleet = managed"))] == ["web-1"]
    # What makes an address too long is sent as a form.
    names = " ".join(f"(name != another-machine-{number})" for number in range(80))
    assert len(read(source_of(google, filter=names))) == 2
    assert google.calls(filter=names)


def test_a_filter_that_is_none_is_refused_by_the_api(google: FakeGoogle) -> None:
    fleet(google)
    with pytest.raises(SourceError) as caught:
        read(source_of(google, filter="labels.fleet >< managed"))
    assert caught.value.kind == "api_error"
    assert "compute.instances.aggregatedList: 400 Invalid value for field 'filter'" in caught.value.message
    assert caught.value.remedy.startswith("Compare filter with")


def test_another_service_account_can_be_asked_for_its_token(all_of_google: FakeGoogle) -> None:
    google = all_of_google
    fleet(google)
    assert len(read(source_of(google, endpoint="", impersonate=OTHER))) == 2
    assert [call.account for call in google.calls()] == [OTHER]
    lent = "iamcredentials.projects.serviceAccounts.generateAccessToken"
    assert [call.account for call in google.calls(lent)] == [ACCOUNT]

    google.cloud.denied.add(("iam.serviceAccounts.getAccessToken", OTHER))
    with pytest.raises(SourceError) as caught:
        read(source_of(google, endpoint="", impersonate=OTHER))
    assert caught.value.kind == "credentials_refused"
    assert "Permission 'iam.serviceAccounts.getAccessToken' denied" in caught.value.message


def test_all_projects_below_folders_and_organisations_are_found(all_of_google: FakeGoogle) -> None:
    google = all_of_google
    cloud = google.cloud
    cloud.folders.update({f"folders/{number}": "organizations/2000" for number in range(3)})
    cloud.folders.update({"folders/30": "folders/0", "folders/300": "folders/30"})
    for name, parent in (
        *((f"payments-{number}", "organizations/2000") for number in range(3)),
        ("cards-prod", "folders/300"),
        ("loans-prod", "folders/2"),
        ("else-where", "organizations/9999"),
    ):
        cloud.project(name, Instance("web-1"), parent=parent)
    source = source_of(google, endpoint="", parents=["organizations/2000", "folders/30"], projects=["loans-prod"])
    scopes = source.scopes(Deadline.after(20))
    expected = ["cards-prod", "loans-prod", "payments-0", "payments-1", "payments-2"]
    assert sorted(scope.account for scope in scopes) == expected
    assert {machine.account for machine in read(source)} == set(expected)
    assert {call.parameters["fields"] for call in google.calls(PROJECTS)} == {"nextPageToken,projects/projectId"}
    assert len(google.calls(FOLDERS, parent="folders/30", alt="json")) == 2


def test_a_project_that_is_found_need_not_use_compute_engine(all_of_google: FakeGoogle) -> None:
    google = all_of_google
    fleet(google)
    google.cloud.project("analytics", compute=False)
    assert {machine.account for machine in read(source_of(google, endpoint="", parents=["organizations/2000"]))} == {
        PROJECT
    }


def test_a_project_that_is_named_must_use_it(all_of_google: FakeGoogle) -> None:
    google = all_of_google
    google.cloud.project(PROJECT, compute=False)
    for parents in ([], ["organizations/2000"]):
        with pytest.raises(SourceError) as caught:
            read(source_of(google, endpoint="", projects=[PROJECT], parents=parents))
        assert caught.value.kind == "access_denied"
        assert "has not been used in project" in caught.value.message
        enable = f"gcloud services enable compute.googleapis.com --project={PROJECT}"
        assert caught.value.remedy == f"Enable the API with the command {enable}, or leave the project out."


def test_a_folder_that_may_not_be_listed_is_a_problem_beside_what_is_known(all_of_google: FakeGoogle) -> None:
    google = all_of_google
    fleet(google)
    google.cloud.folders.update({"folders/1": "organizations/2000", "folders/2": "organizations/2000"})
    google.cloud.denied.add(("resourcemanager.folders.list", "folders/1"))
    google.cloud.project("cards-prod", Instance("web-1"), parent="folders/2")
    with pytest.raises(ScopesError) as caught:
        source_of(google, endpoint="", parents=["organizations/2000"]).scopes(Deadline.after(20))
    assert [scope.account for scope in caught.value.scopes] == [PROJECT, "cards-prod"]
    (problem,) = caught.value.problems
    assert problem.kind == "access_denied"
    assert problem.message.startswith("source production, folders/1: cloudresourcemanager.folders.list: 403 The caller")
    assert problem.remedy.endswith("describes, on folders/1.")


def test_nothing_is_written_to_the_log(google: FakeGoogle, caplog: pytest.LogCaptureFixture) -> None:
    fleet(google)
    with caplog.at_level(logging.WARNING):
        read(source_of(google))
    assert caplog.records == []
