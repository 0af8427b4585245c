# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy: what is wrong is said once, with file, key, value and remedy, before any host is touched."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.cycle import is_emergency
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import (
    RUN_TIME,
    HostVariables,
    read_policies,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.selection import selection

from .fleets import PLACE, SOURCE, given, options, policies, policies_of, policy
from .policy_values import BALANCER, FREEZE, HOLD, HOOK, OVERRIDE, WINDOW, problem_with

# Bad input, with the exact message


def test_an_unknown_key_is_named_with_the_one_that_was_meant() -> None:
    assert problem_with(web1={"patch_minimum_age_day": 3}) == (
        "The policy has a problem; no host was touched:\n"
        "- group_vars/all.yml:21: patch_minimum_age_day: 3: is not known. Did you mean patch_minimum_age_days? (web1)"
    )


@pytest.mark.parametrize("name", sorted(RUN_TIME))
def test_what_is_given_when_a_playbook_is_started_is_known(name: str) -> None:
    assert policies(web1={name: "given"})


def test_a_malformed_value_is_named_with_what_would_be_right() -> None:
    assert problem_with(web1={"patch_timeout": "an hour"}) == (
        "The policy has a problem; no host was touched:\n"
        "- group_vars/all.yml:13: patch_timeout: an hour: must be a whole number. The default is 3600. (web1)"
    )


def test_a_missing_cluster_is_named_with_how_to_set_it() -> None:
    variables = {key: value for key, value in PLACE.items() if key != "fleet_cluster"}
    with pytest.raises(FleetError) as caught:
        read_policies(
            options(),
            [HostVariables("kv1", variables, lambda _key: "inventories/example (host kv1)")],
            emergency=False,
            source=SOURCE,
            inventory=["kv1"],
        )
    assert caught.value.message == (
        "The policy has a problem; no host was touched:\n"
        "- inventories/example (host kv1): fleet_cluster: is missing. "
        "Set fleet_cluster to the host's cluster, or to none if it stands alone. (kv1)"
    )


def test_a_host_of_an_etcd_cluster_cannot_stand_alone() -> None:
    check = {"type": "etcd", "name": "quorum", "endpoints": ["http://127.0.0.1:2379"]}
    assert problem_with(kv1={"fleet_cluster": "none", "patch_health_checks": [check]}) == (
        "The policy has a problem; no host was touched:\n"
        "- group_vars/all.yml:13: fleet_cluster: none: a host with an etcd health check is in a cluster. "
        "Set fleet_cluster to the name that all members of the etcd cluster share. (kv1)"
    )


def test_an_empty_fleet_is_named_with_where_to_look() -> None:
    with pytest.raises(FleetError) as caught:
        policies()
    assert caught.value.kind == "empty_fleet"
    assert caught.value.as_result()["msg"] == (
        "inventories/example: no host is selected, so there is nothing to plan. "
        "Look at the inventory (ansible-inventory --graph), --limit and patch_tenants."
    )


def test_one_wrong_group_variable_of_many_hosts_is_one_line() -> None:
    hosts = {f"web{number}": {"patch_reboot": "nightly"} for number in range(500)}
    assert problem_with(**hosts) == (
        "The policy has a problem; no host was touched:\n"
        "- group_vars/all.yml:12: patch_reboot: nightly: must be one of never, if_required, always. "
        "(web0, web1, web2 and 497 more)"
    )


def test_all_problems_of_all_hosts_are_reported_at_once() -> None:
    message = problem_with(web1={"patch_reboot": "nightly", "patch_hold": []}, web2={"patch_max_failed": -1})
    assert message.startswith("The policy has 3 problems")
    assert "patch_hold: []: is not known. Did you mean patch_holds?" in message
    assert "patch_max_failed: -1: must be at least 0" in message


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"patch_holds": [{**HOLD, "owner": None}]}, "patch_holds[0].owner: is missing"),
        ({"patch_holds": [{**HOLD, "reason": " "}]}, "patch_holds[0].reason: is empty"),
        ({"patch_holds": [{**HOLD, "expires": "next year"}]}, "patch_holds[0].expires: next year: is no date"),
        ({"patch_holds": [{**HOLD, "until": "x"}]}, "patch_holds[0].until: x: is not known"),
        ({"patch_holds": "openssl"}, "patch_holds: openssl: must be a list"),
        ({"patch_include": "nginx,openssl"}, "patch_include: nginx,openssl: must be a list"),
        ({"patch_allow_removals": "perhaps"}, "patch_allow_removals: perhaps: must be true or false"),
        ({"patch_waves": []}, "patch_waves: []: has no wave"),
        (
            {"patch_waves": [{"name": "broad", "batches": ["0%"]}]},
            "patch_waves[0].batches[0]: 0%: is no size of a batch",
        ),
        ({"patch_waves": [{"name": "broad", "batches": [0]}]}, "patch_waves[0].batches[0]: 0: is no size of a batch"),
        (
            {"patch_waves": [{"name": "broad"}, {"name": "broad"}]},
            "patch_waves[1].name: broad: must be a name of its own",
        ),
        ({"fleet_wave": "canry"}, "fleet_wave: canry: is no wave of patch_waves. Did you mean canary?"),
        ({"fleet_tenant": "../other"}, "fleet_tenant: ../other: is no name of a tenant"),
        ({"fleet_tenant": "unknown"}, "fleet_tenant: unknown: is no name of a tenant"),
        ({"fleet_cluster": "unknown"}, "fleet_cluster: unknown: does not say which hosts must not be down together"),
        ({"patch_minimum_free_mb": {"var": 5}}, "patch_minimum_free_mb.var: 5: is no absolute path"),
        ({"patch_minimum_free_mb": {"/": "much"}}, "patch_minimum_free_mb./: much: must be a whole number, 0 or more"),
        ({"patch_load_balancer": {"host": "lb1"}}, "patch_load_balancer.backend: is missing"),
        (
            {"patch_load_balancer": {**BALANCER, "host": "lb2"}},
            "patch_load_balancer.host: lb2: is not in the inventory",
        ),
        ({"patch_health_checks": [{"type": "ping"}]}, "patch_health_checks: health check 1: type must be one of"),
        (
            {"patch_hooks": {"before_hosts": []}},
            "patch_hooks.before_hosts: []: is not known. Did you mean before_host?",
        ),
        (
            {"patch_hooks": {"after_wave": ["hooks/tell.yml"]}},
            "patch_hooks.after_wave[0]: hooks/tell.yml: is no absolute path. Write it as",
        ),
        (
            {"patch_hooks": {"before_host": [HOOK, "/nowhere/tell.yml"]}},
            "patch_hooks.before_host[1]: /nowhere/tell.yml: is no file of this controller",
        ),
        (
            {"patch_window": {**WINDOW, "rrule": "2nd tuesday"}},
            "patch_window.rrule: 2nd tuesday: is no recurrence rule. ",
        ),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=HOURLY"}}, "patch_window.rrule: FREQ=HOURLY: must recur yearly"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=DAILY;BYDAY=XX"}}, "is no recurrence rule: invalid 'BYDAY': XX"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=DAILY;INTERVAL=0"}}, "is no recurrence rule. Write it as RFC 5545"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=DAILY;COUNT=0"}}, "FREQ=DAILY;COUNT=0: never occurs"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}}, "never occurs"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=DAILY;COUNT=2;UNTIL=20270101"}}, "has both COUNT and UNTIL"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=DAILY;UNTIL=20270101T000000Z"}}, "has an UNTIL in UTC"),
        ({"patch_window": {**WINDOW, "rrule": "FREQ=DAILY\nDTSTART:20260101"}}, "is no recurrence rule"),
        (
            {"patch_window": {**WINDOW, "start": "2026-01-12T22:00"}},
            "patch_window.start: 2026-01-12T22:00: is no occurrence of FREQ=MONTHLY;BYDAY=2TU. "
            "The first one after it is 2026-01-13T22:00.",
        ),
        ({"patch_window": {**WINDOW, "start": "2026-01-13"}}, "patch_window.start: 2026-01-13: is no date and time"),
        ({"patch_window": {**WINDOW, "start": "2026-01-13T22:00Z"}}, "Write the local date and time without a zone"),
        ({"patch_window": {**WINDOW, "start": "2026-02-30T22:00"}}, "2026-02-30T22:00: is no date and time"),
        ({"patch_window": {**WINDOW, "duration_minutes": 0}}, "patch_window.duration_minutes: 0: must be 1 to 10080"),
        (
            {"patch_window": {**WINDOW, "time_zone": "Europe/Berln"}},
            "patch_window.time_zone: Europe/Berln: is no time zone that is known here. Did you mean Europe/Berlin?",
        ),
        ({"patch_window": {"rrule": "FREQ=DAILY"}}, "patch_window.start: is missing"),
        ({"patch_freezes": [{**FREEZE, "from": "Christmas"}]}, "patch_freezes[0].from: Christmas: is neither a date"),
        (
            {"patch_freezes": [{**FREEZE, "to": "2026-12-23"}]},
            "patch_freezes[0].to: 2026-12-23: is not after 2026-12-24",
        ),
        (
            {"patch_freezes": [{**FREEZE, "owner": ""}]},
            "patch_freezes[0].owner: is empty. Say the owner of the freeze.",
        ),
        ({"patch_freezes": [{**FREEZE, "time_zone": "CET0"}]}, "patch_freezes[0].time_zone: CET0: is no time zone"),
        ({"patch_freeze_calendar": "freezes.ics"}, "patch_freeze_calendar: freezes.ics: is no absolute path"),
        ({"patch_change_ticket": {"pattern": "CHG["}}, "patch_change_ticket.pattern: CHG[: is no regular expression"),
        ({"patch_change_ticket": {"pattern": ".*"}}, "patch_change_ticket.pattern: .*: matches no id as well"),
        (
            {"patch_overrides": [{**OVERRIDE, "gate": "approval"}]},
            "patch_overrides[0].gate: approval: cannot be overridden: an override would be a way around the second "
            "person. These can be: checks, disk, freeze, metadata, population, ticket, window.",
        ),
        ({"patch_overrides": [{**OVERRIDE, "gate": "disks"}]}, "disks: is no gate. Did you mean disk?"),
        ({"patch_overrides": [{**OVERRIDE, "reason": " "}]}, "patch_overrides[0].reason: is empty"),
        ({"patch_overrides": [{**OVERRIDE, "expires": "soon"}]}, "patch_overrides[0].expires: soon: is no date"),
        ({"patch_overrides": [{"gate": "disk"}]}, "patch_overrides[0].owner: is missing"),
        (
            {"patch_emergency": {"patch_overrides": [{**OVERRIDE, "gate": "locks"}]}},
            "gate: locks: cannot be overridden",
        ),
        ({"patch_emergency": {"patch_clases": "all"}}, "patch_emergency.patch_clases: all: is not known"),
        ({"patch_emergency": {"patch_timeout": 0}}, "patch_emergency.patch_timeout: 0: must be at least 1"),
        ({"patch_emergency": {"patch_cycle": "2026-11"}}, "patch_emergency.patch_cycle: 2026-11: is not known"),
    ],
)
def test_what_is_wrong_with_a_value_is_said_with_its_path(variables: dict[str, Any], said: str) -> None:
    assert said in problem_with(web1=variables)


def test_a_value_cannot_break_or_colour_the_message() -> None:
    assert "patch_reboot: ?[31mred?two: must be" in problem_with(web1={"patch_reboot": "\x1b[31mred\ntwo"})


def test_a_misspelt_placement_is_recognised() -> None:
    variables = {**PLACE, "fleet_clusters": "etcd"}
    del variables["fleet_cluster"]
    with pytest.raises(FleetError, match=r"fleet_clusters is set; is it misspelt\?"):
        read_policies(
            options(), [HostVariables("kv1", variables, str)], emergency=False, source=SOURCE, inventory=["kv1"]
        )


# What hosts must agree about


def test_waves_are_those_of_the_tenant() -> None:
    other = [{"name": "broad", "batches": [9]}]
    message = problem_with(web1={}, web2={}, web3={"patch_waves": other})
    assert "patch_waves" in message
    assert "differs from the other hosts of the tenant tenant1" in message
    assert message.endswith("Set it once for the whole tenant, in its group_vars. (web3)")


def test_tenants_may_have_different_waves() -> None:
    other = [{"name": "broad", "batches": [9], "soak_minutes": 0}]
    found = policies(web1={}, web2={"fleet_tenant": "tenant2", "patch_waves": other})
    assert found["web2"].waves[0].batches == (9,)


def test_a_tenant_has_one_ticket_and_one_answer_for_it() -> None:
    message = problem_with(
        web1={}, web2={}, web3={"patch_overrides": [{**OVERRIDE, "gate": "ticket"}, {**OVERRIDE, "gate": "disk"}]}
    )
    assert "patch_overrides: [{'gate': 'ticket'" in message
    assert "differs from the other hosts of the tenant tenant1" in message
    pattern = {"patch_change_ticket": {"pattern": "CHG[0-9]+"}}
    assert "patch_change_ticket" in problem_with(web1={}, web2={}, web3=pattern)


def test_windows_and_overrides_of_a_host_are_its_own() -> None:
    own = {"patch_window": WINDOW, "patch_freezes": [FREEZE], "patch_overrides": [OVERRIDE]}
    assert policies(web1={}, web2=own)["web2"].overrides == (OVERRIDE,)


def test_members_of_a_cluster_have_one_limit() -> None:
    message = problem_with(
        kv1={"fleet_cluster": "etcd"},
        kv2={"fleet_cluster": "etcd"},
        kv3={"fleet_cluster": "etcd", "patch_cluster_max_down": 2},
    )
    assert "patch_cluster_max_down: 2: differs from the other hosts of the cluster etcd, which have 1" in message


def test_two_hosts_cannot_be_the_same_server() -> None:
    balancer = {**BALANCER, "server": "web1"}
    message = problem_with(web1={"patch_load_balancer": balancer}, web2={"patch_load_balancer": balancer})
    assert "patch_load_balancer.server: web1: is the server of web1 already" in message


@pytest.mark.parametrize("name", ["web[1:3]", "web*", "web,db", "web 1", "!web", "~web", "&web", "web:db"])
def test_a_name_that_ansible_reads_as_a_pattern_is_refused(name: str) -> None:
    with pytest.raises(FleetError, match="would be read by Ansible as a pattern of hosts"):
        read_policies(options(), [given(name, {})], emergency=False, source=SOURCE, inventory=[name])


def test_a_name_that_is_a_group_as_well_is_refused() -> None:
    with pytest.raises(FleetError, match="etcd: is the name of a group as well"):
        read_policies(
            options(), [given("etcd", {})], emergency=False, source=SOURCE, inventory=["etcd"], groups=["all", "etcd"]
        )


# Good input


def test_without_any_patch_variable_the_defaults_hold() -> None:
    found = policy()
    assert found.classes == "security"
    assert found.cluster is None
    assert found.load_balancer is None
    assert [wave.name for wave in found.waves] == ["canary", "early", "broad"]


def test_dates_may_be_written_without_quotes() -> None:
    window = yaml.safe_load("{rrule: FREQ=DAILY, start: 2026-01-13T22:00:00, duration_minutes: 60}")
    freeze = yaml.safe_load("{from: 2026-12-24, to: 2027-01-03, reason: year end, owner: operations}")
    found = policy(patch_window=window, patch_freezes=[freeze]).as_data()
    assert found["window"] == {**window, "start": "2026-01-13T22:00:00", "time_zone": "UTC"}
    assert found["freezes"] == [{**FREEZE, "time_zone": "UTC"}]


def test_an_emergency_may_override_what_an_ordinary_cycle_may_not() -> None:
    variables = {"patch_window": WINDOW, "patch_emergency": {"patch_overrides": [{**OVERRIDE, "gate": "window"}]}}
    assert policies_of({"web1": variables})["web1"].overrides == ()
    assert policies_of({"web1": variables}, emergency=True)["web1"].overrides[0]["gate"] == "window"


def test_a_hold_holds_until_the_end_of_its_last_day() -> None:
    found = policy(patch_holds=[{**HOLD, "expires": date(2026, 12, 31)}])
    assert selection(found, {}, date(2026, 12, 31))["held"] == ["openssl*"]
    assert selection(found, {}, date(2027, 1, 1))["held"] == []


def test_an_update_is_aged_when_the_fleet_saw_it_long_enough_ago() -> None:
    seen = {"openssl=2": "2026-11-14", "nginx=2": "2026-11-15"}
    assert selection(policy(patch_minimum_age_days=7), seen, date(2026, 11, 21))["aged"] == ["openssl=2"]
    assert selection(policy(), seen, date(2026, 11, 21))["aged"] is None


def test_emergency_values_hold_in_an_emergency_cycle_alone() -> None:
    variables = {
        "patch_minimum_age_days": 7,
        "patch_emergency": {"patch_minimum_age_days": 0, "patch_include": ["openssl"]},
    }
    assert policies_of({"web1": variables}, emergency=False)["web1"].minimum_age_days == 7
    urgent = policies_of({"web1": variables}, emergency=True)["web1"]
    assert (urgent.minimum_age_days, urgent.include) == (0, ("openssl",))


@pytest.mark.parametrize(("cycle", "emergency"), [("2026-11", False), ("2026-11-e1", True), ("2026-12-e12", True)])
def test_cycles_have_names_of_months(cycle: str, emergency: bool) -> None:
    assert is_emergency(cycle) is emergency


@pytest.mark.parametrize(
    "cycle", ["2026-13", "2026-1", "2026-11-e0", "2026-11-x", "november", "../2026-11", "2026-11\n", ""]
)
def test_other_names_of_cycles_are_refused(cycle: str) -> None:
    with pytest.raises(FleetError, match="is no cycle"):
        is_emergency(cycle)
