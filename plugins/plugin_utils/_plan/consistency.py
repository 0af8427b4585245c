# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several hosts must agree about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import Problem, did_you_mean, show

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy

    Read = Callable[[Policy], object]

Where = Callable[[str], str]
_SHARED_HOOKS = (
    "before_cycle",
    "after_cycle",
    "change_ticket",
    "before_wave",
    "after_wave",
    "before_batch",
    "after_batch",
)
_SHARED_GATES = ("population", "ticket")


def check(policies: Mapping[str, Policy], where: Mapping[str, Where], inventory: Collection[str]) -> Iterator[Problem]:
    """Values that differ where they must not, servers that are named twice, load balancers that nobody knows."""
    tenants: dict[Hashable, list[str]] = defaultdict(list)
    clusters: dict[Hashable, list[str]] = defaultdict(list)
    backends: dict[Hashable, list[str]] = defaultdict(list)
    servers: dict[Hashable, list[str]] = defaultdict(list)
    for host, policy in policies.items():
        tenants[policy.tenant].append(host)
        if policy.cluster is not None:
            clusters[policy.tenant, policy.cluster].append(host)
        balancer = policy.load_balancer
        if balancer:
            backends[balancer.host, balancer.backend].append(host)
            servers[balancer.host, balancer.backend, balancer.server].append(host)
    yield from _unknown_balancers(policies, where, inventory)
    yield from _machines_named_twice(policies, where)
    for key, read in _of_a_tenant().items():
        for hosts in tenants.values():
            yield from _differing(policies, where, hosts, key, read, "tenant")
    for hosts in clusters.values():
        yield from _differing(policies, where, hosts, "patch_cluster_max_down", lambda p: p.cluster_max_down, "cluster")
    for hosts in backends.values():
        yield from _differing(policies, where, hosts, "patch_load_balancer.min_healthy", _min_healthy, "backend")
    for hosts in servers.values():
        for host in hosts[1:]:
            balancer = policies[host].load_balancer
            name = show(balancer.server) if balancer else ""
            what = f"is the server of {show(hosts[0])} already"
            remedy = "Give each host the server that it is in the backend."
            yield Problem(where[host]("patch_load_balancer"), "patch_load_balancer.server", name, what, remedy, host)


def _unknown_balancers(
    policies: Mapping[str, Policy], where: Mapping[str, Where], inventory: Collection[str]
) -> Iterator[Problem]:
    for host, policy in policies.items():
        balancer = policy.load_balancer
        if balancer and balancer.host not in inventory:
            remedy = did_you_mean(balancer.host, inventory) or "Add it to the inventory."
            key, what = "patch_load_balancer.host", "is not in the inventory"
            yield Problem(where[host]("patch_load_balancer"), key, show(balancer.host), what, remedy, host)


def _machines_named_twice(policies: Mapping[str, Policy], where: Mapping[str, Where]) -> Iterator[Problem]:
    key, first = "fleet_instance_id", dict[str, str]()
    for host, policy in policies.items():
        other = first.setdefault(policy.instance_id, host)
        if other != host and policy.instance_id != "unknown":
            what = f"is the machine of {show(other)} already"
            remedy = "Leave one name of the machine in the inventory."
            yield Problem(where[host](key), key, show(policy.instance_id), what, remedy, host)


def _of_a_tenant() -> dict[str, Read]:
    return {
        "patch_waves": lambda policy: policy.waves,
        "patch_max_failed": lambda policy: policy.max_failed,
        "patch_plan_expires_hours": lambda policy: policy.plan_expires_hours,
        "patch_soak_wait_minutes": lambda policy: policy.soak_wait_minutes,
        "patch_approval": lambda policy: policy.approval,
        "patch_approval_signers": lambda policy: policy.approval_signers,
        "patch_approval_hours": lambda policy: policy.approval_hours,
        "patch_approval_awx": lambda policy: policy.approval_awx,
        "patch_change_ticket": lambda policy: policy.change_ticket,
        "patch_overrides": lambda policy: [each for each in policy.overrides if each["gate"] in _SHARED_GATES],
        "patch_hooks": lambda policy: {key: policy.hooks.get(key, []) for key in _SHARED_HOOKS},
    }


def _min_healthy(policy: Policy) -> object:
    return policy.load_balancer.min_healthy if policy.load_balancer else None


def _differing(
    policies: Mapping[str, Policy], where: Mapping[str, Where], hosts: list[str], key: str, read: Read, group: str
) -> Iterator[Problem]:
    """Those hosts whose value is not the one that most hosts of the group have."""
    values = {host: repr(read(policies[host])) for host in hosts}
    ((usual, _count),) = Counter(values.values()).most_common(1)
    for host, value in values.items():
        if value != usual:
            policy = policies[host]
            name = {"tenant": policy.tenant, "cluster": policy.cluster}.get(group, "behind the load balancer")
            what = f"differs from the other hosts of the {group} {show(name)}, which have {show(usual)}"
            remedy = f"Set it once for the whole {group}, in its group_vars."
            yield Problem(where[host](key.partition(".")[0]), key, show(value), what, remedy, host)
