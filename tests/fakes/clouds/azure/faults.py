# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong between a client and Azure. Each fault spoils the answers to some requests, a number of times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import Answer, Azure

Spoil = Callable[[Answer], Answer]
MACHINES, STATUSES = "/providers/Microsoft.Compute/virtualMachines?", "statusOnly=true"
INTERFACES, ADDRESSES = "/providers/Microsoft.Network/networkInterfaces?", "/publicIPAddresses?"
SCALE_SETS, TOKEN = "/virtualMachineScaleSets?", "/oauth2/v2.0/token"


def fault(azure: Azure, part: str, spoil: Spoil, *, times: int = 1, after: int = 0) -> None:
    """Let ``spoil`` change the next answers to URLs with this part in path and query, after some that are good."""
    left = [after, times]

    def spoiled(asked: str, answer: Answer) -> Answer | None:
        if part not in asked or left[1] == 0:
            return None
        if left[0]:
            left[0] -= 1
            return None
        left[1] -= 1
        return spoil(answer)

    azure.faults.append(spoiled)


def answers(status: int, code: str = "", words: str = "", **headers: str) -> Spoil:
    """An error in the place of the right answer; ``Retry_After`` becomes the header ``Retry-After``."""
    body: Any = {"error": {"code": code, "message": words}} if code else b"<html><h1>Bad Gateway</h1></html>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _answer: Answer(status, body, named)


def throttled(retry_after: str = "") -> Spoil:
    """A 429 as the provider of virtual machines gives it."""
    headers = {"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/HighCostGet;0"}
    words = "The server rejected the request because too many requests have been received for this subscription."
    body = {"error": {"code": "OperationNotAllowed", "message": words}}
    return lambda _answer: Answer(429, body, {**headers, **({"Retry-After": retry_after} if retry_after else {})})


def says(content: bytes) -> Spoil:
    """A good status with this content."""
    return lambda _answer: Answer(200, content)


def changed(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """The right answer with its body changed in place."""

    def spoil(answer: Answer) -> Answer:
        body = dict(answer.body)
        change(body)
        return replace(answer, body=body)

    return spoil


def cut(answer: Answer) -> Answer:
    """The right answer, of which the connection breaks in the middle."""
    return replace(answer, headers={**answer.headers, "X-Cut": "1"})


def late(seconds: float) -> Spoil:
    """The right answer, late."""

    def spoil(answer: Answer) -> Answer:
        time.sleep(seconds)
        return answer

    return spoil


def instead(make: Callable[[], Answer]) -> Spoil:
    """Another answer, made anew each time."""
    return lambda _answer: make()
