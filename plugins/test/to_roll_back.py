# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test ``bankops.fleet.to_roll_back``, documented beside it."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import may_roll_back


class TestModule:
    """Gives Ansible the test."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """The test by its name."""
        return {"to_roll_back": may_roll_back}
