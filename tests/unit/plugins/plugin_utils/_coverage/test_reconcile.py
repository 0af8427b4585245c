# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is found of machines, sensors and plans that do not agree."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import (
    Finding,
    LatestPlan,
    Listed,
    Planned,
    Reached,
    Readings,
    TenantCoverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.reconcile import reconcile
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import Sensors
from ansible_collections.bankops.fleet.tests.fakes.sensors import CID, NOW, host, instance, sensor

NOTHING = ("unknown", "unknown", "unknown")
PLAN = "a1b2c3d4" * 8


def plan_of(*hosts: Planned) -> LatestPlan:
    return LatestPlan(PLAN, "2026-10", hosts)


def look(
    hosts: Iterable[Listed],
    sensors: Sequence[SensorHost] | None,
    plans: Mapping[str, LatestPlan] | None = None,
    **options: Any,
) -> list[TenantCoverage]:
    given: dict[str, Any] = {"tenants": {}, "now": NOW, "stale_days": 7, "incomplete": False, **options}
    return reconcile(hosts, None if sensors is None else Sensors(sensors), plans or {}, **given)


def findings(*arguments: Any, **options: Any) -> list[tuple[str, Finding, str, str]]:
    """Tenant, finding, name and reason of each row."""
    found = look(*arguments, **options)
    return [(each.tenant, row.finding, row.name, row.why) for each in found for row in each.rows]


# Protection


def test_a_host_with_a_sensor_of_lately_is_protected() -> None:
    [alpha] = look([host(1), host(2)], [sensor("a1", instance(1)), sensor("a2", instance(2), days=6.9, rfm=True)])
    assert (alpha.machines, alpha.running, alpha.protected, alpha.reduced, alpha.rows) == (2, 2, 2, 1, [])


def test_a_running_host_without_a_sensor_is_unprotected() -> None:
    same_name = sensor("a1", NOTHING, hostname="web1")
    found = findings([host(1)], [same_name])
    assert found[0] == ("alpha", Finding.UNPROTECTED, "web1", "it runs, and no sensor has its identity")


@pytest.mark.parametrize("power", ["stopped", "other"])
def test_a_host_that_does_not_run_is_neither_protected_nor_unprotected(power: str) -> None:
    [alpha] = look([host(1, power=power), host(2, power=power)], [sensor("a1", instance(1), days=90)])
    assert (alpha.machines, alpha.running, alpha.protected, alpha.rows) == (2, 0, 0, [])


def test_a_host_of_which_nobody_says_whether_it_runs_is_taken_for_running() -> None:
    assert findings([host(1, power="unknown")], [])[0][1] is Finding.UNPROTECTED


def test_a_sensor_that_was_not_seen_lately_protects_nobody() -> None:
    [alpha] = look([host(1)], [sensor("a1", instance(1), days=8.5)])
    [row] = alpha.rows
    assert (row.finding, row.why) == (Finding.STALE, "its sensor was last seen on 2026-11-07, 8 days ago")
    assert alpha.protected == 0


def test_a_sensor_of_which_nobody_says_when_it_was_seen_is_unknown() -> None:
    assert findings([host(1)], [sensor("a1", instance(1), days=None)])[0][1] is Finding.UNKNOWN


def test_several_sensors_of_one_machine_are_told_and_the_latest_counts() -> None:
    [alpha] = look([host(1)], [sensor("old", instance(1), days=40), sensor("new", instance(1))])
    [row] = alpha.rows
    assert row.finding is Finding.DUPLICATE
    assert row.why == "2 sensors have its identity: new on 2026-11-15; old on 2026-10-06, 40 days ago"
    assert row.sensors == ("new", "old")
    assert alpha.protected == 1


def test_without_sensors_nobody_is_protected_and_nobody_known_to_be_unprotected() -> None:
    [alpha] = look([host(1), host(2), host(3, power="stopped")], None)
    assert (alpha.protected, alpha.not_told, alpha.rows) == (0, 2, [])
    assert alpha.counts["unknown"] == 2
    assert alpha.counts["unprotected"] == 0


def test_a_host_that_nothing_joins_is_unknown() -> None:
    [row] = findings([host(1, identity=("onprem", "unknown", "web1"))], [])
    assert row[1] is Finding.UNKNOWN
    assert "fleet_sensor_id" in row[3]


def test_a_host_on_premises_is_joined_by_the_sensor_that_its_owner_names() -> None:
    at_home = host(1, identity=("onprem", "unknown", "web1"), sensor_id="a1")
    [alpha] = look([at_home], [sensor("a1", NOTHING)])
    assert (alpha.protected, alpha.rows) == (1, [])
    [row] = findings([at_home], [])
    assert row[1:] == (Finding.UNPROTECTED, "web1", "it runs, and no sensor has its fleet_sensor_id a1")


def test_a_google_project_that_nobody_knows_by_its_number_is_not_guessed() -> None:
    machine = host(1, identity=("gcp", "prod-web", "77"))
    maybe = sensor("a1", ("gcp", "578609343865", "77"), account_is_known=False)
    [row] = findings([machine], [maybe])
    assert row[1] is Finding.UNKNOWN
    assert row[3] == "a sensor has its instance id, and account 578609343865 where it has prod-web"


def test_on_premises_an_account_is_nothing_to_join_by() -> None:
    [row] = findings([host(1, identity=("onprem", "dc1", "core1"))], [])
    assert row[1] is Finding.UNKNOWN


def test_a_sensor_that_several_hosts_name_protects_none_of_them() -> None:
    hosts = [host(n, identity=("onprem", "dc1", f"core{n}"), sensor_id="a1") for n in (1, 2)]
    [alpha] = look(hosts, [sensor("a1", NOTHING)])
    assert alpha.protected == 0
    assert [(row.finding, row.host) for row in alpha.rows] == [
        (Finding.DUPLICATE, "web1"),
        (Finding.DUPLICATE, "web2"),
        (Finding.UNKNOWN, "web1"),
        (Finding.UNKNOWN, "web2"),
    ]
    assert alpha.rows[0].why == "several hosts have its sensor: web1, web2"


def test_a_sensor_that_an_owner_names_and_another_host_has_by_identity_protects_neither() -> None:
    named = host(1, identity=NOTHING, sensor_id="a2")
    [alpha] = look([named, host(2)], [sensor("a2", instance(2))])
    assert alpha.protected == 0
    assert [row.finding for row in alpha.rows] == [Finding.DUPLICATE] * 2 + [Finding.UNKNOWN] * 2


@pytest.mark.parametrize(
    ("sensors", "told"),
    [
        (None, []),
        ([], [Finding.UNPROTECTED] * 2),
        ([sensor("a1", instance(1))], [Finding.UNKNOWN] * 2),
    ],
)
def test_hosts_with_one_identity_are_duplicates_with_and_without_a_sensor(
    sensors: list[SensorHost] | None, told: list[Finding]
) -> None:
    [alpha] = look([host(1), host(2, identity=instance(1))], sensors)
    assert alpha.protected == 0
    duplicates = [row.why for row in alpha.rows if row.finding is Finding.DUPLICATE]
    assert duplicates == ["several hosts have its identity: web1, web2"] * 2
    assert [row.finding for row in alpha.rows if row.finding is not Finding.DUPLICATE] == told


def test_a_duplicate_of_another_tenant_is_not_named() -> None:
    found = findings([host(1), host(2, tenant="beta", identity=instance(1))], [sensor("a1", instance(1))])
    assert [row[0:2] for row in found] == [
        (tenant, finding) for tenant in ("alpha", "beta") for finding in (Finding.DUPLICATE, Finding.UNKNOWN)
    ]
    assert found[0][3] == "several hosts have its identity: web1, and of another tenant"


def test_a_sensor_that_says_that_it_is_elsewhere_is_not_the_one_that_its_owner_names() -> None:
    [alpha, nobody] = look([host(1, sensor_id="a9")], [sensor("a9", instance(9))])
    [row] = alpha.rows
    assert (row.finding, row.why) == (
        Finding.UNKNOWN,
        "its fleet_sensor_id is a9, and that sensor says that it is elsewhere",
    )
    assert [row.finding for row in nobody.rows] == [Finding.UNMANAGED]


def test_a_sensor_in_the_cid_of_another_tenant_protects_nobody() -> None:
    other = sensor("b1", instance(1), cid="b" * 32)
    tenants = {CID: "alpha", "b" * 32: "beta"}
    [alpha] = look([host(1)], [other], tenants=tenants)
    [row] = alpha.rows
    assert (row.finding, row.why, row.sensors) == (
        Finding.UNKNOWN,
        "its sensor is in the CID of another tenant",
        (),
    )
    [alpha] = look([host(1)], [other, sensor("a1", instance(1), days=1)], tenants=tenants)
    [row] = alpha.rows
    assert (alpha.protected, row.finding, row.sensors) == (1, Finding.DUPLICATE, ())
    assert "b1" not in row.why
    [alpha] = look([host(1, sensor_id="a9")], [other], tenants=tenants)
    assert [(row.finding, row.sensors) for row in alpha.rows] == [(Finding.UNKNOWN, ())]


@pytest.mark.parametrize(("days", "protected"), [(-0.005, 1), (-0.1, 0), (-400, 0)])
def test_a_sensor_of_the_future_protects_nobody(days: float, protected: int) -> None:
    [alpha] = look([host(1)], [sensor("a1", instance(1), days=days)])
    assert alpha.protected == protected
    assert [row.finding for row in alpha.rows] == ([] if protected else [Finding.UNKNOWN])


# Management


def test_a_running_host_that_no_transport_reaches_is_unmanaged() -> None:
    hosts = [host(1, transport="unknown"), host(2, transport="unknown", power="stopped"), host(3, transport="")]
    [row] = findings(hosts, [sensor(f"a{n}", instance(n)) for n in (1, 2, 3)])
    assert row[1:3] == (Finding.UNMANAGED, "web1")


def test_a_running_host_that_its_cloud_s_way_does_not_reach_is_unmanaged() -> None:
    hosts = [host(1, not_managed_by=("ssm",)), host(2, not_managed_by=("ssm",), power="stopped")]
    [row] = findings(hosts, [sensor(f"a{n}", instance(n)) for n in (1, 2)])
    assert row[1:] == (Finding.UNMANAGED, "web1", "it runs, and ssm, which was asked about it, does not reach it")


def test_a_machine_that_only_systems_manager_knows_is_unmanaged() -> None:
    hybrid = Reached(("aws", "123456789012", "mi-1"), "eu-central-1", "alpha")
    readings = Readings((), [hybrid, Reached(instance(1), "eu-central-1")], not_named=7)
    found = findings([host(1)], None, readings=readings)
    assert [row[:3] for row in found] == [
        ("alpha", Finding.UNMANAGED, "mi-1"),
        ("unknown", Finding.UNMANAGED, "7 more"),
    ]
    assert found[0][3] == "Systems Manager reaches it in eu-central-1, and no inventory has it"
    [row, _more] = findings([host(1)], None, readings=readings, incomplete=True)
    assert row[1] is Finding.UNKNOWN


def test_the_ways_to_hosts_are_counted() -> None:
    hosts = [host(1, managed_by=("ssm",)), host(2, transport="ssm", managed_by=("ssm",)), host(3, power="stopped")]
    [alpha] = look(hosts, None)
    assert (alpha.transports, alpha.managed_by) == ({"ssh": 1, "ssm": 1}, {"ssm": 2})


def test_a_machine_that_only_falcon_knows_is_unmanaged_and_a_record_of_long_ago_stale() -> None:
    found = findings([], [sensor("a1", instance(1)), sensor("a2", instance(2), days=30)])
    assert sorted(found) == [
        (
            "unknown",
            Finding.STALE,
            "host-a2",
            "its sensor was last seen on 2026-10-16, 30 days ago, and no inventory has it",
        ),
        ("unknown", Finding.UNMANAGED, "host-a1", "its sensor was last seen on 2026-11-15, and no inventory has it"),
    ]


def test_a_machine_that_only_falcon_knows_is_its_tenants_where_its_cid_says_so() -> None:
    other = sensor("a2", instance(2), cid="f" * 32)
    found = look([], [sensor("a1", instance(1)), other], tenants={CID: "alpha"})
    assert [(each.tenant, [row.name for row in each.rows]) for each in found] == [
        ("alpha", ["host-a1"]),
        ("unknown", ["host-a2"]),
    ]


def test_several_sensors_of_a_machine_that_only_falcon_knows_are_one_machine() -> None:
    found = findings([], [sensor("a1", instance(1)), sensor("a2", instance(1), days=20)])
    assert [row[1] for row in found] == [Finding.UNMANAGED, Finding.DUPLICATE]


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        (NOTHING, "its sensor does not say on which machine it is"),
        (("gcp", "578609343865", "77"), "nobody says whose account 578609343865 is"),
    ],
)
def test_a_sensor_that_does_not_say_where_it_is_is_unknown(identity: tuple[str, str, str], why: str) -> None:
    [row] = findings([], [sensor("a1", identity, account_is_known=False)])
    assert row == ("unknown", Finding.UNKNOWN, "host-a1", why)


def test_with_an_incomplete_inventory_nobody_is_said_to_be_in_none() -> None:
    plans = {"alpha": plan_of(Planned("web9", instance(9)))}
    found = findings([], [sensor("a1", instance(1))], plans, incomplete=True)
    assert [row[1] for row in found] == [Finding.UNKNOWN, Finding.UNKNOWN]
    assert all("the inventory is incomplete" in row[3] for row in found)


# The last population


def test_a_host_of_the_last_plan_that_no_inventory_has_is_gone_whatever_has_its_name() -> None:
    plans = {"alpha": plan_of(Planned("web1", instance(1)), Planned("web2", instance(2)))}
    renamed = Listed("db7", "alpha", instance(2), "running", "ssh")
    [row] = findings([Listed("web1", "alpha", instance(5), "running", "ssh"), renamed], None, plans)
    assert row == ("alpha", Finding.GONE, "web1", f"of plan {PLAN[:16]}: no inventory has it any more")


def test_a_tenant_that_the_inventory_has_lost_as_a_whole_is_found_by_its_plan() -> None:
    plans = {"beta": plan_of(Planned("db1", instance(1)))}
    found = look([host(1, identity=instance(2))], None, plans)
    assert [(each.tenant, each.planned, each.plan, each.counts["gone"]) for each in found] == [
        ("alpha", 0, "", 0),
        ("beta", 1, PLAN, 1),
    ]


@pytest.mark.parametrize("planned", [Planned("web1", instance(1)), Planned("web1", NOTHING)])
@pytest.mark.parametrize("now_of", ["alpha", "unknown"])
@pytest.mark.parametrize("incomplete", [True, False])
def test_a_host_that_moved_to_another_tenant_is_gone_for_the_one_that_planned_it(
    planned: Planned, now_of: str, incomplete: bool
) -> None:
    [row] = findings([host(1, tenant=now_of)], None, {"beta": plan_of(planned)}, incomplete=incomplete)
    assert row == ("beta", Finding.GONE, "web1", f"of plan {PLAN[:16]}: the inventory has it, and not as this tenant's")


def test_without_an_account_nobody_is_taken_for_a_host_of_the_plan() -> None:
    def without(number: int) -> tuple[str, str, str]:
        return "aws", "unknown", instance(number)[2]

    earlier = [Planned("a", without(1)), Planned("b", without(2)), Planned("c", instance(3)), Planned("d", without(4))]
    hosts = [host(1), host(3, identity=without(3)), host(4, identity=without(4))]
    found = findings(hosts, None, {"alpha": plan_of(*earlier)})
    assert [row[1:3] for row in found] == [(Finding.GONE, "b"), (Finding.UNKNOWN, "a"), (Finding.UNKNOWN, "c")]
    assert found[1][3].endswith("whether in the same account is not known")


def test_what_stands_on_premises_is_there_as_long_as_the_inventory_says_the_same_of_it() -> None:
    here, lost = (("onprem", "unknown", name) for name in ("core1", "core2"))
    plans = {"alpha": plan_of(Planned("core1", here), Planned("core2", lost))}
    assert [row[1:3] for row in findings([host(1, identity=here)], None, plans)] == [(Finding.GONE, "core2")]


def test_what_has_no_identity_is_told_by_its_name_and_never_said_to_be_gone() -> None:
    plans = {"alpha": plan_of(Planned("web1", NOTHING), Planned("web2", NOTHING))}
    [row] = findings([host(1)], None, plans)
    assert row[1:3] == (Finding.UNKNOWN, "web2")


def test_a_host_that_was_missing_already_is_gone_until_it_comes_back() -> None:
    lost = [Planned(name, NOTHING, was_missing=True) for name in ("web1", "web2")]
    [row] = findings([host(1)], None, {"alpha": plan_of(*lost)})
    assert row[1:3] == (Finding.GONE, "web2")
    assert row[3].endswith("it was missing when that was made")


def test_who_has_no_tenant_comes_last() -> None:
    found = look([host(1, tenant="unknown"), host(2, tenant="zeta"), host(3)], None)
    assert [each.tenant for each in found] == ["alpha", "zeta", "unknown"]


def test_the_time_grows_with_the_fleet_and_no_faster() -> None:
    def seconds(size: int) -> float:
        hosts = [host(n) for n in range(size)]
        sensors = [sensor(f"{n:032x}", instance(n)) for n in range(size // 2, size + size // 2)]
        plans = {"alpha": plan_of(*(Planned(f"web{n}", instance(n)) for n in range(0, 2 * size, 2)))}
        started = time.process_time()
        [alpha, nobody] = look(hosts, sensors, plans)
        passed = time.process_time() - started
        assert (alpha.counts["unprotected"], alpha.counts["gone"]) == (size // 2, size // 2)
        assert nobody.counts["unmanaged"] == size // 2
        return passed

    assert min(seconds(10_000) for _ in range(2)) < 30 * min(seconds(1000) for _ in range(3))
