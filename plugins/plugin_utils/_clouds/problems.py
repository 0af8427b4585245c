# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong while a source is read, said so that whoever reads it knows what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope


_LONGEST = 300


def said(text: object) -> str:
    """What a service said, printable, on one line and shortened; without a full stop."""
    words = printable(" ".join(str(text).split()))
    return (words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "...").rstrip(".")


class SourceError(FleetError):
    """A source or a part of it that could not be read.

    ``kind`` is one of ``credentials_missing``, ``credentials_refused``, ``access_denied``, ``throttled``,
    ``timed_out``, ``unreachable``, ``certificate_bad``, ``not_found``, ``answer_malformed``, ``answer_partial``,
    ``library_missing`` and ``api_error``; ``call`` is how the cloud's documentation names what was asked
    (``ec2:DescribeInstances``). Messages hold what the service said, in one printable line and shortened.
    """

    def __init__(self, scope: Scope, call: str, what: str, *, kind: str, remedy: str) -> None:
        super().__init__(
            f"{scope}: {call}: {what}",
            kind=kind,
            remedy=remedy,
            data={"source": scope.source, "account": scope.account, "region": scope.region, "call": call},
        )
        self.scope = scope
        self.call = call


class ScopesError(Exception):
    """Not all scopes of a source could be found out: those that could, and what stood against the others."""

    def __init__(self, scopes: Sequence[Scope], problems: Sequence[SourceError]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.scopes = scopes
        self.problems = problems
