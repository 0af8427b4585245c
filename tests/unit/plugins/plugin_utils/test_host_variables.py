# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a real inventory as the policy engine sees them: evaluated, and plain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._host_variables import values_of, variables_of


def hostvars(folder: Path, common: dict[str, Any], **hosts: dict[str, Any]) -> HostVars:
    source = folder / "inventory.json"
    source.write_text(json.dumps({"all": {"children": {"fleet": {"hosts": hosts, "vars": common}}}}))
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[str(source)])
    manager = VariableManager(loader, inventory)
    manager.set_nonpersistent_facts("web1", {"fleet_scan": {"state": "{{ none.such }}"}})
    return HostVars(inventory, manager, loader)


def test_expressions_are_evaluated_for_each_host_and_plain_values_are_those_of_the_group(tmp_path: Path) -> None:
    common = {
        "patch_holds": [{"package": "{{ kept }}", "owner": "databases"}],
        "patch_waves": [{"name": "canary", "batches": [1, "50%"]}],
        "fleet_tenant": "alpha",
        "patch_reboot": "{{ 'never' if stays_up else 'always' }}",
        "kept": "postgresql*",
        "other": "{{ none.such }}",
    }
    found = hostvars(tmp_path, common, web1={"stays_up": True}, web2={"stays_up": False})
    web1, web2 = variables_of(found, ["web1", "web2"], "the inventory")
    assert web1.host == "web1"
    assert web1.variables["patch_holds"] == [{"package": "postgresql*", "owner": "databases"}]
    assert web1.variables["patch_waves"] == [{"name": "canary", "batches": [1, "50%"]}]
    assert (web1.variables["patch_reboot"], web2.variables["patch_reboot"]) == ("never", "always")
    assert {type(web1.variables[name]) for name in ("fleet_tenant", "patch_reboot")} == {str}
    assert "other" not in web1.variables


def test_what_is_registered_is_known_by_name_and_not_evaluated(tmp_path: Path) -> None:
    (web1,) = variables_of(hostvars(tmp_path, {"fleet_clster": "web"}, web1={}), ["web1"], "the inventory")
    assert web1.variables["fleet_scan"] is None
    assert "fleet_clster" in web1.variables


def test_an_expression_that_cannot_be_evaluated_is_named_with_its_host(tmp_path: Path) -> None:
    found = hostvars(tmp_path, {"patch_reboot": "{{ 'never' | no_such_filter }}"}, web1={})
    with pytest.raises(FleetError, match="patch_reboot of web1 cannot be evaluated") as refused:
        list(variables_of(found, ["web1"], "the inventory"))
    assert refused.value.kind == "bad_policy"


def test_the_variables_that_somebody_names_are_plain_whatever_they_are(tmp_path: Path) -> None:
    found = hostvars(tmp_path, {"fleet_tenant": "{{ client }}", "client": "alpha"}, web1={"fleet_managed_by": ["ssm"]})
    [(host, values)] = values_of(found, ["web1"], ("fleet_tenant", "fleet_managed_by", "fleet_cloud"), "the inventory")
    assert (host, values) == ("web1", {"fleet_tenant": "alpha", "fleet_managed_by": ["ssm"]})
    assert {type(values["fleet_tenant"]), type(values["fleet_managed_by"][0])} == {str}
