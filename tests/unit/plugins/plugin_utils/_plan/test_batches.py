# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches and what is left of them: for arbitrary fleets, limits and half-finished attempts."""

from __future__ import annotations

from collections import Counter
from itertools import chain, groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.batches import Group, Member, Room, make_batches
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Wave
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.rollout import rollout

NAMES = [f"host{number}" for number in range(30)]
GROUPS = [
    Group("cluster", "etcd"),
    Group("cluster", "db"),
    Group("backend", "web on lb1"),
    Group("backend", "api on lb1"),
]
SIZES = st.one_of(st.integers(1, 40), st.integers(1, 100).map("{}%".format))
WAVES = st.lists(st.lists(SIZES, min_size=1, max_size=4), min_size=1, max_size=4).map(
    lambda sizes: [Wave(f"wave{number}", tuple(given_sizes), 0) for number, given_sizes in enumerate(sizes)]
)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Wave], list[Member], dict[Group, int]]:
    """Waves, hosts in any waves and groups, and room of at least one for every group."""
    waves = draw(WAVES)
    hosts = draw(st.lists(st.sampled_from(NAMES), unique=True))
    members = [
        Member(
            host,
            draw(st.sampled_from(waves)).name,
            tuple(sorted(draw(st.sets(st.sampled_from(GROUPS), max_size=3)))),
        )
        for host in hosts
    ]
    return waves, members, {group: draw(st.integers(1, 5)) for group in GROUPS}


def plan_of(fleet: tuple[list[Wave], list[Member], dict[Group, int]]) -> dict[str, Any]:
    return {"waves": make_batches(*fleet)}


def batches_of(head: dict[str, Any]) -> list[list[str]]:
    return [batch for wave in head["waves"] for batch in wave["batches"]]


@given(fleets())
def test_every_host_is_in_exactly_one_batch_of_its_wave(fleet: Any) -> None:
    waves, members, _room = fleet
    found = {wave["name"]: sorted(chain(*wave["batches"])) for wave in make_batches(*fleet)}
    assert found == {wave.name: sorted(member.host for member in members if member.wave == wave.name) for wave in waves}


@given(fleets())
def test_no_batch_takes_more_of_a_group_than_it_has_room_for(fleet: Any) -> None:
    _waves, members, room = fleet
    groups = {member.host: member.groups for member in members}
    for batch in batches_of(plan_of(fleet)):
        taken = Counter(chain.from_iterable(groups[host] for host in batch))
        assert all(count <= room[group] for group, count in taken.items())


@given(fleets())
def test_no_batch_is_empty_or_larger_than_its_size(fleet: Any) -> None:
    waves, members, _room = fleet
    for wave, planned in zip(waves, make_batches(*fleet), strict=True):
        hosts = sum(member.wave == wave.name for member in members)
        sizes = [size if isinstance(size, int) else max(1, hosts * int(size[:-1]) // 100) for size in wave.batches]
        for number, batch in enumerate(planned["batches"]):
            assert 1 <= len(batch) <= sizes[min(number, len(sizes) - 1)]


@given(fleets(), st.randoms())
def test_the_order_of_the_inventory_does_not_matter(fleet: Any, random: Any) -> None:
    waves, members, room = fleet
    shuffled = list(members)
    random.shuffle(shuffled)
    assert make_batches(waves, shuffled, room) == make_batches(waves, members, room)


@given(fleets())
def test_a_batch_is_only_short_when_nobody_else_fits(fleet: Any) -> None:
    """Every host of a later batch of the wave would have broken a limit, or the batch is full."""
    waves, members, room = fleet
    groups = {member.host: member.groups for member in members}
    for wave, planned in zip(waves, make_batches(*fleet), strict=True):
        hosts = sum(member.wave == wave.name for member in members)
        for number, batch in enumerate(planned["batches"]):
            size = wave.batches[min(number, len(wave.batches) - 1)]
            full = size if isinstance(size, int) else max(1, hosts * int(size[:-1]) // 100)
            taken = Counter(chain.from_iterable(groups[host] for host in batch))
            later = chain.from_iterable(planned["batches"][number + 1 :])
            assert len(batch) == full or all(any(taken[g] >= room[g] for g in groups[host]) for host in later)


def test_sizes_are_those_of_ansibles_serial() -> None:
    members = [Member(f"web{number:02}", "broad", ()) for number in range(10)]
    [wave] = make_batches([Wave("broad", (1, "25%", 3), 0)], members, {})
    assert [len(batch) for batch in wave["batches"]] == [1, 2, 3, 3, 1]
    [wave] = make_batches([Wave("broad", ("1%",), 0)], members[:3], {})
    assert [len(batch) for batch in wave["batches"]] == [1, 1, 1]


def test_a_cluster_of_a_thousand_is_taken_one_by_one_without_delay() -> None:
    """Structure, not timing: a quadratic way would need half a million looks."""
    group = Group("cluster", "etcd")
    looks = 0

    class Counting(dict[Group, int]):
        def __getitem__(self, key: Group) -> int:
            nonlocal looks
            looks += 1
            return super().__getitem__(key)

    members = [Member(f"kv{number:04}", "broad", (group,)) for number in range(1000)]
    [wave] = make_batches([Wave("broad", ("100%",), 0)], members, Counting({group: 1}))
    assert [len(batch) for batch in wave["batches"]] == [1] * 1000
    assert looks < 3000


@pytest.mark.parametrize(
    ("room", "left"),
    [
        (Room(members=3, max_down=1), 1),
        (Room(members=3, unreachable=1, max_down=1), 0),
        (Room(members=3, unreachable=1, max_down=2), 1),
        (Room(members=3, max_down=5, min_healthy=1), 2),
        (Room(members=3, max_down=1, min_healthy=1), 1),
        (Room(members=1, max_down=1, min_healthy=1), 0),
        (Room(members=3, unreachable=1, max_down=3, min_healthy=2), 0),
        (Room(members=2, max_down=1, min_healthy=5), 0),
    ],
)
def test_room_is_what_neither_the_cluster_nor_the_load_balancer_misses(room: Room, left: int) -> None:
    assert room.left == left


# What is left

LIMITS = st.none() | st.sets(st.sampled_from(NAMES))


@given(fleets(), st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), LIMITS)
def test_a_batch_that_runs_is_always_part_of_one_batch_of_the_plan(
    fleet: Any, finished: set[str], inventory: set[str], limit: set[str] | None
) -> None:
    head = plan_of(fleet)
    left = rollout([("a" * 64, head)], finished={"a" * 64: finished}, inventory=inventory, limit=limit)
    planned = batches_of(head)
    assert all(any(set(batch) <= set(whole) for whole in planned) for batch in left.batches)
    allowed = set(chain(*planned)) - finished
    allowed &= allowed if limit is None else limit
    assert set(left.hosts) == allowed & inventory
    assert set(left.missing) == allowed - inventory
    # In the plan's order, and each whole batch once.
    order = {host: position for position, host in enumerate(chain(*planned))}
    assert left.hosts == sorted(left.hosts, key=order.__getitem__)
    numbers = {host: number for number, whole in enumerate(planned) for host in whole}
    assert [list(same) for _number, same in groupby(left.hosts, key=numbers.__getitem__)] == left.batches


@given(fleets(), st.sets(st.sampled_from(NAMES)))
def test_serial_cuts_the_hosts_into_the_batches(fleet: Any, finished: set[str]) -> None:
    left = rollout([("a" * 64, plan_of(fleet))], finished={"a" * 64: finished}, inventory=set(NAMES), limit=None)
    hosts, cut = list(left.hosts), []
    for size in left.serial if left.hosts else []:
        cut.append(hosts[:size])
        hosts = hosts[size:]
    assert hosts == []
    assert cut == left.batches


@given(fleets(), st.data())
def test_attempt_after_attempt_the_plan_comes_to_its_end(fleet: Any, data: st.DataObject) -> None:
    head, finished = plan_of(fleet), set[str]()
    everybody = set(chain(*batches_of(head)))
    while finished != everybody:
        left = rollout([("a" * 64, head)], finished={"a" * 64: finished}, inventory=everybody, limit=None)
        assert set(left.hosts) == everybody - finished
        finished |= data.draw(st.sets(st.sampled_from(left.hosts), min_size=1))
    assert rollout([("a" * 64, head)], finished={"a" * 64: finished}, inventory=everybody, limit=None).serial == [1]


def test_plans_follow_each_other() -> None:
    plans = [("a" * 64, one_batch("web1", "web2")), ("b" * 64, one_batch("db1"))]
    left = rollout(plans, finished={"a" * 64: {"web1"}}, inventory={"web1", "web2"}, limit=None)
    assert left.as_data() == {"hosts": ["web2"], "serial": [1], "missing": ["db1"], "batches": [["web2"]]}


def test_a_host_in_two_plans_is_refused() -> None:
    plans = [("a" * 64, one_batch("web1")), ("b" * 64, one_batch("web1"))]
    with pytest.raises(FleetError, match="web1 is in plan aaaaaaaaaaaaaaaa and in plan bbbbbbbbbbbbbbbb"):
        rollout(plans, finished={}, inventory={"web1"}, limit=None)


def test_a_name_that_would_match_other_hosts_is_refused() -> None:
    with pytest.raises(FleetError, match="would be read by Ansible as a pattern"):
        rollout([("a" * 64, one_batch("web*"))], finished={}, inventory={"web*"}, limit=None)


def one_batch(*hosts: str) -> dict[str, Any]:
    return {"waves": [{"name": "broad", "soak_minutes": 0, "batches": [list(hosts)]}]}
