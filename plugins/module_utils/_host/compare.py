# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What got worse on a host between two of its states; a pure function."""

from __future__ import annotations

import fnmatch
import re
from enum import Enum
from typing import Any, Callable, Dict, Iterator, List, Mapping, Set

from ansible_collections.bankops.fleet.plugins.module_utils._host.kernels import version_key


class WorseKind(str, Enum):
    """In which way a host got worse."""

    UNIT_INACTIVE = "unit_inactive"
    UNIT_FAILED = "unit_failed"
    SOCKET_GONE = "socket_gone"
    MOUNT_GONE = "mount_gone"
    DISK_LOW = "disk_low"
    MACHINE_ID_CHANGED = "machine_id_changed"
    KERNEL_OLDER = "kernel_older"
    UNKNOWN = "unknown"


# Instances that come and go with devices, logins and connections, and our own transactions.
_PASSING_UNITS = (
    "bankops-fleet-*",
    "run-*.service",
    "user@*.service",
    "user-runtime-dir@*.service",
    "modprobe@*.service",
    "lvm2-pvscan@*.service",
    "systemd-fsck@*.service",
    "systemd-coredump@*.service",
    "ssh@*.service",
    "sshd@*.service",
)
# Above this port Linux hands out ports by default; a service with a fixed port up there deserves a tcp check.
_FIRST_EPHEMERAL_PORT = 32768
# The client's own port of DHCP and DHCPv6: open only while a lease is asked for.
_DHCP_CLIENTS = frozenset((68, 546))
_X11_FORWARDING = re.compile(r"tcp (127\.0\.0\.1|\[::1\]):60\d\d$")
_LOW_SHARE, _LOW_BYTES = 0.05, 1024**3


def what_got_worse(before: Mapping[str, Any], after: Mapping[str, Any]) -> List[Dict[str, str]]:
    """``[{"kind", "subject", "detail"}]``, sorted; empty when ``after`` is at least as good as ``before``.

    Both are states as ``read_state`` returns them. What either could not read is reported with kind ``unknown``.
    """
    worse: List[Dict[str, str]] = []
    for part, compare in _PARTS.items():
        unknown = _why_unknown(part, before, after)
        if unknown:
            worse.append(_entry(WorseKind.UNKNOWN, part, unknown))
        else:
            worse.extend(compare(before[part], after[part]))
    return sorted(worse, key=lambda entry: (entry["kind"], entry["subject"], entry["detail"]))


def _entry(kind: WorseKind, subject: str, detail: str) -> Dict[str, str]:
    return {"kind": kind.value, "subject": subject, "detail": detail}


def _why_unknown(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    for when, state in (("before", before), ("now", after)):
        if part in (state.get("incomplete") or {}):
            return f"could not be read {when}: {state['incomplete'][part]}"
        if state.get(part) is None:
            return f"is missing in the state from {when}"
    return ""


def _machine_id(before: str, after: str) -> Iterator[Dict[str, str]]:
    if before != after:
        yield _entry(WorseKind.MACHINE_ID_CHANGED, "machine_id", f"was {before}, is {after}: this is another host")


def _kernel(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Dict[str, str]]:
    was, runs = before.get("running") or "", after.get("running") or ""
    if version_key(runs) < version_key(was):
        yield _entry(WorseKind.KERNEL_OLDER, runs, f"the host ran the newer kernel {was} before")


def _units(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Dict[str, str]]:
    failed = _set(after, "failed")
    passing = {name for name in _set(before, "active") | failed if _is_passing(name)}
    passing |= _set(before, "transient") | _set(after, "transient")
    may_rest = passing | _set(before, "on_demand") | _set(after, "on_demand") | _set(after, "skipped")
    for name in sorted(failed - _set(before, "failed") - passing):
        yield _entry(WorseKind.UNIT_FAILED, name, "failed since")
    for name in sorted(_set(before, "active") - _set(after, "active") - failed - may_rest):
        yield _entry(WorseKind.UNIT_INACTIVE, name, "was active and is not now")


def _sockets(before: List[str], after: List[str]) -> Iterator[Dict[str, str]]:
    for socket in sorted(set(before) - set(after)):
        if not _is_passing_socket(socket):
            yield _entry(WorseKind.SOCKET_GONE, socket, "was listening and is not now")


def _mounts(before: List[str], after: List[str]) -> Iterator[Dict[str, str]]:
    for point in sorted(set(before) - set(after)):
        yield _entry(WorseKind.MOUNT_GONE, point, "was mounted and is not now")


def _disk(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Dict[str, str]]:
    for path in sorted(set(before) & set(after)):
        least = min(after[path]["size"] * _LOW_SHARE, _LOW_BYTES)
        if after[path]["free"] < least <= before[path]["free"]:
            yield _entry(
                WorseKind.DISK_LOW,
                path,
                f"{after[path]['free']} bytes are free, less than {int(least)}; {before[path]['free']} were before",
            )


def _set(units: Mapping[str, Any], key: str) -> Set[str]:
    return set(units.get(key) or ())


def _is_passing(unit: str) -> bool:
    return any(fnmatch.fnmatchcase(unit, pattern) for pattern in _PASSING_UNITS)


def _is_passing_socket(socket: str) -> bool:
    port = int(socket.rpartition(":")[2])
    if port >= _FIRST_EPHEMERAL_PORT or _X11_FORWARDING.match(socket):
        return True
    return socket.startswith("udp ") and port in _DHCP_CLIENTS


_PARTS: Dict[str, Callable[[Any, Any], Iterator[Dict[str, str]]]] = {
    "machine_id": _machine_id,
    "kernel": _kernel,
    "units": _units,
    "sockets": _sockets,
    "mounts": _mounts,
    "disk": _disk,
}
