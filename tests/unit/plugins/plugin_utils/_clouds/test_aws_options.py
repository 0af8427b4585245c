# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may stand in an inventory file about AWS; that needs no library."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import aws
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_options import read_options
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults

OWN = {"id": "111111111111", "role": "fleet-inventory"}


def faults_of(options: dict[str, Any]) -> str:
    """What is said of options, as one text."""
    faults = Faults("fleet.multicloud.yml")
    entry = Entry(faults, "sources[0]", options)
    read_options(entry)
    entry.refuse_others()
    return "\n".join(faults.lines)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"regions": "all", "profile": "audit", "ssm": True},
        {"regions": ["eu-central-1"], "accounts": [OWN, {"profile": "lab"}]},
        {"accounts": [{**OWN, "role": "path/to/reader", "external_id": "a:b/c", "session_name": "x@y"}]},
        {"organization": {"role": "reader", "exclude": ["222222222222"], "external_id": "xy"}},
        {"endpoints": {"ec2": "https://ec2.{region}.example.org/path", "sts": "http://127.0.0.1:5000"}},
        {"filters": {"tag:environment": ["production"], "instance-state-name": "running"}},
    ],
)
def test_what_a_source_may_say(options: dict[str, Any]) -> None:
    assert faults_of(options) == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"region": "eu-central-1"}, "sources[0].region: is no option. Did you mean regions?"),
        ({"regions": []}, "regions: []: names no region. Leave it out"),
        ({"regions": ["all", "eu-west-1"]}, "has all and others"),
        ({"accounts": []}, "accounts: []: names no account"),
        ({"accounts": [{"id": 111111111111, "role": "r"}]}, "accounts[0].id: 111111111111: is no text. Write it in q"),
        ({"accounts": [{"id": "1234", "role": "r"}]}, "accounts[0].id: 1234: has not the right form"),
        ({"accounts": [{"id": "111111111111"}]}, "accounts[0].role: is missing"),
        ({"accounts": [{"role": "r"}]}, "accounts[0].id: is missing"),
        ({"accounts": [{**OWN, "role": "arn:aws:iam::111111111111:role/r"}]}, "has not the right form"),
        ({"accounts": [{**OWN, "profile": "p"}]}, "accounts[0].id: is no option"),
        ({"accounts": [OWN, OWN]}, "has an account twice"),
        ({"accounts": [OWN], "organization": {"role": "r"}}, "organization: {'role': 'r'}: stands beside accounts"),
        ({"organization": {}}, "organization.role: is missing"),
        ({"organization": {"role": "r", "exclude": ["here"]}}, "exclude: here: has not the right form"),
        ({"endpoints": {"s3": "https://s3.example.org"}}, "endpoints.s3: is no option"),
        ({"endpoints": {"ec2": "http://ec2.example.org"}}, "endpoints.ec2: http://ec2.example.org: has not the right"),
        ({"endpoints": {"ec2": "https://user:word@ec2.example.org"}}, "has not the right form"),
        ({"filters": {"tag:x": {"not": "a list"}}}, "filters.tag:x: {'not': 'a list'}: is no list of texts"),
        ({"ssm": "yes"}, "ssm: yes: is neither true nor false"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_remedy(options: dict[str, Any], expected: str) -> None:
    said = faults_of(options)

    assert expected in said
    assert said.startswith("fleet.multicloud.yml: sources[0].")


@pytest.mark.parametrize("place", ["source", "account", "organization"])
def test_credentials_are_refused_and_not_shown(place: str) -> None:
    secrets = {"access_key": "AKIA123", "aws_secret_access_key": "hush", "session_token": "hush"}
    places: dict[str, dict[str, Any]] = {
        "source": {**secrets},
        "account": {"accounts": [{**OWN, **secrets}]},
        "organization": {"organization": {"role": "r", **secrets}},
    }

    said = faults_of(places[place])

    assert said.count("is a credential, which no inventory file holds") == 3
    assert "Use a profile" in said
    assert "hush" not in said
    assert "AKIA123" not in said
    assert "is no option" not in said


def test_terminated_instances_are_not_asked_for_unless_somebody_wants_them() -> None:
    def filters(options: dict[str, Any]) -> Any:
        return read_options(Entry(Faults("f"), "", options)).filters

    assert filters({}) == ({"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},)
    assert filters({"filters": {"instance-state-name": "terminated"}}) == (
        {"Name": "instance-state-name", "Values": ["terminated"]},
    )


def test_a_missing_library_is_said_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "find_spec", lambda _name: None)
    source = aws.read_source(Entry(Faults("f"), "", {}), "production", raw=False)

    with pytest.raises(SourceError, match="source production: import botocore: botocore is not installed") as caught:
        source.scopes(Deadline.after(5))

    assert caught.value.kind == "library_missing"
    assert "pip install -r requirements-aws.txt" in caught.value.remedy
