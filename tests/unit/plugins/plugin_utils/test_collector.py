# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collector is as it was afterwards, whatever happened meanwhile."""

from __future__ import annotations

import gc

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused


@collector_paused()
@collector_paused()
def break_while_paused() -> None:
    assert not gc.isenabled()
    raise ValueError("a defect")


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_meanwhile_and_is_as_before_afterwards(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ValueError, match="a defect"):
            break_while_paused()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
