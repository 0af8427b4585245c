# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a type cannot say about the policy's values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._health.definitions import validate_checks
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import MARK, redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.gate_semantics import check_gates
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.specification import Fault
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import NAME_RULE, check_name

_LEAST = {
    "patch_minimum_age_days": 0,
    "patch_cluster_max_down": 1,
    "patch_max_failed": 0,
    "patch_plan_expires_hours": 1,
    "patch_soak_wait_minutes": 0,
    "patch_approval_hours": 1,
    "patch_lock_timeout": 0,
    "patch_timeout": 1,
    "patch_verify_timeout": 1,
    "patch_reboot_timeout": 1,
    "patch_reconnect_timeout": 1,
}
_PERCENT = re.compile(r"([1-9][0-9]?|100)%")
# The token must not cross a network in clear text; a tunnel may end on the controller itself.
_SAFE_URL = re.compile(r"https://[^\s/@]+(/\S*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/\S*)?")


def stands_alone(cluster: str) -> bool:
    """Whether a value of ``fleet_cluster`` says that the host is in no cluster."""
    return cluster in ("", "none")


def check(values: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of a host's complete values (types are right, defaults filled in)."""
    yield from check_values(values)
    yield from _placement(values)
    yield from _approval(values)


def check_values(values: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of those values that are there, each by itself."""
    for name, least in _LEAST.items():
        if name in values and values[name] < least:
            yield Fault(name, show(values[name]), f"must be at least {least}", "")
    yield from _patterns(values)
    for sentence in validate_checks(values.get("patch_health_checks", [])):
        yield Fault("patch_health_checks", "", sentence[:1].lower() + sentence[1:].rstrip("."), "")
    yield from _secrets(values.get("patch_health_checks", []))
    yield from _holds(values.get("patch_holds", ()))
    yield from check_gates(values)
    yield from _hooks(values.get("patch_hooks", {}))
    if "patch_waves" in values:
        yield from _waves(values["patch_waves"])
    yield from _service_levels(values.get("patch_service_levels", {}))
    yield from _free_space(values.get("patch_minimum_free_mb", {}))
    awx = values.get("patch_approval_awx") or {}
    if "url" in awx and not _SAFE_URL.fullmatch(awx["url"]):
        remedy = "Write it as https://awx.example.com, without a user or a token."
        yield Fault("patch_approval_awx.url", show(redact(awx["url"])), "is no https URL", remedy)
    balancer = values.get("patch_load_balancer") or {}
    for key in ("min_healthy", "drain_timeout", "up_timeout"):
        if balancer.get(key, 0) < 0:
            yield Fault(f"patch_load_balancer.{key}", show(balancer[key]), "must be at least 0", "")


def _service_levels(levels: Mapping[str, int]) -> Iterator[Fault]:
    for severity, days in levels.items():
        if days < 1:
            yield Fault(f"patch_service_levels.{severity}", show(days), "must be at least 1 (day)", "")


def _free_space(minimum_mb: Mapping[str, Any]) -> Iterator[Fault]:
    for path, megabytes in minimum_mb.items():
        if not path.startswith("/"):
            yield Fault(f"patch_minimum_free_mb.{show(path)}", show(megabytes), "is no absolute path", "")
        if not is_whole_number(megabytes) or megabytes < 0:
            yield Fault(f"patch_minimum_free_mb.{show(path)}", show(megabytes), "must be a whole number, 0 or more", "")


def _patterns(values: Mapping[str, Any]) -> Iterator[Fault]:
    for name in ("patch_include", "patch_exclude"):
        for index, pattern in enumerate(values.get(name, ())):
            if not pattern.strip():
                yield Fault(f"{name}[{index}]", "", "is empty", "Name a package or a glob pattern.")


def _secrets(checks: Any) -> Iterator[Fault]:
    """A plan is read by approvers and auditors, so a secret in a check would be there for all of them."""
    remedy = (
        "A plan keeps its checks in clear text. Use a command check that reads the secret on the host, or an address "
        "of the service that needs none."
    )
    for key in _redacted_keys(checks, redact(checks), "patch_health_checks"):
        yield Fault(key, "", "holds a secret", remedy)


def _redacted_keys(value: Any, redacted: Any, key: str) -> Iterator[str]:
    """The paths of the values that redaction has changed. What it made of a key that is a secret, is not shown."""
    if isinstance(value, Mapping) and isinstance(redacted, Mapping):
        for (name, inner), (shown, inner_redacted) in zip(value.items(), redacted.items(), strict=True):
            if shown != name:
                yield f"{key}.{show(shown)}"
            yield from _redacted_keys(inner, inner_redacted, f"{key}.{show(shown)}")
    elif isinstance(value, list) and isinstance(redacted, list):
        for index, (inner, inner_redacted) in enumerate(zip(value, redacted, strict=True)):
            yield from _redacted_keys(inner, inner_redacted, f"{key}[{index}]")
    elif isinstance(redacted, str) and MARK in redacted and redacted != value:
        yield key


def _holds(holds: Any) -> Iterator[Fault]:
    for index, hold in enumerate(holds):
        for key in ("package", "owner", "reason"):
            if not hold[key].strip():
                yield Fault(f"patch_holds[{index}].{key}", "", "is empty", f"Say the {key} of the hold.")
        try:
            date.fromisoformat(hold["expires"])
        except ValueError:
            yield Fault(f"patch_holds[{index}].expires", show(hold["expires"]), "is no date", "Write it as 2026-12-31.")


def _hooks(hooks: Mapping[str, Any]) -> Iterator[Fault]:
    """Ansible would look for a hook when its turn has come, in the window."""
    for point, files in hooks.items():
        for index, file in enumerate(files or ()):
            key = f"patch_hooks.{point}[{index}]"
            if not file.startswith("/"):
                remedy = 'Write it as "{{ inventory_dir }}/hooks/silence.yml".'
                yield Fault(key, show(file), "is no absolute path", remedy)
            elif not Path(file).is_file():
                yield Fault(
                    key, show(file), "is no file of this controller", "Put the hook there, or correct the path."
                )


def _waves(waves: Any) -> Iterator[Fault]:
    if not waves:
        yield Fault("patch_waves", "[]", "has no wave", "Name at least one.")
    names = [wave["name"] for wave in waves]
    for index, wave in enumerate(waves):
        key = f"patch_waves[{index}]"
        if not wave["name"].strip() or wave["name"] in names[:index]:
            yield Fault(f"{key}.name", show(wave["name"]), "must be a name of its own", "")
        if wave["soak_minutes"] < 0:
            yield Fault(f"{key}.soak_minutes", show(wave["soak_minutes"]), "must be at least 0", "")
        if not wave["batches"]:
            yield Fault(f"{key}.batches", "[]", "has no size", 'Write sizes, such as [1, "25%"].')
        for position, size in enumerate(wave["batches"]):
            whole = is_whole_number(size) and size >= 1
            if not whole and not (isinstance(size, str) and _PERCENT.fullmatch(size)):
                remedy = 'Write a number of hosts (5), or a percentage of the wave in quotes ("25%").'
                yield Fault(f"{key}.batches[{position}]", show(size), "is no size of a batch", remedy)


def _approval(values: Mapping[str, Any]) -> Iterator[Fault]:
    """What each way of approving needs."""
    needed = {"signature": "patch_approval_signers", "awx": "patch_approval_awx"}.get(values["patch_approval"])
    if needed and not values.get(needed):
        remedy = f"Set it, as patch_approval is {values['patch_approval']}; docs/approval.md shows how."
        yield Fault(needed, "", "is missing", remedy)


def _placement(values: Mapping[str, Any]) -> Iterator[Fault]:
    tenant, cluster, wave = values["fleet_tenant"], values["fleet_cluster"], values["fleet_wave"]
    try:
        check_name(tenant, "tenant")
        named = tenant != "unknown"
    except FleetError:
        named = False
    if not named:
        yield Fault("fleet_tenant", show(tenant), "is no name of a tenant", NAME_RULE)
    if cluster == "unknown":
        remedy = "Set fleet_cluster to the host's cluster, or to none if it stands alone."
        yield Fault("fleet_cluster", cluster, "does not say which hosts must not be down together", remedy)
    if stands_alone(cluster) and any(check["type"] == "etcd" for check in values["patch_health_checks"]):
        remedy = "Set fleet_cluster to the name that all members of the etcd cluster share."
        yield Fault("fleet_cluster", show(cluster), "a host with an etcd health check is in a cluster", remedy)
    waves = [known["name"] for known in values["patch_waves"]]
    if wave not in waves:
        remedy = did_you_mean(wave, waves) or f"The waves are {', '.join(map(show, waves))}."
        yield Fault("fleet_wave", show(wave), "is no wave of patch_waves", remedy)
