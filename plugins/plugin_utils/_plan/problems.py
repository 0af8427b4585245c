# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Problems of the input, collected over all hosts and reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

_NAMED_HOSTS = 3


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one variable of one host."""

    file: str
    """Where the variable was set: ``file:line``, or the name of the inventory source."""
    key: str
    value: str
    """The value as it is shown, shortened; empty where there is none."""
    what: str
    """What is wrong, as a clause without a full stop."""
    remedy: str
    host: str


def printable(text: str) -> str:
    """A text on one line. What comes from outside must not break, colour or rewrite the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def show(value: object) -> str:
    """A value for a message, printable and not longer than a line."""
    text = str(value) if isinstance(value, (str, int, float)) else repr(value)
    return printable(text if len(text) <= 80 else text[:77] + "...")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that proposes the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"Did you mean {near[0]}?" if near else ""


def raise_problems(problems: Iterable[Problem], subject: str) -> None:
    """Raise FleetError of kind ``bad_policy`` that names every problem once, with its hosts, if there is one."""
    hosts: dict[tuple[str, str, str, str, str], list[str]] = {}
    for problem in problems:
        same = (problem.file, problem.key, problem.value, problem.what, problem.remedy)
        named = hosts.setdefault(same, [])
        if problem.host not in named[-1:]:
            named.append(problem.host)
    if not hosts:
        return
    lines, data = [], []
    for (file, key, value, what, remedy), names in sorted(hosts.items()):
        shown = f"{key}: {value}" if value else key
        lines.append(f"- {file}: {shown}: {what}. {remedy}".rstrip() + f" ({_name(names)})")
        data.append({"file": file, "key": key, "value": value, "problem": what, "remedy": remedy, "hosts": names})
    count = f"{len(lines)} problems" if len(lines) > 1 else "a problem"
    raise FleetError(
        f"{subject} has {count}; no host was touched:\n" + "\n".join(lines), kind="bad_policy", data={"problems": data}
    )


def _name(hosts: list[str]) -> str:
    named = ", ".join(show(host) for host in hosts[:_NAMED_HOSTS])
    more = len(hosts) - _NAMED_HOSTS
    return f"{named} and {more} more" if more > 0 else named
