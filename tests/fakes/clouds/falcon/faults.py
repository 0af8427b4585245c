# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong between a client and Falcon. Each fault spoils the answers to one path, a number of times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.console import Answer, Console

TOKEN, DEVICES = "/oauth2/token", "/devices/combined/devices/v1"
GATEWAY = "<html><body><h1>502 Bad Gateway</h1></body></html>"

Spoil = Callable[[Answer], Answer]


def fault(console: Console, path: str, spoil: Spoil, *, times: int = 1, after: int = 0) -> None:
    """Let ``spoil`` change the next answers to a path, after some that are good."""
    left = [after, times]

    def spoiled(asked: str, answer: Answer) -> Answer | None:
        if asked != path or left[1] == 0:
            return None
        if left[0]:
            left[0] -= 1
            return None
        left[1] -= 1
        return spoil(answer)

    console.faults.append(spoiled)


def answers(status: int, body: Any = None, *, kind: str = "application/json", **headers: str) -> Spoil:
    """Another answer in the place of the right one; ``X_Cs_Region`` becomes the header ``X-Cs-Region``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _answer: Answer(status, body, named, kind)


def throttled(*, retry_after: float | None = None) -> Spoil:
    """A 429; ``retry_after`` is an epoch."""
    body = {"meta": {}, "errors": [{"code": 429, "message": "API rate limit exceeded."}]}
    headers = {} if retry_after is None else {"X-RateLimit-RetryAfter": str(retry_after)}
    return lambda _answer: Answer(429, body, headers)


def changed(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """The right answer with its body changed in place."""

    def spoil(answer: Answer) -> Answer:
        body = {**answer.body, "meta": dict(answer.body.get("meta", {}))}
        change(body)
        return replace(answer, body=body)

    return spoil


def hangs(seconds: float) -> Spoil:
    """The right answer, late."""

    def spoil(answer: Answer) -> Answer:
        time.sleep(seconds)
        return answer

    return spoil


def revoked(console: Console) -> Spoil:
    """The right answer, and all tokens are taken back after it."""

    def spoil(answer: Answer) -> Answer:
        console.revoke_all()
        return answer

    return spoil
