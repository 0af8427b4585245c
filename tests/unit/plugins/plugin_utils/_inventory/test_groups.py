# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of groups: safe, on record where they became the same, and ours left to us."""

from __future__ import annotations

import pytest
from ansible.plugins.inventory import to_safe_group_name

from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import GroupNames


def test_unsafe_names_of_groups_are_made_safe_and_those_that_become_the_same_are_kept() -> None:
    names = GroupNames(to_safe_group_name)
    assert [names.name(each) for each in ("tenant_a-b", "tenant_a b", "tenant_a_b", "tenant_c", "wave_é{")] == [
        *("tenant_a_b", "tenant_a_b", "tenant_a_b", "tenant_c"),
        "wave_é_",
    ]
    assert names.merged() == {"tenant_a_b": ["tenant_a b", "tenant_a-b", "tenant_a_b"]}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web", "web"),
        ("fleet", "x_fleet"),
        ("fleet-stopped", "x_fleet_stopped"),
        ("fleet_infrastructure", "x_fleet_infrastructure"),
        ("tenant_beta", "x_tenant_beta"),
        ("region.x", "x_region_x"),
        ("tenants", "tenants"),
        ("web1", "x_x_web1"),
        ("all", "x_all"),
    ],
)
def test_no_expression_puts_a_host_into_a_group_of_ours_or_makes_one_of_a_hosts_name(name: str, found: str) -> None:
    names = GroupNames(to_safe_group_name)
    assert names.of_expression(name, {"web1", "x_web1"}) == found
    assert list(names.renamed.values()) == ([found] if found.startswith("x_") else [])
