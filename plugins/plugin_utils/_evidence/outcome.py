# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one outcome of a host in a plan, decided from the results of its steps.

``unreachable`` and ``failed`` are about how the way ended: a host that went away during the change, came back, and was
rolled back and verified is ``rolled_back``. A host that is well but could not be returned to service has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import (
    Steps,
    may_roll_back,
    ran,
    was_refused,
    went_away,
    went_well,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.preflight import PreflightVerdict

ON_HOST = ("preflight", "apply", "reboot", "verify", "rollback", "verify_after_rollback")
"""The steps that speak with the host itself, in order; drain and return_to_service speak with its load balancer."""

_SENTENCE_LENGTH = 300


def decide(steps: Steps) -> dict[str, str]:
    """``{"outcome", "in_service", "reason"}`` of a host.

    ``steps`` maps preflight, drain, apply, reboot, verify, rollback, verify_after_rollback and return_to_service to the
    results of their tasks (None or absent: never ran). ``verified`` is only said when the verification ran and its
    result says ``settled``. ``resumed`` in the result of the preflight, also of one that failed, says that an earlier
    attempt ended in the middle of the host's change: left alone, nobody knows whether it is in service.
    The reason is empty where no step has one: what else went wrong, the caller knows.
    """
    outcome, reason = _judge(steps)
    return {"outcome": outcome.value, "in_service": _in_service(steps, outcome).value, "reason": reason}


def count(outcomes: Mapping[str, str], population: Iterable[str]) -> dict[str, int]:
    """How many hosts have each outcome. All seven are there, and they add up to the population.

    Raises FleetError of kind ``counts_differ`` when a host has no outcome, an unknown one, or is not of the population.
    """
    hosts = set(population)
    known = {outcome.value for outcome in HostOutcome}
    strange = sorted(host for host in outcomes if host not in hosts or outcomes[host] not in known)
    missing = sorted(hosts - set(outcomes))
    if strange or missing:
        raise FleetError(
            f"The outcomes do not add up: {len(hosts)} hosts are in the plan, {len(missing)} have no outcome"
            f" ({', '.join(missing[:10]) or 'none'}), {len(strange)} are strange"
            f" ({', '.join(strange[:10]) or 'none'}).",
            kind="counts_differ",
            remedy="Look into the ledger of the plan; then run patch_apply.yml on it again.",
            data={"missing": missing, "strange": strange},
        )
    values = [str(outcomes[host]) for host in hosts]
    return {outcome.value: values.count(outcome.value) for outcome in HostOutcome}


def _judge(steps: Steps) -> tuple[HostOutcome, str]:
    last = next((name for name in reversed(ON_HOST) if ran(steps, name)), None)
    if last and went_away(steps[last] or {}):
        return HostOutcome.UNREACHABLE, _why(steps, last)
    begun = any(ran(steps, name) for name in ON_HOST[1:])
    if not begun and not ran(steps, "drain") and not ran(steps, "return_to_service"):
        return _judge_untouched(steps)
    if not begun and ran(steps, "drain") and not went_well(steps, "drain"):
        # Without a drain there was no change; what the balancer knows of the host is for in_service.
        return HostOutcome.SKIPPED, _why(steps, "drain")
    if ran(steps, "return_to_service") and not went_well(steps, "return_to_service"):
        return HostOutcome.FAILED, _why(steps, "return_to_service")
    if was_refused(steps) and not _resumed(steps):
        return HostOutcome.SKIPPED, _why(steps, "apply")
    if _settled(steps, "verify_after_rollback") and went_well(steps, "rollback"):
        return HostOutcome.ROLLED_BACK, _first_failure(steps)
    if went_well(steps, "apply") and _settled(steps, "verify") and not _failed_on_the_way(steps):
        return HostOutcome.VERIFIED, ""
    return HostOutcome.FAILED, _last_failure(steps)


def _judge_untouched(steps: Steps) -> tuple[HostOutcome, str]:
    """Nothing was done beyond looking."""
    if not ran(steps, "preflight"):
        return HostOutcome.NOT_ATTEMPTED, "its turn did not come"
    result = steps["preflight"] or {}
    if not went_well(steps, "preflight"):
        # A refusal is a decision; anything else that fails is a defect somebody must look at.
        refused = bool(result.get("fleet_failure"))
        return HostOutcome.SKIPPED if refused else HostOutcome.FAILED, _why(steps, "preflight")
    verdict = (result.get("preflight") or {}).get("verdict")
    if verdict == PreflightVerdict.NOTHING_TO_DO:
        return HostOutcome.UNCHANGED, "nothing was left to do"
    if verdict == PreflightVerdict.PROCEED:
        # Something between the steps refused the host, a hook of the site for one.
        return HostOutcome.SKIPPED, ""
    return HostOutcome.SKIPPED, "the preflight did not say that it may proceed"


def _in_service(steps: Steps, outcome: HostOutcome) -> InService:
    if ran(steps, "return_to_service"):
        return InService.YES if went_well(steps, "return_to_service") else InService.NO
    if went_well(steps, "drain"):
        return InService.NO
    if outcome is HostOutcome.UNREACHABLE:
        return InService.UNKNOWN
    if ran(steps, "drain") and _may_be_drained(steps["drain"] or {}):
        return InService.UNKNOWN
    if outcome in (HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK):
        return InService.YES
    changed = may_roll_back(steps) or any(ran(steps, name) for name in ("reboot", "rollback", "verify_after_rollback"))
    unwell = ran(steps, "verify") and not _settled(steps, "verify")
    return InService.UNKNOWN if changed or unwell or _resumed(steps) else InService.YES


def _resumed(steps: Steps) -> bool:
    """An earlier attempt ended in the middle of the host's change, so it may be drained and half changed."""
    return bool((steps.get("preflight") or {}).get("resumed", False))


def _may_be_drained(drain: Mapping[str, Any]) -> bool:
    """A refused drain touched nothing, one that could not be finished is put back; without word of that, who knows."""
    failure = drain.get("fleet_failure") or {"kind": "unknown"}
    not_put_back = (failure.get("data") or {}).get("not_put_back")
    return bool(drain.get("changed", False) or failure["kind"] in ("unknown", "unreachable") or not_put_back)


def _settled(steps: Steps, name: str) -> bool:
    return went_well(steps, name) and (steps[name] or {}).get("settled") is True


def _failed_on_the_way(steps: Steps) -> bool:
    """A step between apply and return that did not go well, or a rollback that was begun."""
    reboot_failed = ran(steps, "reboot") and not went_well(steps, "reboot")
    return reboot_failed or ran(steps, "rollback") or ran(steps, "verify_after_rollback")


def _failures(steps: Steps) -> list[str]:
    failures = []
    for name in ("drain", *ON_HOST[1:]):
        verifies = name in ("verify", "verify_after_rollback")
        if ran(steps, name) and not (_settled(steps, name) if verifies else went_well(steps, name)):
            failures.append(name)
    return failures


def _first_failure(steps: Steps) -> str:
    """Why a host was rolled back: the first thing that went wrong."""
    failures = _failures(steps)
    return _why(steps, failures[0]) if failures else "on request"


def _last_failure(steps: Steps) -> str:
    """Why a host has failed: what went wrong first and, where the way back failed too, what stopped that."""
    failures = _failures(steps)
    if not failures:
        return ""
    return "; ".join(dict.fromkeys((_why(steps, failures[0]), _why(steps, failures[-1]))))


def _why(steps: Steps, name: str) -> str:
    result = steps.get(name) or {}
    words = name.replace("_", " ")
    sentence = _sentence(result.get("msg")) or "it did not succeed, and did not say why"
    return sentence if sentence.lower().startswith(f"{words}:") else f"{words}: {sentence}"


def _sentence(text: Any) -> str:
    """The first line of a message, short enough for a table."""
    lines = str(text or "").strip().splitlines()
    line = lines[0] if lines else ""
    return line if len(line) <= _SENTENCE_LENGTH else line[: _SENTENCE_LENGTH - 1] + "…"
