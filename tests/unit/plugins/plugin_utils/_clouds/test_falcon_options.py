# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory file may say of Falcon, and what is said of everything else."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import FalconSource, read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_api import Reach
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults

CID = "0123456789ABCDEF0123456789ABCDEF"


def read(options: dict[str, Any]) -> FalconSource:
    """The source, when nothing is wrong."""
    faults = Faults("fleet.multicloud.yml")
    entry = Entry(faults, "sources[0]", options)
    source = read_source(entry, "falcon")
    entry.refuse_others()
    faults.refuse()
    return source


def refused(options: dict[str, Any]) -> str:
    with pytest.raises(FleetError) as found:
        read(options)
    return found.value.message


def test_all_that_can_be_said() -> None:
    source = read(
        {
            "cloud": "eu-1",
            "member_cid": [f"{CID}-A1", CID.lower(), "f" * 32],
            "filter": "platform_name:'Linux'",
            "proxy": "http://proxy.example.com:3128",
            "ca_file": "/etc/pki/tls/proxy.pem",
            "connect_timeout": 5,
            "read_timeout": 90,
            "project_numbers": {"prod-web": 578609343865, "prod-db": "123"},
            "tenants": {CID: "alpha", "f" * 32: "beta"},
        }
    )
    reach = Reach("eu-1", "", "http://proxy.example.com:3128", "/etc/pki/tls/proxy.pem", 5, 90)
    assert source == FalconSource(
        name="falcon",
        reach=reach,
        member_cids=(CID.lower(), "f" * 32),
        filter="platform_name:'Linux'",
        project_ids={"578609343865": "prod-web", "123": "prod-db"},
        tenants={CID.lower(): "alpha", "f" * 32: "beta"},
    )
    assert reach.address == "https://api.eu-1.crowdstrike.com"


def test_nothing_has_to_be_said() -> None:
    source = read({})
    assert source == FalconSource("falcon", Reach())
    assert source.reach.address == "https://api.crowdstrike.com"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cloud": "eu1"}, "sources[0].cloud: eu1: is not known. Did you mean eu-1?"),
        ({"base_url": "http://falcon.example.com"}, "sources[0].base_url: http://falcon.example.com: has not the"),
        ({"base_url": "https://me:pw@falcon.example.com"}, "has not the right form"),
        ({"base_url": "https://falcon.example.com", "cloud": "us-1"}, "stands beside cloud. Leave one of the two out."),
        ({"proxy": "http://me:secret@proxy:3128"}, "has not the right form"),
        ({"member_cid": ["alpha"]}, "sources[0].member_cid: alpha: has not the right form. Write it like '0123"),
        ({"client_secret": "s3cret"}, "sources[0].client_secret: is a credential, which no inventory file holds. Set"),
        (
            {"project_numbers": {"prod-web": "578-609"}},
            "project_numbers.prod-web: 578-609: is no number of a project",
        ),
        (
            {"project_numbers": {"prod-web": True}},
            "project_numbers.prod-web: True: is no number of a project",
        ),
        (
            {"project_numbers": {"a": 1, "b": 1}},
            "project_numbers.b: 1: is the number of another project too",
        ),
        ({"tenants": {"alpha": CID}}, "sources[0].tenants.alpha"),
        ({"tenants": {CID: ""}}, "is no CID with its tenant"),
        ({"clowd": "eu-1"}, "sources[0].clowd: is no option. Did you mean cloud?"),
        ({"read_timeout": 0}, "sources[0].read_timeout: 0: is not in range"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_remedy(options: dict[str, Any], said: str) -> None:
    message = refused(options)
    assert message.startswith("fleet.multicloud.yml: sources[0]")
    assert said in message


def test_a_secret_in_the_file_is_not_shown() -> None:
    assert "s3cret" not in refused({"client_id": "c11e07", "client_secret": "s3cret", "access_token": "s3cret"})
