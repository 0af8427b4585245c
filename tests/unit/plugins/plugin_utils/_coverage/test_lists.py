# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory and the plans say of machines, as it is held against the sensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.lists import (
    latest_plan_of,
    listed_of,
    readings_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import Listed, Planned, Reached, Readings
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle


def test_a_host_is_what_its_variables_say() -> None:
    variables = {
        "fleet_tenant": "alpha",
        "fleet_cloud": "azure",
        "fleet_account": "9405B466-DC55-4B34-A424-2059FF303A68",
        "fleet_instance_id": "4220508A-D2A1-466F-9187-40594DB3256B",
        "fleet_power": "running",
        "fleet_transport": "ssh",
        "fleet_managed_by": ["azure"],
        "fleet_not_managed_by": ["ssm"],
        "fleet_sensor_id": "A1B2-C3D4",
    }
    identity = ("azure", "9405b466-dc55-4b34-a424-2059ff303a68", "4220508a-d2a1-466f-9187-40594db3256b")
    ways = ("azure",), ("ssm",)
    assert listed_of("web1", variables) == Listed("web1", "alpha", identity, "running", "ssh", *ways, "a1b2c3d4")


def test_what_is_not_said_is_unknown_and_a_number_without_quotes_is_a_text() -> None:
    unknown = ("unknown", "unknown", "unknown")
    assert listed_of("web1", {}) == Listed("web1", "unknown", unknown, "unknown", "")
    strange = {"fleet_cloud": ["aws"], "fleet_tenant": "", "fleet_managed_by": "ssm", "fleet_account": 123456789012}
    assert listed_of("web1", strange) == Listed("web1", "unknown", ("unknown", "123456789012", "unknown"))


def test_the_inventory_says_when_it_was_read_and_who_else_is_reached() -> None:
    only = {"cloud": "aws", "account": "123456789012", "region": "eu-west-1", "instance_id": "MI-1", "tenant": "alpha"}
    files = [
        {"inventory": "/a/aws.multicloud.yml", "read": "2026-11-15T22:00:00Z", "hosts": 3},
        {"inventory": "b", "read": "then", "only_managed": {"count": 51, "machines": [only]}},
    ]
    found = readings_of(files)
    assert found.moments[0] == {"inventory": "/a/aws.multicloud.yml", "read": "2026-11-15T22:00:00Z"}
    assert found.reached == [Reached(("aws", "123456789012", "mi-1"), "eu-west-1", "alpha")]
    assert found.not_named == 50
    assert readings_of(None) == Readings([], [])


@pytest.mark.parametrize(
    "population", [5, "text", [1], [{"read": "now"}], [{"inventory": "a", "read": "now", "only_managed": {"count": 1}}]]
)
def test_what_somebody_else_wrote_into_the_population_is_refused(population: Any) -> None:
    with pytest.raises(FleetError, match="fleet_population is not as") as refused:
        readings_of(population)
    assert refused.value.kind == "bad_inventory"


def test_the_latest_population_is_that_of_the_latest_plan(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    put_cycle(tmp_path, "alpha", "2026-10", hosts=2)
    latest = put_cycle(tmp_path, "alpha", "2026-11", hosts=3)
    plan = latest_plan_of(state, "alpha")
    assert plan
    assert (plan.plan, plan.cycle) == (latest, "2026-11")
    assert list(plan.hosts) == [
        Planned("alpha-host00000", ("aws", "unknown", "unknown")),
        Planned("alpha-host00001", ("azure", "unknown", "unknown")),
        Planned("alpha-host00002", ("onprem", "unknown", "unknown")),
    ]
    assert latest_plan_of(state, "beta") is None
