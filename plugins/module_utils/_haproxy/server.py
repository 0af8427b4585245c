# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes one server of a backend out of service and brings it back, on every haproxy process that serves it.

Between the two the server stays in ``drain``, not in ``maint``: haproxy goes on checking it, so it knows that it
is down while it reboots. A server that leaves ``maint`` is taken for up before its first check.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy import state_file
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.backend import (
    Admin,
    Backend,
    Operation,
    Server,
    read_backend,
)
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import TRANSIENT, Runtime, checked_name


@dataclass(frozen=True)
class Wish:
    """What is asked for. Times are in seconds; ``state_file`` belongs to the one socket there is then."""

    backend: str
    server: str
    min_healthy: int = 1
    count_unchecked: bool = False
    count_backup: bool = False
    maintenance: bool = False
    drain_timeout: float = 60.0
    restore_on_timeout: bool = True
    up_timeout: float = 60.0
    state_file: str = ""
    interval: float = 0.1


def drain(runtimes: Sequence[Runtime], wish: Wish, *, check_mode: bool = False) -> Dict[str, Any]:
    """Take the server out of service on every process and wait until it has no session; returns ``_result``.

    Refuses when fewer than ``min_healthy`` other servers would carry the service. When it cannot be finished
    everywhere, the server is put back to how it was. Raises FleetError ``too_few_healthy``, ``sessions_remain``,
    ``drain_lost`` (somebody, or a reload, put the server back), those of Runtime, read_backend and state_file.
    """
    before = _read(runtimes, wish)
    for backend in before:
        if not backend.server(wish.server).out_of_service:
            _require_healthy(backend, wish)
    target = Admin.MAINT if wish.maintenance else Admin.DRAIN
    pending = [
        (runtime, backend.server(wish.server))
        for runtime, backend in zip(runtimes, before)
        if backend.server(wish.server).admin not in (target, Admin.MAINT)
    ]
    changed = bool(pending) or _file_outdated(runtimes, wish)
    if check_mode:
        return _result(changed, wish, before, before, expected=target if pending else None)
    started = time.monotonic()
    ordered: List[Tuple[Runtime, Server]] = []
    try:
        for runtime, server in pending:
            ordered.append((runtime, server))  # before it is sent: an answer that is lost may hide an order obeyed
            runtime.order(_set(wish, "state drain"))
        _save(runtimes, wish, changed)
        drained = _wait_for_sessions(runtimes, wish)
        if pending:  # looked at again: another host may have been drained at the same moment
            for backend in drained:
                _require_healthy(backend, wish)
        if wish.maintenance and pending:
            for runtime, _server in pending:
                runtime.order(_set(wish, "state maint"))
            _save(runtimes, wish, True)
    except FleetError as problem:
        raise _put_back(ordered, runtimes, wish, problem) from problem
    return _result(changed, wish, before, _read(runtimes, wish), waited=time.monotonic() - started)


def ready(runtimes: Sequence[Runtime], wish: Wish, *, check_mode: bool = False) -> Dict[str, Any]:
    """Bring the server back on every process and wait until haproxy's own checks say that it is up.

    A server with a check of its own comes back as down, so that it gets no request before its checks have passed
    anew; a check from before the reboot proves nothing. Raises FleetError ``in_maintenance``, ``not_up`` and those
    of Runtime, read_backend and state_file.
    """
    before = _read(runtimes, wish)
    pending = []
    for runtime, backend in zip(runtimes, before):
        server = backend.server(wish.server)
        if server.admin is Admin.MAINT and not wish.maintenance:
            raise FleetError(
                f"The server {wish.backend}/{wish.server} at {runtime.address} is in maintenance ({server.status}).",
                kind="in_maintenance",
                remedy="Whoever set it ends it; with maintenance=true this module does.",
                data=_instance(backend, wish),
            )
        if server.out_of_service:
            pending.append((runtime, server))
    changed = bool(pending) or _file_outdated(runtimes, wish)
    if check_mode:
        return _result(changed, wish, before, before, expected=Admin.READY if pending else None)
    started = time.monotonic()
    for runtime, server in pending:
        runtime.order(*_way_back(server, wish))
    _save(runtimes, wish, changed)
    after = _wait_until_up(runtimes, wish)
    return _result(changed, wish, before, after, waited=time.monotonic() - started)


def _way_back(server: Server, wish: Wish) -> List[str]:
    orders = [_set(wish, "state ready")]
    if server.own_check:
        orders.insert(0, _set(wish, "health down"))
    if server.admin is Admin.MAINT:  # its health can only be set while it is checked
        orders.insert(0, _set(wish, "state drain"))
    return orders


def _set(wish: Wish, what: str) -> str:
    return f"set server {checked_name(wish.backend, 'backend')}/{checked_name(wish.server, 'server')} {what}"


def _read(runtimes: Sequence[Runtime], wish: Wish) -> List[Backend]:
    checked_name(wish.server, "server")
    backends = [read_backend(runtime, wish.backend) for runtime in runtimes]
    for runtime, backend in zip(runtimes, backends):
        backend.server(wish.server)
        runtime.require_admin()
    return backends


def _others_healthy(backend: Backend, wish: Wish) -> List[str]:
    return [name for name in backend.healthy(wish.count_unchecked, wish.count_backup) if name != wish.server]


def _require_healthy(backend: Backend, wish: Wish) -> None:
    healthy = _others_healthy(backend, wish)
    if len(healthy) >= wish.min_healthy:
        return
    others = [f"{server.name} is {server.status}" for server in backend.servers if server.name != wish.server]
    raise FleetError(
        f"Without {wish.server} the backend {wish.backend} at {backend.socket} would have {len(healthy)} healthy "
        f"servers ({', '.join(healthy) or 'none'}), and needs {wish.min_healthy}.",
        kind="too_few_healthy",
        remedy=f"Bring the others back first: {', '.join(others) or 'there are none'}.",
        data=_instance(backend, wish),
    )


def _wait_for_sessions(runtimes: Sequence[Runtime], wish: Wish) -> List[Backend]:
    def look(backends: List[Backend]) -> bool:
        for backend in backends:
            if not backend.server(wish.server).out_of_service:
                raise FleetError(
                    f"The server {wish.backend}/{wish.server} at {backend.socket} is in service again.",
                    kind="drain_lost",
                    remedy="Did haproxy reload? See state_file. Or did somebody else put it back?",
                    data=_instance(backend, wish),
                )
        return not any(backend.server(wish.server).sessions for backend in backends)

    backends, done = _poll(runtimes, wish, wish.drain_timeout, look)
    if not done and wish.restore_on_timeout:
        count = sum(backend.server(wish.server).sessions for backend in backends)
        raise FleetError(
            f"{count} sessions remain on {wish.backend}/{wish.server} after {wish.drain_timeout:g} s.",
            kind="sessions_remain",
            remedy="Allow more time with drain_timeout, or cut them off with on_timeout=proceed.",
            data={"sessions": count, "instances": [_instance(backend, wish) for backend in backends]},
        )
    return backends


def _wait_until_up(runtimes: Sequence[Runtime], wish: Wish) -> List[Backend]:
    def look(backends: List[Backend]) -> bool:
        return all(backend.server(wish.server).healthy(wish.count_unchecked) for backend in backends)

    backends, done = _poll(runtimes, wish, wish.up_timeout, look)
    if done:
        return backends
    waiting = [b for b in backends if not b.server(wish.server).healthy(wish.count_unchecked)]
    seen = "; ".join(
        f"{b.socket} says {b.server(wish.server).status}, weight {b.server(wish.server).weight}" for b in waiting
    )
    unchecked = any(b.server(wish.server).operation is Operation.UNCHECKED for b in waiting)
    raise FleetError(
        f"The server {wish.backend}/{wish.server} is not up after {wish.up_timeout:g} s: {seen}.",
        kind="not_up",
        remedy="It has no health check: give it one, or set count_unchecked=true."
        if unchecked
        else "It stays ready, so it gets traffic as soon as haproxy's check passes. Look at the service on the host.",
        data={"instances": [_instance(backend, wish) for backend in backends]},
    )


def _poll(
    runtimes: Sequence[Runtime], wish: Wish, timeout: float, look: Callable[[List[Backend]], bool]
) -> Tuple[List[Backend], bool]:
    """Read and look until it is true or ``timeout`` has passed. A socket that a reload replaces is asked again."""
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        try:
            backends = _read(runtimes, wish)
        except FleetError as problem:
            if late or problem.kind not in TRANSIENT:
                raise
        else:
            done = look(backends)
            if done or late:
                return backends, done
        time.sleep(wish.interval)


def _put_back(
    ordered: Sequence[Tuple[Runtime, Server]], runtimes: Sequence[Runtime], wish: Wish, problem: FleetError
) -> FleetError:
    """Undo a drain that could not be finished; returns the problem, with what could not be undone."""
    left = []
    for runtime, server in ordered:
        left += _attempt(runtime.address, runtime.order, _set(wish, f"state {server.admin.value}"))
    left += _attempt("state_file", _save, runtimes, wish, True)
    was = f"{wish.server} was put back to how it was."
    if left:
        was = "It could not be put back everywhere: " + "; ".join(f"{one['socket']}: {one['why']}" for one in left)
    return FleetError(
        f"{problem.message} {was}",
        kind=problem.kind,
        remedy=problem.remedy,
        data={**problem.data, "not_put_back": left},
    )


def _attempt(what: str, action: Callable[..., None], *arguments: Any) -> List[Dict[str, str]]:
    try:
        action(*arguments)
    except FleetError as failed:
        return [{"socket": what, "why": failed.message}]
    return []


def _file_outdated(runtimes: Sequence[Runtime], wish: Wish) -> bool:
    return bool(wish.state_file) and state_file.outdated(runtimes[0], wish.state_file)


def _save(runtimes: Sequence[Runtime], wish: Wish, changed: bool) -> None:
    if wish.state_file and changed:
        state_file.save(runtimes[0], wish.state_file)


def _instance(backend: Backend, wish: Wish) -> Dict[str, Any]:
    return {
        "socket": backend.socket,
        "server": backend.server(wish.server).as_dict(),
        "healthy": backend.healthy(wish.count_unchecked, wish.count_backup),
        "total": len(backend.servers),
        "out_of_service": backend.out_of_service(),
    }


def _result(
    changed: bool,
    wish: Wish,
    before: Sequence[Backend],
    after: Sequence[Backend],
    *,
    expected: Optional[Admin] = None,
    waited: float = 0.0,
) -> Dict[str, Any]:
    """The module's return values; ``expected`` is the admin state that check mode foretells."""
    described = _merged(after, wish)
    healthy = set(after[0].healthy(wish.count_unchecked, wish.count_backup))
    for backend in after[1:]:
        healthy &= set(backend.healthy(wish.count_unchecked, wish.count_backup))
    out = {name for backend in after for name in backend.out_of_service() if name != wish.server}
    if expected is not None:
        described = {**described, "admin_state": expected.value}
        healthy -= {wish.server}
    return {
        "changed": changed,
        "before": _merged(before, wish),
        "after": described,
        "healthy": sorted(healthy),
        "total": max(len(backend.servers) for backend in after),
        "other_out_of_service": sorted(out),
        "persistence": any(backend.server(wish.server).cookie for backend in after),
        "waited": round(waited, 1),
        "instances": [_instance(backend, wish) for backend in after],
    }


def _merged(backends: Sequence[Backend], wish: Wish) -> Dict[str, Any]:
    """The server as all processes see it: a value they do not share is ``mixed``, sessions are added up."""
    seen = [backend.server(wish.server).as_dict() for backend in backends]
    merged = {
        key: seen[0][key] if all(one[key] == seen[0][key] for one in seen) else "mixed"
        for key in ("admin_state", "operational_state", "status")
    }
    return {**merged, "sessions": sum(one["sessions"] for one in seen)}
