# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a policy that several tests use, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

from .fleets import ROOT, policies

HOLD = {
    "package": "openssl*",
    "owner": "payments team",
    "reason": "vendor has not certified it",
    "expires": "2026-12-31",
}
BALANCER = {"host": "lb1", "backend": "web"}
HOOK = str(ROOT / "playbooks/hooks/alertmanager_silence.yml")
WINDOW: dict[str, Any] = {"rrule": "FREQ=MONTHLY;BYDAY=2TU", "start": "2026-01-13T22:00", "duration_minutes": 240}
FREEZE: dict[str, Any] = {"from": "2026-12-24", "to": "2027-01-03", "reason": "year end", "owner": "operations"}
OVERRIDE = {"gate": "disk", "owner": "operations", "reason": "cleaned by hand", "expires": "2026-12-31"}


def problem_with(**hosts: dict[str, Any]) -> str:
    with pytest.raises(FleetError) as caught:
        policies(**hosts)
    assert caught.value.kind == "bad_policy"
    return caught.value.message
