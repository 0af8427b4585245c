# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calendar files as people export them."""

from __future__ import annotations


def ics(*events: str, head: str = "") -> bytes:
    """An iCalendar file; an event is its lines."""
    bodies = [f"BEGIN:VEVENT\nUID:{number}\n{event}\nEND:VEVENT" for number, event in enumerate(events)]
    parts = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *([head] if head else []), *bodies]
    return "\n".join([*parts, "END:VCALENDAR", ""]).replace("\n", "\r\n").encode()
