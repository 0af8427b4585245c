# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the calendar and the clock say is asked for again before each batch, and no answer is no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ..conftest import RunningLab, said
from .aftermath import (
    BOTH,
    NEITHER,
    Clock,
    apply,
    assert_sound,
    in_the_transaction,
    install,
    prepare,
    results,
    resume,
    users,
)

HOSTS = ("lb1", "web1", "web2")


def now() -> datetime:
    return datetime.now(timezone.utc)


def window(begins: datetime) -> dict[str, Any]:
    """A daily window of an hour."""
    return {"rrule": "FREQ=DAILY", "start": f"{begins:%Y-%m-%dT%H:%M}", "duration_minutes": 60, "time_zone": "UTC"}


def calendar(*events: tuple[str, timedelta]) -> str:
    """An iCalendar file with a day from now on for every event, shifted by so much."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//bankops.fleet//tests//EN"]
    for number, (title, shift) in enumerate(events):
        begins = now() + shift
        lines += [
            "BEGIN:VEVENT",
            f"UID:{number}@bankops.fleet",
            f"DTSTAMP:{begins:%Y%m%dT%H%M%SZ}",
            f"DTSTART:{begins:%Y%m%dT%H%M%SZ}",
            f"DTEND:{begins + timedelta(days=1):%Y%m%dT%H%M%SZ}",
            f"SUMMARY:{title}",
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


@contextmanager
def put_in_the_transaction(lab: RunningLab, clock: Clock, off: Callable[[], timedelta]) -> Iterator[None]:
    """The controller's clock is put forward or back while ``web1`` is in its transaction."""
    with in_the_transaction(lab, "web1", lambda: clock.put(off())), clock.in_use():
        yield


def assert_refused(lab: RunningLab, cycle: str, why: str) -> None:
    """An attempt begins no host, and says why."""
    applied = apply(lab, cycle)
    assert applied.returncode != 0
    assert_sound(lab, cycle, NEITHER)
    assert why in results(lab, cycle)["web1"].reason
    assert why in said(applied)


def test_a_window_that_closes_leaves_the_rest_to_the_next_one(fresh: RunningLab, clock: Clock) -> None:
    cycle = "2026-01"
    install(fresh, "web1", "fleet-slow=1.0")
    begins = now().replace(second=0, microsecond=0)
    # The reboot is for the estimate: at least a minute and a quarter for each host, however fast the first one was.
    prepare(fresh, cycle, patch_window=window(begins), patch_reboot="always")
    with users(fresh):
        with put_in_the_transaction(fresh, clock, lambda: begins + timedelta(minutes=59) - now()):
            applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"web1": "verified", "web2": "not_attempted"})
        assert "the window ends at" in results(fresh, cycle)["web2"].reason
        # Between the windows nothing is begun; in the next one it goes on.
        with clock.in_use(timedelta(hours=12)):
            assert apply(fresh, cycle).returncode != 0
        assert_sound(fresh, cycle, {"web1": "verified", "web2": "not_attempted"})
        assert "window: closed" in results(fresh, cycle)["web2"].reason
        with clock.in_use(timedelta(days=1)):
            resume(fresh, cycle, BOTH)


def test_a_freeze_that_is_newer_than_the_plan_holds_it_back(fresh: RunningLab, tmp_path: Path) -> None:
    cycle, freezes = "2026-02", tmp_path / "freezes.ics"
    freezes.write_text(calendar(("last week's", timedelta(days=-7))))
    prepare(fresh, cycle, patch_freeze_calendar=str(freezes))
    freezes.write_text(calendar(("Audit of the regulator", timedelta(hours=-1))))
    assert_refused(fresh, cycle, "Audit of the regulator")
    # Nobody knows what a calendar says that cannot be read.
    freezes.write_text(calendar()[:-20])
    assert_refused(fresh, cycle, "cannot be read")
    freezes.unlink()
    assert_refused(fresh, cycle, "cannot be read")
    freezes.write_text(calendar(("last week's", timedelta(days=-7))))
    resume(fresh, cycle, BOTH)


def test_an_override_lets_a_change_through_a_closed_window_and_is_in_the_report(fresh: RunningLab) -> None:
    cycle, emergency, closed = "2026-03", "2026-03-e1", window(now() + timedelta(hours=5))
    prepare(fresh, cycle, patch_window=closed)
    assert_refused(fresh, cycle, "window: closed")
    override = {"gate": "window", "owner": "incident manager", "reason": "exploited already", "expires": "2099-12-31"}
    prepare(fresh, emergency, patch_window=closed, patch_overrides=[override])
    resume(fresh, emergency, BOTH)
    page = (fresh.plan_folder("alpha", emergency) / "report.html").read_text()
    assert "incident manager" in page
    assert "exploited already" in page


def test_a_clock_that_jumps_back_begins_no_further_host(fresh: RunningLab, clock: Clock) -> None:
    cycle = "2026-04"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle)
    with users(fresh):
        with put_in_the_transaction(fresh, clock, lambda: timedelta(hours=-1)):
            applied = apply(fresh, cycle)
        assert applied.returncode != 0
        # The host in work is finished, and its outcome is known.
        assert_sound(fresh, cycle, {"web1": "verified", "web2": "not_attempted"})
        assert "clock: the clock of this machine is" in results(fresh, cycle)["web2"].reason
        entries = fresh.ledger("alpha", cycle)
        times = [datetime.fromisoformat(entry["time"]) for entry in entries]
        assert times == sorted(times)
        assert max(entry["data"].get("clock_behind_seconds", 0) for entry in entries) > 3500
        resume(fresh, cycle, BOTH)
