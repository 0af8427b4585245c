# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy is defined once: engine, role and documentation say the same of every variable."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import (
    PLACEMENT,
    RUN_TIME,
    Policy,
)

from .fleets import PLACE, ROOT, options, policies, policies_of
from .policy_values import BALANCER, FREEZE, HOLD, HOOK, OVERRIDE, WINDOW


def test_the_policy_has_a_field_for_every_variable_and_none_besides() -> None:
    variables = {"patch_" + field.name for field in fields(Policy)} - {
        # Waivers are no variable: they stand in the exceptions file alone.
        *(key.replace("fleet_", "patch_") for key in PLACEMENT),
        "patch_waivers",
    }
    documented = {name for name in options() if name.startswith("patch_")} - RUN_TIME - {"patch_emergency"}
    assert variables == documented
    assert {name for name in options() if name.startswith("fleet_")} == set(PLACEMENT)
    assert set(options()) >= RUN_TIME


def test_the_role_has_the_documented_defaults() -> None:
    defaults = yaml.safe_load((ROOT / "roles/patch/defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults == {
        name: option["default"]
        for name, option in options().items()
        if name.startswith("patch_") and "default" in option
    }


def test_what_the_engine_takes_ansible_takes_as_well() -> None:
    variables = {
        **PLACE,
        "patch_holds": [{**HOLD, "expires": date(2026, 12, 31)}],
        "patch_timeout": "600",
        "patch_allow_removals": "yes",
        "patch_load_balancer": BALANCER,
        "patch_health_checks": [{"type": "tcp", "name": "https", "port": 443}],
        "patch_hooks": {"before_host": [HOOK]},
        "patch_window": WINDOW | {"start": datetime.fromisoformat("2026-01-13T22:00:00")},
        "patch_freezes": [{**FREEZE, "from": date(2026, 12, 24)}],
        "patch_overrides": [OVERRIDE],
        "patch_emergency": {"patch_timeout": 60},
    }
    found = policies(web1=variables)["web1"]
    validated = ArgumentSpecValidator(options()).validate(variables)
    assert validated.error_messages == []
    assert (found.timeout, found.allow_removals) == (600, True)
    assert validated.validated_parameters["patch_timeout"] == 600


def test_every_variable_is_explained_in_the_documentation() -> None:
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    assert [name for name in options() if f"`{name}`" not in page] == []


def documented_checks() -> list[dict[str, Any]]:
    """The checks in the YAML blocks of their documentation: lists, and what stands in ``patch_health_checks``."""
    page = (ROOT / "docs/health-checks.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:]]
    lists = [block["patch_health_checks"] if isinstance(block, dict) else block for block in blocks]
    return [check for checks in lists for check in checks if "type" in check]


@pytest.mark.parametrize("check", documented_checks(), ids=str)
def test_every_check_in_the_documentation_is_good_policy(check: dict[str, Any]) -> None:
    variables = {"fleet_cluster": "etcd", "patch_health_checks": [check]}
    assert policies_of({"host1": variables})["host1"].health_checks == (check,)


def examples() -> list[dict[str, Any]]:
    """The YAML blocks of the documentation."""
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8").replace("{{ inventory_dir }}", str(ROOT / "playbooks"))
    return [yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:]]


@pytest.mark.parametrize("variables", examples(), ids="-".join)
@pytest.mark.parametrize("emergency", [False, True])
def test_every_example_in_the_documentation_is_good_policy(variables: dict[str, Any], emergency: bool) -> None:
    assert policies_of({"host1": variables}, emergency=emergency)["host1"].wave == "broad"
