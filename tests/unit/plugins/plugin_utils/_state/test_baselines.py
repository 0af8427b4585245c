# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts were like before their change is kept beside the plan, and never made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState


def test_a_baseline_is_read_as_it_was_put_last(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    with state.write_plan("alpha") as writer:
        plan = writer.finish({"format": 1, "tenant": "alpha", "hosts": {}})
    with pytest.raises(FleetError) as missing:
        state.get_baseline("alpha", plan, "web/1")
    assert (missing.value.kind, missing.value.remedy[:24]) == ("baseline_missing", "Restore it from a backup")
    state.put_baseline("alpha", plan, "web/1", {"units": {"failed": []}})
    state.put_baseline("alpha", plan, "web/1", {"units": {"failed": ["nginx.service"]}})
    assert state.get_baseline("alpha", plan, "web/1") == {"units": {"failed": ["nginx.service"]}}
