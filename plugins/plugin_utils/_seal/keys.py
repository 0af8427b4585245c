# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of a tenant's seals, and the lists of signers that go into a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.check import signers_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import SEAL_NAMESPACE, principal_of


def key_of(given: Any, tenant: str) -> Path:
    """The key that ``fleet_seal_key`` names for a tenant: one path for all, or a mapping of tenants to paths.

    Raises FleetError of kind ``key_unusable``.
    """
    path = given.get(tenant) if isinstance(given, Mapping) else given
    if not isinstance(path, str) or not path.strip():
        raise FleetError(
            f"fleet_seal_key names no key for tenant {tenant}.",
            kind="key_unusable",
            remedy="Set it to the path of a key, or to a mapping of tenants to paths, in the inventory or with -e. "
            "Name the public half of a key that an ssh-agent or a hardware key has.",
        )
    return Path(path).expanduser()


def usable_key(given: Any, tenant: str, signers: Path | None) -> Path:
    """The key of a tenant, whose public half can be had, and which the file that auditors have names, if there is one.

    That it may sign, and for what and how long, only a signature tells. Raises FleetError: ``key_unusable``,
    ``signers_missing``, ``signer_unknown``.
    """
    key = key_of(given, tenant)
    public = sshsig.public_key(key)
    if signers is None:
        return key
    try:
        signers.read_bytes()
    except OSError as problem:
        raise FleetError(
            f"{signers}, which fleet_seal_signers names, cannot be read: {problem.strerror}.",
            kind="signers_missing",
            remedy="Put the file there; docs/auditors.md shows one.",
        ) from problem
    if principal_of(tenant) not in sshsig.principals_of(public, signers):
        raise FleetError(
            f"The key {key} is not listed as {principal_of(tenant)} in {signers}, which fleet_seal_signers names.",
            kind="signer_unknown",
            remedy="Name the tenant's own key in fleet_seal_key, or add its line to the file and to those that "
            "auditors have.",
        )
    return key


def signers_line(tenant: str, key: Path) -> str:
    """What an allowed-signers file needs so that ``key`` may seal plans of this tenant, and nothing else."""
    public = sshsig.public_key(key)
    return f'{principal_of(tenant)} namespaces="{SEAL_NAMESPACE}" {sshsig.type_of(public)} {public}\n'


def approval_signers(policy: Mapping[str, Any]) -> bytes | None:
    """The allowed-signers file by which approvals and executors of a plan are judged; None where nobody can read it."""
    if policy.get("approval") != "signature":
        return None
    try:
        return signers_of(policy).read_bytes()
    except OSError:
        return None
