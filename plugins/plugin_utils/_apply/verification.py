# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at a host after its change says: the evidence, and whether the host is as well as before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verified(look: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a verification from what ``wait_for_health`` found on the host; it fails unless all has settled."""
    result: dict[str, Any] = {"changed": False, **look}
    if "settled" not in look:
        return result
    evidence = {key: look[key] for key in ("settled", "worse", "checks", "attempts", "seconds")}
    result["fleet_evidence"] = {**evidence, "kernel": look["state"]["kernel"]["running"]}
    if not look["settled"]:
        troubles = [f"{entry['kind']} {entry['subject']}: {entry['detail']}" for entry in look["worse"]]
        troubles += [f"{check['name']}: {check['detail']}" for check in look["checks"] if not check["ok"]]
        result.update(failed=True, msg="The host is worse than before: " + "; ".join(troubles))
    return result
