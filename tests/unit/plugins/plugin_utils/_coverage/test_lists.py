# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory and the plans say of machines, as it is held against the sensors."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.lists import latest_plan_of, listed_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import Listed, Planned
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
        "fleet_sensor_id": "A1B2-C3D4",
    }
    identity = ("azure", "9405b466-dc55-4b34-a424-2059ff303a68", "4220508a-d2a1-466f-9187-40594db3256b")
    assert listed_of("web1", variables) == Listed("web1", "alpha", identity, "running", "ssh", ("azure",), "a1b2c3d4")


def test_what_is_not_said_is_unknown_and_a_number_without_quotes_is_a_text() -> None:
    unknown = ("unknown", "unknown", "unknown")
    assert listed_of("web1", {}) == Listed("web1", "unknown", unknown, "unknown", "")
    strange = {"fleet_cloud": ["aws"], "fleet_tenant": "", "fleet_managed_by": "ssm", "fleet_account": 123456789012}
    assert listed_of("web1", strange) == Listed("web1", "unknown", ("unknown", "123456789012", "unknown"))


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
