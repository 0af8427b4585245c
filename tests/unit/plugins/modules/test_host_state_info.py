# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""host_state_info, run on this machine as a module."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.modules import host_state_info
from ansible_collections.bankops.fleet.tests.fakes.module_arguments import module_arguments


def run(capsys: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    with module_arguments(**arguments), pytest.raises(SystemExit):
        host_state_info.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_it_returns_the_state_and_changes_nothing(capsys: Any) -> None:
    result = run(capsys, {})
    assert result["changed"] is False
    assert (result["settled"], result["attempts"], result["worse"]) == (True, 1, [])
    assert result["state"]["disk"]["/"]["size"] > 0


def test_a_worse_host_is_returned_not_failed(capsys: Any) -> None:
    before = run(capsys, {})["state"]
    before["mounts"].append("/srv/that-is-gone")
    result = run(capsys, {"before": before, "timeout": 0})
    assert "failed" not in result
    assert result["settled"] is False
    assert {"kind": "mount_gone", "subject": "/srv/that-is-gone", "detail": "was mounted and is not now"} in result[
        "worse"
    ]


def test_a_check_that_does_not_pass_is_returned_not_failed(capsys: Any) -> None:
    result = run(capsys, {"checks": [{"type": "command", "argv": ["false"]}]})
    assert (result["settled"], result["checks"][0]["ok"]) == (False, False)


def test_a_wrong_check_fails_with_the_key_and_the_remedy(capsys: Any) -> None:
    result = run(capsys, {"checks": [{"type": "tcp", "name": "web"}]})
    assert result["failed"] is True
    assert "Health check 1 (web): port is missing" in result["msg"]
    assert result["fleet_failure"]["kind"] == "bad_check"


def test_check_mode_looks_as_well(capsys: Any) -> None:
    result = run(capsys, {"_ansible_check_mode": True})
    assert result["settled"] is True
