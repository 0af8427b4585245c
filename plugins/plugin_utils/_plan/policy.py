# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy of a host: its variables, validated, as plain typed data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan import consistency, semantics
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.exceptions import VARIABLE as EXCEPTIONS_FILE
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.exceptions import (
    ExceptionFiles,
    Exceptions,
    Hold,
    Waiver,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.host_names import is_plain_name
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import (
    Problem,
    did_you_mean,
    raise_problems,
    show,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.specification import (
    Fault,
    Options,
    check,
    check_all,
    defaults,
)

PREFIX = "patch_"
RUN_TIME = frozenset(
    {
        "patch_cycle",
        "patch_plans",
        "patch_tenants",
        "patch_replace",
        "patch_judge",
        "patch_user_requests",
        "patch_report_formats",
        "patch_plan_digest",
        "patch_approve",
        "patch_approval_key",
        "patch_approval_purpose",
        "patch_executor_key",
        "patch_ticket",
        "patch_expected_by",
        "patch_status_expect",
        "patch_purpose",
        "patch_rollback_hosts",
    }
)
"""Variables that are given when a playbook is started, and are no policy of a host."""
PLACEMENT = (
    "fleet_tenant",
    "fleet_cluster",
    "fleet_wave",
    "fleet_instance_id",
    "fleet_cloud",
    "fleet_account",
    "fleet_region",
    "fleet_environment",
    "fleet_incomplete",
)
_EMERGENCY = "patch_emergency"
_MISSING = {
    "fleet_tenant": "Set fleet_tenant to the client this host belongs to.",
    "fleet_cluster": "Set fleet_cluster to the host's cluster, or to none if it stands alone.",
    "fleet_wave": "Set fleet_wave to one of the names in patch_waves.",
}


@dataclass(frozen=True)
class Wave:
    """A stage of the rollout; batches are numbers of hosts or percentages of the wave (``"25%"``)."""

    name: str
    batches: tuple[int | str, ...]
    soak_minutes: int


@dataclass(frozen=True)
class LoadBalancer:
    """Where a host is drained."""

    host: str
    backend: str
    server: str
    socket: str
    min_healthy: int
    drain_timeout: int
    on_timeout: str
    up_timeout: int
    maintenance: bool
    count_unchecked: bool
    count_backup: bool
    state_file: str | None = None


@dataclass(frozen=True)
class Policy:
    """The policy of one host. Fields that are no placement are the variables ``patch_<field>``, but ``waivers``."""

    tenant: str
    cluster: str | None
    """None for a host that stands alone."""
    wave: str
    instance_id: str
    cloud: str
    account: str
    region: str
    environment: str
    incomplete: Any
    """What the inventory says that it does not have; anything empty means that it is whole."""
    classes: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    minimum_age_days: int
    holds: tuple[Hold, ...]
    """Those of the exceptions file among them."""
    waivers: tuple[Waiver, ...]
    """Of the exceptions file."""
    exceptions_file: str | None
    service_levels: dict[str, int]
    allow_removals: bool
    keep_versions: bool
    package_manager: str
    waves: tuple[Wave, ...]
    cluster_max_down: int
    max_failed: int
    plan_expires_hours: int
    soak_wait_minutes: int
    approval: str
    approval_signers: str | None
    approval_hours: int
    approval_awx: dict[str, Any] | None
    window: dict[str, Any] | None
    freezes: tuple[dict[str, Any], ...]
    freeze_calendar: str | None
    change_ticket: dict[str, Any] | None
    overrides: tuple[dict[str, Any], ...]
    load_balancer: LoadBalancer | None
    health_checks: tuple[dict[str, Any], ...]
    reboot: str
    restart: str
    minimum_free_mb: dict[str, int]
    lock_timeout: int
    timeout: int
    verify_timeout: int
    reboot_timeout: int
    reconnect_timeout: int
    hooks: dict[str, list[str]]

    def as_data(self) -> dict[str, Any]:
        """The policy as a host's document has it: plain data, without the placement, which the plan's head has."""
        data: dict[str, Any] = _plain(self)
        for key in PLACEMENT:
            del data[key.removeprefix("fleet_")]
        return data


@dataclass(frozen=True)
class HostVariables:
    """The templated variables of a host, and where each was set; ``where`` is also asked for variables that are not."""

    host: str
    variables: Mapping[str, Any]
    where: Callable[[str], str]


@collector_paused()
def read_policies(
    options: Options,
    hosts: Iterable[HostVariables],
    *,
    emergency: bool,
    source: str,
    inventory: Iterable[str],
    groups: Iterable[str] = (),
) -> dict[str, Policy]:
    """The policies of the selected hosts, by host.

    ``options`` are those of the role's argument specification, ``source`` names the inventory, ``inventory`` are all of
    its hosts, ``groups`` its groups.

    Raises FleetError: ``bad_policy`` with every problem of every host, ``empty_fleet``.
    """
    policies: dict[str, Policy] = {}
    problems: list[Problem] = []
    wheres: dict[str, Callable[[str], str]] = {}
    known, names_of_groups = frozenset(inventory), frozenset(groups)
    files = ExceptionFiles()
    for given in hosts:
        policy, found = read_policy(options, given.variables, given.host, given.where, files, emergency=emergency)
        problems.extend(found)
        problems.extend(_name_of(given, names_of_groups))
        wheres[given.host] = given.where
        if policy:
            policies[given.host] = policy
    if not wheres:
        raise empty_fleet(source)
    problems.extend(consistency.check(policies, wheres, known))
    problems.extend(files.unknown_hosts(known))
    raise_problems(problems, "The policy")
    return policies


def read_policy(
    options: Options,
    variables: Mapping[str, Any],
    host: str,
    where: Callable[[str], str],
    files: ExceptionFiles,
    *,
    emergency: bool,
) -> tuple[Policy | None, list[Problem]]:
    """The policy of one host, or None and everything that is wrong with its variables."""
    faults = list(_unknown(options, variables))
    values = defaults(options)
    overrides, found = _overrides(options, variables.get(_EMERGENCY))
    faults.extend(found)
    for name, option in options.items():
        if name in RUN_TIME or name == _EMERGENCY:
            continue
        if variables.get(name) is not None:
            values[name], found = check(option, name, variables[name])
            faults.extend(found)
        elif option.get("required"):
            faults.append(_missing(name, variables))
    if emergency:
        values.update(overrides)
    if not faults:
        faults = list(semantics.check(values))
    if faults:
        return None, [_problem(fault, host, where) for fault in faults]
    exceptions = files.of(values.get(EXCEPTIONS_FILE))
    if exceptions.faults:
        return None, [_problem_of_file(fault, str(values[EXCEPTIONS_FILE]), host, where) for fault in exceptions.faults]
    return _policy(values, host, exceptions), []


def _name_of(given: HostVariables, groups: frozenset[str]) -> Iterable[Problem]:
    """Ansible takes a name in ``hosts`` for a group first, and for a pattern where it can; the order would be lost."""
    key = "inventory_hostname"
    if given.host in groups:
        yield Problem(
            given.where(key), key, show(given.host), "is the name of a group as well", "Rename one.", given.host
        )
    if not is_plain_name(given.host):
        remedy = "Use letters, digits, dots, dashes and underscores."
        what = "would be read by Ansible as a pattern of hosts"
        yield Problem(given.where(key), key, show(given.host), what, remedy, given.host)


def _problem(fault: Fault, host: str, where: Callable[[str], str]) -> Problem:
    variable = fault.key.partition(".")[0].partition("[")[0]
    return Problem(where(variable), fault.key, fault.value, fault.what, fault.remedy, host)


def _problem_of_file(fault: Fault, path: str, host: str, where: Callable[[str], str]) -> Problem:
    """A file that cannot be read is the fault of who names it; all else stands in the file."""
    file = where(EXCEPTIONS_FILE) if fault.key == EXCEPTIONS_FILE else path
    return Problem(file, fault.key, fault.value, fault.what, fault.remedy, host)


def empty_fleet(source: str) -> FleetError:
    """The error for a plan of nothing."""
    return FleetError(
        f"{source}: no host is selected, so there is nothing to plan.",
        kind="empty_fleet",
        remedy="Look at the inventory (ansible-inventory --graph), --limit and patch_tenants.",
    )


def _unknown(options: Options, variables: Mapping[str, Any]) -> Iterable[Fault]:
    known = [name for name in options if name.startswith(PREFIX)]
    for name in variables:
        if name.startswith(PREFIX) and name not in options and name not in RUN_TIME:
            remedy = did_you_mean(name, known) or "docs/policy.md lists the variables that are known."
            yield Fault(show(name), show(variables[name]), "is not known", remedy)


def _missing(name: str, variables: Mapping[str, Any]) -> Fault:
    alike = did_you_mean(name, [key for key in variables if key.startswith("fleet_") and key not in PLACEMENT])
    hint = f" ({alike.removeprefix('Did you mean ').rstrip('?')} is set; is it misspelt?)" if alike else ""
    return Fault(name, "", "is missing", _MISSING[name] + hint)


def _overrides(options: Options, value: Any) -> tuple[dict[str, Any], list[Fault]]:
    """What holds in an emergency cycle, validated in every cycle, so that it works when it is needed."""
    if value is None:
        return {}, []
    allowed = {
        name: {key: part for key, part in option.items() if key not in ("default", "required")}
        for name, option in options.items()
        if name.startswith(PREFIX) and name not in RUN_TIME and name != _EMERGENCY
    }
    given, faults = check({"type": "dict"}, _EMERGENCY, value)
    if faults:
        return {}, faults
    overrides, faults = check_all(allowed, f"{_EMERGENCY}.", given)
    if not faults:
        faults = [
            Fault(f"{_EMERGENCY}.{fault.key}", fault.value, fault.what, fault.remedy)
            for fault in semantics.check_values(overrides)
        ]
    return overrides, faults


def _policy(values: Mapping[str, Any], host: str, exceptions: Exceptions) -> Policy:
    balancer = values.get("patch_load_balancer")
    taken = {
        "tenant": values["fleet_tenant"],
        "cluster": None if semantics.stands_alone(values["fleet_cluster"]) else values["fleet_cluster"],
        "wave": values["fleet_wave"],
        "instance_id": values["fleet_instance_id"],
        "cloud": values["fleet_cloud"],
        "account": values["fleet_account"],
        "region": values["fleet_region"],
        "environment": values["fleet_environment"],
        "incomplete": values.get("fleet_incomplete"),
        "holds": (
            *(Hold(**{**hold, "expires": date.fromisoformat(hold["expires"])}) for hold in values["patch_holds"]),
            *exceptions.holds_of(host),
        ),
        "waivers": exceptions.waivers_of(host),
        "waves": tuple(Wave(**{**wave, "batches": tuple(wave["batches"])}) for wave in values["patch_waves"]),
        "load_balancer": LoadBalancer(**{"server": host, **balancer}) if balancer else None,
    }
    for field in fields(Policy):
        if field.name not in taken:
            # Without a default it may be left out: there is no such thing then.
            value = values.get(PREFIX + field.name)
            taken[field.name] = tuple(value) if isinstance(value, list) else value
    return Policy(**taken)


def _plain(value: Any) -> Any:
    # Most values are of these, and a large fleet has millions of them.
    if value is None or isinstance(value, (str, int)):
        return value
    if is_dataclass(value):
        return _plain(vars(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
