# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs health checks: each looks once, within its own timeout, and says what it saw."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Mapping, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._health.definitions import (
    CheckType,
    complete,
    validate_checks,
)
from ansible_collections.bankops.fleet.plugins.module_utils._health.etcd import check_etcd
from ansible_collections.bankops.fleet.plugins.module_utils._health.web import Web, WebError

Verdict = Tuple[bool, str]
_AT_ONCE = 8


def run_checks(checks: List[Dict[str, Any]], commands: Commands) -> List[Dict[str, Any]]:
    """``[{"name", "type", "ok", "detail", "seconds"}]`` in the order of the definitions (docs/health-checks.md).

    A check that cannot tell is not ok. Raises FleetError of kind ``bad_check`` for wrong definitions, before any runs.
    """
    problems = validate_checks(checks)
    if problems:
        raise FleetError(
            " ".join(problems),
            kind="bad_check",
            remedy="docs/health-checks.md lists the types and their keys.",
            data={"problems": problems},
        )
    if not checks:
        return []
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(checks))) as pool:
        return list(pool.map(lambda check: _run(complete(check), commands), checks))


def _run(check: Mapping[str, Any], commands: Commands) -> Dict[str, Any]:
    started = time.monotonic()
    ok, detail = _PROBES[CheckType(check["type"])](check, commands)
    return {
        "name": check["name"],
        "type": check["type"],
        "ok": ok,
        "detail": detail,
        "seconds": round(time.monotonic() - started, 3),
    }


def _http(check: Mapping[str, Any], _commands: Commands) -> Verdict:
    try:
        web = Web(timeout=check["timeout"], ca_file=check["ca_file"], follow_redirects=check["follow_redirects"])
        answer = web.get(check["url"], headers=check["headers"])
    except WebError as problem:
        return False, str(problem)
    if answer.status not in check["status"]:
        expected = " or ".join(str(status) for status in check["status"])
        return False, f"status {answer.status}, expected {expected}"
    if check["contains"] and check["contains"] not in answer.text:
        return False, f"status {answer.status}, but the answer does not contain {check['contains']!r}"
    return True, f"status {answer.status}"


def _tcp(check: Mapping[str, Any], _commands: Commands) -> Verdict:
    try:
        socket.create_connection((check["host"], check["port"]), timeout=check["timeout"]).close()
    except (OSError, ValueError) as problem:  # ValueError: a name that no resolver could take
        return False, f"no connection to {check['host']}:{check['port']}: {problem}"
    return True, f"{check['host']}:{check['port']} accepts connections"


def _command(check: Mapping[str, Any], commands: Commands) -> Verdict:
    try:
        done = commands.run(check["argv"], timeout=check["timeout"], check=False)
    except FleetError as problem:
        return False, problem.message
    except (OSError, ValueError) as problem:  # ValueError: an argument that no program could take
        return False, f"{check['argv'][0]} cannot be run: {problem}"
    said = (done.stdout.strip() or done.stderr.strip())[-500:]
    return done.status == 0, f"status {done.status}: {said}" if said else f"status {done.status}"


def _unit(check: Mapping[str, Any], commands: Commands) -> Verdict:
    argv = ["systemctl", "is-active", "--", check["unit"]]
    try:
        done = commands.run(argv, timeout=check["timeout"], check=False)
    except FleetError as problem:
        return False, problem.message
    state = done.stdout.strip() or done.stderr.strip() or "unknown"
    return state == "active", f"{check['unit']} is {state}"


def _etcd(check: Mapping[str, Any], _commands: Commands) -> Verdict:
    return check_etcd(check)


_PROBES: Dict[CheckType, Callable[[Mapping[str, Any], Commands], Verdict]] = {
    CheckType.HTTP: _http,
    CheckType.TCP: _tcp,
    CheckType.COMMAND: _command,
    CheckType.UNIT: _unit,
    CheckType.ETCD: _etcd,
}
