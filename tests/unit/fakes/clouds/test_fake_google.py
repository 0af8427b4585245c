# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fake of Google Cloud takes nothing that the discovery documents do not have, whichever API they describe."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("googleapiclient")

from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp import fields
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.discovery import document
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import FakeGoogle, Reply, Request
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import Instance
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.tokens import Token

COMPUTE = "/compute/v1/projects/payments-prod"
PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


def asked(google: FakeGoogle, verb: str, path: str, query: str = "", body: Any = None, access: str = PLATFORM) -> Reply:
    """The reply to a request that comes with a token."""
    google.tokens.issued["t"] = Token("somebody", frozenset([access]))
    content = json.dumps(body).encode() if body is not None else b""
    return google.reply(Request(verb, "compute.googleapis.com", False, path, query, "t", content))


@pytest.fixture
def google() -> FakeGoogle:
    fake = FakeGoogle()
    fake.cloud.project("payments-prod", Instance("web-1"))
    return fake


@pytest.mark.parametrize(
    ("path", "query", "violation"),
    [
        ("/aggregated/machines", "", "no method of compute, cloudresourcemanager, iamcredentials"),
        ("/aggregated/instances", "returnPartialSuccess=true", "has no parameter returnPartialSuccess"),
        ("/aggregated/instances", "maxResults=many", "maxResults: 'many' is no integer"),
        ("/aggregated/instances", "maxResults=-1", "maxResults: -1 is not within its limits"),
        ("/aggregated/instances", "maxResults=5&maxResults=6", "maxResults is given 2 times"),
        ("/aggregated/instances", "includeAllScopes=yes", "includeAllScopes: 'yes' is no boolean"),
        ("/aggregated/instances", "alt=xml", "alt: 'xml' is none of json, media, proto"),
        ("/aggregated/instances", "fields=items/*/instances(id,colour)", "Invalid field selection colour"),
        ("/aggregated/instances", "fields=items/*/instances(id", "a bracket is not closed"),
        ("/zones/europe-west3-a/instances", "", "compute.instances.list: not played here"),
    ],
)
def test_what_the_documents_do_not_have_is_a_violation(
    google: FakeGoogle, path: str, query: str, violation: str
) -> None:
    reply = asked(google, "GET", COMPUTE + path, query)
    assert reply.status >= 400
    assert len(google.violations) == 1
    assert violation in google.violations[0]


def test_a_token_that_opens_something_else_is_refused(google: FakeGoogle) -> None:
    storage = "https://www.googleapis.com/auth/devstorage.read_only"
    assert asked(google, "GET", f"{COMPUTE}/aggregated/instances", access=storage).status == 403
    assert asked(google, "GET", f"{COMPUTE}/aggregated/instances").status == 200
    assert google.violations == []


def test_the_fake_is_held_to_the_documents_itself(google: FakeGoogle) -> None:
    google.cloud.projects["payments-prod"].instances[0].status = "EXPLODED"
    asked(google, "GET", f"{COMPUTE}/aggregated/instances")
    (violation,) = google.violations
    assert violation.startswith("the fake itself: compute.instances.aggregatedList: answer.items.zones/europe-west3-a")
    assert "'EXPLODED' is none of" in violation


def test_bodies_and_paths_of_any_api_are_known() -> None:
    osconfig = document("osconfig", "v1")
    found = osconfig.find("POST", "/v1/projects/payments-prod/patchJobs:execute")
    assert found
    method, in_path = found
    assert (method.id, in_path) == ("osconfig.projects.patchJobs.execute", {"parent": "projects/payments-prod"})
    job = {"instanceFilter": {"instanceNamePrefixes": ["web-"]}, "duration": "3600s", "dryRun": True}
    assert method.body_faults(job) == []
    wrong = {"instanceFilter": {"all": "yes"}, "duration": "an hour", "patchConfig": {"colour": 1}}
    assert [fault.partition(": ")[2] for fault in method.body_faults(wrong)] == [
        "body.instanceFilter.all: 'yes' is no boolean",
        "body.duration: 'an hour' is no google-duration",
        "body.patchConfig: has no field colour",
    ]
    job_of_id = osconfig.find("GET", "/v1/projects/p/patchJobs/7/instanceDetails")
    assert job_of_id
    assert job_of_id[1] == {"parent": "projects/p/patchJobs/7"}
    assert osconfig.find("GET", "/v1/projects/p/patchJobs:execute") is None


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("id", {"id": "7"}),
        ("id,name", {"id": "7", "name": "web-1"}),
        ("disks/boot", {"disks": [{"boot": True}, {"boot": False}]}),
        ("disks(boot),id", {"disks": [{"boot": True}, {"boot": False}], "id": "7"}),
        ("labels", {"labels": {"tenant": "alpha"}}),
        ("labels/*", {"labels": {"tenant": "alpha"}}),
        ("status", {}),
    ],
)
def test_a_selector_selects(selector: str, selected: dict[str, Any]) -> None:
    disks = [{"boot": True, "index": 0}, {"boot": False, "index": 1}]
    value = {"id": "7", "name": "web-1", "disks": disks, "labels": {"tenant": "alpha"}}
    found = fields.selection(selector)
    fields.check(found, {"$ref": "Instance"}, document("compute", "v1"))
    assert fields.select(value, found) == selected
