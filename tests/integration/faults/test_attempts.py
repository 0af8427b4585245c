# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An attempt that ends early, is not alone, or is jumped over in parts does no host twice and loses none."""

from __future__ import annotations

from datetime import timedelta

from ..conftest import RunningLab, said
from .aftermath import (
    BOTH,
    NEITHER,
    UNTOUCHED,
    Clock,
    apply,
    apply_until,
    assert_sound,
    attempt_in_transaction,
    boots,
    count_boots,
    drains,
    install,
    installed,
    intended,
    let_go_after_opening,
    openings,
    prepare,
    recorded,
    results,
    resume,
    users,
    wait_for,
)

HOSTS = ("lb1", "web1", "web2")
"""One in the first wave and one in the next, behind the load balancer."""


def test_a_controller_that_is_killed_at_every_step_in_turn_does_none_of_them_twice(fresh: RunningLab) -> None:
    cycle = "2026-01"
    count_boots(fresh, *BOTH)
    prepare(fresh, cycle, patch_reboot="always")
    with users(fresh):
        apply_until(fresh, cycle, lambda: intended(fresh, cycle, "web1", "drain"))
        apply_until(fresh, cycle, lambda: intended(fresh, cycle, "web1", "apply"))
        apply_until(fresh, cycle, lambda: intended(fresh, cycle, "web1", "reboot"))
        # The next step is the verification.
        apply_until(fresh, cycle, lambda: recorded(fresh, cycle, "web1", "reboot", "changed") > 0)
        apply_until(fresh, cycle, lambda: intended(fresh, cycle, "web1", "return"))
        resume(fresh, cycle, BOTH)
    for host in BOTH:
        assert (drains(fresh, host), boots(fresh, host)) == (1, 1), host
        assert installed(fresh, host)["fleet-hello"] == "2.0"
    assert fresh.servers() == {"web1": "UP", "web2": "UP"}


def test_a_rollback_that_was_begun_is_finished_and_nothing_is_applied_again(fresh: RunningLab) -> None:
    cycle = "2026-03"
    install(fresh, "web1", "fleet-broken=1.0")
    prepare(fresh, cycle)
    with users(fresh):
        apply_until(
            fresh,
            cycle,
            lambda: fresh.ssh("web1", "ls -d /var/lib/bankops-fleet/*/rollback*", check=False) != "",
        )
        resumed = apply(fresh, cycle)
        assert resumed.returncode != 0
        assert_sound(fresh, cycle, {"web1": "rolled_back", "web2": "not_attempted"})
    assert results(fresh, cycle)["web1"].in_service == "yes"
    assert installed(fresh, "web1") == {**UNTOUCHED, "fleet-broken": "1.0"}
    assert fresh.ssh("web1", "grep -c ' upgrade fleet-broken:all 1.0 2.0' /var/log/dpkg.log") == "1"
    assert drains(fresh, "web1") == 1


def test_an_attempt_beside_a_living_one_is_refused_and_takes_over_from_a_dead_one(fresh: RunningLab) -> None:
    cycle, emergency = "2026-11", "2026-11-e1"
    install(fresh, "web1", "fleet-slow=1.0")
    for each in (cycle, emergency):
        prepare(fresh, each)

    with users(fresh):
        with attempt_in_transaction(fresh, cycle) as controller:
            begun = len(fresh.ledger("alpha", cycle))
            beside = apply(fresh, cycle)
            assert beside.returncode != 0
            assert f"is open: process {controller.pid} on" in said(beside)
            assert len(fresh.ledger("alpha", cycle)) == begun
            of_another_plan = apply(fresh, emergency)
            assert of_another_plan.returncode != 0
            assert "has held cluster:web, host:web1, host:web2 of tenant alpha" in said(of_another_plan)
            # Another host of the same cluster is no way around.
            of_its_cluster = apply(fresh, emergency, "--limit", "web2")
            assert of_its_cluster.returncode != 0
            assert "has held cluster:web, host:web2 of tenant alpha" in said(of_its_cluster)
            assert not fresh.outcomes("alpha", emergency)
        # Now nobody holds the host any more, but only the plan that has left it drained can bring it to an end.
        left = apply(fresh, emergency)
        assert left.returncode != 0
        assert f"of cycle {cycle} died in the middle of the change of web1" in said(left)
        assert not fresh.outcomes("alpha", emergency)
        owner = openings(fresh, cycle)[-1]["owner"]
        with let_go_after_opening(fresh, cycle, "web1"):
            resume(fresh, cycle, BOTH)
        assert openings(fresh, cycle)[-1]["took_over"] == [{"owner": owner}]
        resume(fresh, emergency, dict.fromkeys(BOTH, "unchanged"))
    assert fresh.ssh("web1", "grep -c ' upgrade fleet-slow:all ' /var/log/dpkg.log") == "1"


def test_a_run_that_jumps_over_tasks_changes_nothing(fresh: RunningLab) -> None:
    cycle = "2026-04"
    prepare(fresh, cycle)
    digest = fresh.plan_folder("alpha", cycle).name
    entries = len(fresh.ledger("alpha", cycle))
    # Whoever jumps over the opening of an attempt may still bring what it would have left for the tasks after it.
    made_up = {
        "ansible_facts": {
            "fleet_rollout": {"hosts": ["web1", "web2"], "serial": [2], "plans": {"alpha": digest}, "hooks": {}}
        },
        "__patch_batch": {"proceed": True, "waiting": False, "msg": "", "hooks": {}, "hooked": []},
    }
    jumps = [
        ("patch_apply.yml", "--tags", "nothing"),
        ("patch_apply.yml", "--start-at-task", "Ask whether the batch may start"),
        ("patch_apply.yml", "--start-at-task", "Take the host through its change"),
        ("patch_stage.yml", "--start-at-task", "Download, verify and keep the way back"),
    ]
    for playbook, *jump in jumps:
        done = fresh.play(playbook, *jump, patch_cycle=cycle, patch_tenants=["alpha"], **made_up)
        if "nothing" not in jump:
            assert f"No attempt on plan {digest[:16]} is open" in said(done), jump
        assert len(fresh.ledger("alpha", cycle)) == entries, jump
    stop = fresh.state / "STOP"
    stop.touch()
    stopped = apply(fresh, cycle, "--skip-tags", "always")
    assert stopped.returncode != 0
    assert_sound(fresh, cycle, NEITHER)
    stop.unlink()
    resume(fresh, cycle, BOTH)


def test_a_limit_changes_nobody_else_and_no_order(fresh: RunningLab) -> None:
    cycle = "2026-05"
    prepare(fresh, cycle)
    too_early = apply(fresh, cycle, "--limit", "web2")
    assert too_early.returncode != 0
    assert_sound(fresh, cycle, NEITHER)
    assert "Wave canary is not complete: web1" in results(fresh, cycle)["web2"].reason
    first = apply(fresh, cycle, "--limit", "web1")
    assert first.returncode == 0
    assert_sound(fresh, cycle, {"web1": "verified", "web2": "not_attempted"})
    assert installed(fresh, "web2") == UNTOUCHED
    resume(fresh, cycle, BOTH)


def test_a_wave_begins_in_another_attempt_when_the_one_before_has_soaked_and_is_still_well(
    fresh: RunningLab, clock: Clock
) -> None:
    cycle = "2026-06"
    canary = {"name": "canary", "batches": [1], "soak_minutes": 60}
    waves = [canary, {"name": "early", "batches": ["50%"], "soak_minutes": 0}]
    prepare(fresh, cycle, patch_waves=waves, patch_soak_wait_minutes=0)
    with users(fresh):
        first = apply(fresh, cycle)
        # It goes as planned, and says what it waits for.
        assert first.returncode == 0
        assert_sound(fresh, cycle, {"web1": "verified", "web2": "not_attempted"})
        assert results(fresh, cycle)["web2"].waiting
        assert "web2: not_attempted, in service: The wave before early soaks until" in said(first)
        with clock.in_use(timedelta(minutes=30)):
            assert apply(fresh, cycle).returncode == 0
        assert installed(fresh, "web2") == UNTOUCHED
        fresh.ssh("web1", "systemctl stop nginx")
        wait_for(lambda: fresh.servers()["web1"].startswith("DOWN"))
        with clock.in_use(timedelta(minutes=61)):
            unwell = apply(fresh, cycle)
        assert unwell.returncode != 0
        assert "Wave canary was verified, and is not well any more: web1" in results(fresh, cycle)["web2"].reason
        assert installed(fresh, "web2") == UNTOUCHED
        fresh.ssh("web1", "systemctl start nginx")
        wait_for(lambda: fresh.servers()["web1"] == "UP")
        with clock.in_use(timedelta(minutes=62)):
            resume(fresh, cycle, BOTH)
