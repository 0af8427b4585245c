# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches: who is out of service at the same time.

A group is a set of hosts of which only so many may be out of service at once: a cluster, or the servers of a load
balancer's backend. Its room is that number.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import WavePlan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy, Wave


class Group(NamedTuple):
    """A cluster (``kind`` is cluster) or a backend (``name`` is backend on load balancer)."""

    kind: str
    name: str


@dataclass(frozen=True)
class Member:
    """A host as batches see it."""

    host: str
    wave: str
    groups: tuple[Group, ...]


@dataclass
class Room:
    """What is known of a group: its members, those that cannot be reached, and its limits."""

    members: int = 0
    unreachable: int = 0
    max_down: int = 0
    min_healthy: int | None = None

    @property
    def left(self) -> int:
        """How many hosts may be taken out of service at once; one that cannot be reached may be out already."""
        left = self.max_down - self.unreachable
        if self.min_healthy is not None:
            left = min(left, self.members - self.unreachable - self.min_healthy)
        return max(left, 0)


def groups_of(policy: Policy) -> tuple[Group, ...]:
    """The groups that a host is in."""
    cluster = [Group("cluster", policy.cluster)] if policy.cluster is not None else []
    balancer = policy.load_balancer
    return (*cluster, *([Group("backend", f"{balancer.backend} on {balancer.host}")] if balancer else []))


def count_in(rooms: dict[Group, Room], policy: Policy, *, reachable: bool) -> None:
    """Count a host into the rooms of its groups. Where limits differ, the strictest one counts."""
    for group in groups_of(policy):
        room = rooms.setdefault(group, Room(max_down=policy.cluster_max_down))
        room.members += 1
        room.unreachable += not reachable
        room.max_down = min(room.max_down, policy.cluster_max_down)
        if group.kind == "backend" and policy.load_balancer:
            room.min_healthy = max(room.min_healthy or 0, policy.load_balancer.min_healthy)


def make_batches(waves: Sequence[Wave], members: Iterable[Member], room: Mapping[Group, int]) -> list[WavePlan]:
    """The waves with their batches: hosts by name, batches as large as the wave's sizes and the groups' room allow.

    ``room`` is at least 1 for every group of a member. The result depends on nothing but the arguments.
    """
    by_wave: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_wave[member.wave].append(member)
    return [
        {
            "name": wave.name,
            "soak_minutes": wave.soak_minutes,
            "batches": _batches_of(by_wave[wave.name], _sizes(wave.batches, len(by_wave[wave.name])), room),
        }
        for wave in waves
    ]


def _sizes(sizes: Sequence[int | str], hosts: int) -> list[int]:
    """Sizes in hosts. A percentage is rounded down, to 1 at least, as Ansible does it for ``serial``."""
    return [size if isinstance(size, int) else max(1, hosts * int(size.rstrip("%")) // 100) for size in sizes]


def _batches_of(members: list[Member], sizes: list[int], room: Mapping[Group, int]) -> list[list[str]]:
    """Fill batch by batch with the first hosts by name for whose groups there is room.

    Hosts of the same groups queue together, so that a large cluster is looked at once a batch and not once a host.
    """
    queues: dict[tuple[Group, ...], deque[str]] = defaultdict(deque)
    for member in sorted(members, key=lambda member: member.host):
        queues[member.groups].append(member.host)
    waiting = [(queue[0], groups) for groups, queue in queues.items()]
    heapq.heapify(waiting)
    batches: list[list[str]] = []
    while waiting:
        size = sizes[min(len(batches), len(sizes) - 1)]
        batch: list[str] = []
        taken: Counter[Group] = Counter()
        full = []
        while waiting and len(batch) < size:
            host, groups = heapq.heappop(waiting)
            if any(taken[group] >= room[group] for group in groups):
                full.append((host, groups))
                continue
            batch.append(host)
            taken.update(groups)
            queue = queues[groups]
            queue.popleft()
            if queue:
                heapq.heappush(waiting, (queue[0], groups))
        if not batch:
            raise ValueError("The room of every group must be at least 1.")
        for entry in full:
            heapq.heappush(waiting, entry)
        batches.append(batch)
    return batches
