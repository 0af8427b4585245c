# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the sensors are asked of: those that the inventory files name, or those that the task does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import FalconSource
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_api import Reach
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.reading import (
    read_sensors,
    sources_of_inventory,
    sources_of_option,
)

CID = "0123456789abcdef0123456789abcdef"
FILE = """
plugin: bankops.fleet.multicloud
sources:
  - {type: falcon, name: ${name}, cloud: eu-1, tenants: {0123456789abcdef0123456789abcdef: alpha}}
"""


def write(folder: Path, path: str, name: str) -> str:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FILE.replace("${name}", name))
    return str(file)


def names(sources: list[FalconSource]) -> list[str]:
    return [source.name for source in sources]


def test_the_sources_of_inventory_files_are_found_where_ansible_looks(tmp_path: Path) -> None:
    alone = write(tmp_path, "one.multicloud.yml", "alone")
    write(tmp_path, "folder/b.multicloud.yaml", "second")
    write(tmp_path, "folder/a/multicloud.yml", "first")
    write(tmp_path, "folder/group_vars/x.multicloud.yml", "variables")
    write(tmp_path, "folder/other.yml", "other")
    inventories = [alone, str(tmp_path / "folder"), str(tmp_path / "gone.multicloud.yml"), "web1,web2", "localhost,"]
    found = sources_of_inventory(inventories, DataLoader())
    assert names(found) == ["alone", "first", "second"]
    assert found[0] == FalconSource("alone", Reach("eu-1"), tenants={CID: "alpha"})


def test_an_inventory_file_that_is_wrong_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "multicloud.yml"
    file.write_text("plugin: bankops.fleet.multicloud\nsources: [{type: falcon, cloud: mars-1}]\n")
    with pytest.raises(FleetError, match="mars-1: is not known"):
        sources_of_inventory([str(file)], DataLoader())


def test_the_task_names_them_the_same_way() -> None:
    found = sources_of_option([{"cloud": "us-2"}, {"type": "falcon", "member_cid": [CID]}, {"name": "gov"}], "the task")
    assert names(found) == ["falcon", "falcon2", "gov"]
    assert found[1].member_cids == (CID,)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"type": "aws"}, "the task: falcon[0].type: aws: is not known"),
        ({"client_secret": "s3cret"}, "falcon[0].client_secret: is a credential, which no inventory file holds"),
        ({"clowd": "us-1"}, "falcon[0].clowd: is no option. Did you mean cloud?"),
        ("eu-1", "falcon[0]: eu-1: is no mapping"),
    ],
)
def test_what_the_task_says_wrong_is_refused(option: Any, said: str) -> None:
    with pytest.raises(FleetError) as refused:
        sources_of_option([option], "the task")
    assert said in refused.value.message
    assert "s3cret" not in refused.value.message


def test_a_cid_that_cannot_be_read_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FALCON_CLIENT_ID", "FALCON_CLIENT_SECRET", "FALCON_CLOUD", "FALCON_MEMBER_CID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FleetError, match="FALCON_CLIENT_ID and FALCON_CLIENT_SECRET are not set") as refused:
        read_sensors([FalconSource("falcon", Reach())], 10)
    assert refused.value.kind == "source_failed"
    assert refused.value.remedy.startswith("Who is protected is not known")
