# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines, and a cloud that has them in its memory: it pages, is slow, fails and hangs as a test wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Cloud, Machine, Power, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline

ACCOUNT, REGION = "111111111111", "eu-central-1"


def machine(instance_id: str = "i-1", **given: Any) -> Machine:
    """A running machine of the tenant alpha, but for what is said otherwise."""
    usual: dict[str, Any] = {
        "cloud": Cloud.AWS,
        "account": ACCOUNT,
        "region": REGION,
        "zone": f"{REGION}a",
        "instance_id": instance_id,
        "name": f"name-of-{instance_id}",
        "power": Power.RUNNING,
        "tags": {"tenant": "alpha"},
        "private_ip": "10.0.0.1",
    }
    return Machine(**{**usual, **given})


def failure(scope: Scope, what: str = "the request was throttled", kind: str = "throttled") -> SourceError:
    """What a source raises when it cannot read a scope."""
    return SourceError(scope, "ec2:DescribeInstances", what, kind=kind, remedy="Try again later.")


@dataclass
class FakeSource:
    """A source whose scopes hold machines, in pages of two, or an exception that comes after them."""

    name: str = "cloud"
    content: Mapping[Scope, Sequence[Machine | Exception]] = field(default_factory=dict)
    trouble: Callable[[], Exception] | None = None
    """What goes wrong while the scopes are looked for."""
    seconds_a_page: float = 0.0
    hangs: frozenset[Scope] = frozenset()
    asked: list[Scope] = field(default_factory=list)
    at_once: int = 0
    """How many scopes were read at the same time, at most."""
    _reading: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def scopes(self, deadline: Deadline) -> Sequence[Scope]:
        """The scopes; those besides a trouble are told by a ScopesError."""
        if self.trouble is None:
            return list(self.content)
        problem = self.trouble()
        if self.content and isinstance(problem, SourceError):
            raise ScopesError(list(self.content), [problem])
        raise problem

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The machines of a scope."""
        with self._lock:
            self.asked.append(scope)
            self._reading += 1
            self.at_once = max(self.at_once, self._reading)
        try:
            if scope in self.hangs:
                threading.Event().wait()
            for number, each in enumerate(self.content[scope]):
                if number % 2 == 0:
                    time.sleep(self.seconds_a_page)
                if isinstance(each, Exception):
                    raise each
                yield each
        finally:
            with self._lock:
                self._reading -= 1


def fleet(name: str, *machines: Machine, region: str = REGION) -> FakeSource:
    """A source of one scope."""
    return FakeSource(name, {Scope(name, ACCOUNT, region): machines})
