# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS as a source of machines: the instances of EC2 in accounts and regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_options import Options, read_options
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_reader import Reader


class AwsSource:
    """The instances of accounts and regions. No library is loaded and nobody is asked before ``scopes``."""

    def __init__(self, name: str, options: Options, *, raw: bool) -> None:
        self.name = name
        self._options = options
        self._raw = raw
        self._reader: Reader

    def scopes(self, deadline: Deadline) -> Sequence[Scope]:
        """The regions of every account. Raises SourceError, for an unknown region before any call; ScopesError."""
        self._reader = self._load()
        return self._reader.scopes(deadline)

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The instances of one of the ``scopes``. Raises SourceError."""
        return self._reader.machines(scope, deadline)

    def _load(self) -> Reader:
        try:
            from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_reader import Reader
        except ModuleNotFoundError as problem:
            if problem.name != "botocore":
                raise
            what, remedy = "botocore is not installed", "Run pip install -r requirements-aws.txt of this collection."
            scope = Scope(self.name)
            raise SourceError(scope, "import botocore", what, kind="library_missing", remedy=remedy) from None
        return Reader(self.name, self._options, raw=self._raw)


def read_source(entry: Entry, name: str, *, raw: bool) -> AwsSource:
    """The source that an entry of the inventory file describes; what is wrong with it is noted there."""
    return AwsSource(name, read_options(entry), raw=raw)
