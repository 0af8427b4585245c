# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud's machines between two runs: plain data of what was read as a whole, and readable by nobody else."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.populate import plain

FORMAT = 1
WHO_ASKS = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_CONFIG_DIR", "AZURE_AUTHORITY_HOST"),
    *("AZURE_USERNAME", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCP_SERVICE_ACCOUNT_FILE", "CLOUDSDK_CONFIG"),
    *("CLOUDSDK_ACTIVE_CONFIG_NAME", "HOME"),
)
"""Variables of the environment that say as whom and where the clouds are asked, none of which is a secret."""
_WHERE = "AWS_ENDPOINT_URL"
"""So begin those that lead to another service, each with the name of one."""
_FIELDS = tuple(field.name for field in fields(Machine))


class MachineCache:
    """The machines of an inventory file in one of Ansible's caches.

    ``cache`` is Ansible's CachePluginAdjudicator, ``connection`` the folder where it keeps files, if it does.
    """

    def __init__(self, cache: Any, file: str, connection: str | None) -> None:
        self._cache = cache
        self._key = _key(Path(file))
        self._folder = Path(os.path.expandvars(connection)).expanduser() if connection else None

    def get(self) -> str | None:
        """What is kept; None when there is nothing, it is too old, or somebody else could have put it there."""
        if not all(map(_is_own, self._files())):
            return None
        try:
            kept = self._cache[self._key]
        except KeyError:
            return None
        return str(kept["machines"]) if isinstance(kept, Mapping) and "machines" in kept else None

    def put(self, text: str) -> None:
        """Keep a text, where only the user who runs this can read it. Raises FleetError of kind ``bad_cache``."""
        self._cache[self._key] = {"machines": text}
        # Ansible leaves its files readable to the group; nobody shall have the moment before that is mended.
        usual = os.umask(0o077)
        try:
            self._cache.set_cache()
            for file in self._files():
                file.chmod(0o600)
        except OSError as problem:
            raise FleetError(
                f"{problem.filename}: the inventory's cache cannot be made private: {problem.strerror}.",
                kind="bad_cache",
                remedy="Give whoever runs this a folder of his own in cache_connection.",
            ) from problem
        finally:
            os.umask(usual)

    def _files(self) -> list[Path]:
        return list(self._folder.glob(f"*{self._key}*")) if self._folder and self._folder.is_dir() else []


def _is_own(file: Path) -> bool:
    """Whether a file is as ``put`` leaves it."""
    found = file.stat()
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def pack(read: str, machines: Mapping[Scope, Iterable[Machine]]) -> str:
    """Machines as one JSON text, with the moment at which they were read."""
    scopes = [
        [[scope.source, scope.account, scope.region], [_values(machine) for machine in found]]
        for scope, found in machines.items()
    ]
    return json.dumps({"read": read, "scopes": scopes})


def unpack(text: str) -> tuple[str, dict[Scope, list[Machine]]]:
    """What ``pack`` was given. Raises ValueError when the text is none of its own."""
    try:
        content = json.loads(text)
        return str(content["read"]), {
            Scope(*scope): [_machine(values) for values in found] for scope, found in content["scopes"]
        }
    except (KeyError, TypeError) as problem:
        raise ValueError(str(problem)) from problem


def _key(file: Path) -> str:
    """Another content of the file, or another identity before the clouds, is another inventory."""
    names = (*WHO_ASKS, *sorted(name for name in os.environ if name.startswith(_WHERE)))
    asking = (f"{name}={os.environ.get(name, '')}" for name in names)
    parts = (str(FORMAT), str(file), *asking)
    return "fleet_" + hashlib.sha256("\0".join(parts).encode() + b"\0" + file.read_bytes()).hexdigest()[:32]


def _values(machine: Machine) -> list[Any]:
    return [plain(getattr(machine, name)) for name in _FIELDS]


def _machine(values: list[Any]) -> Machine:
    given = dict(zip(_FIELDS, values, strict=True))
    given["cloud"], given["power"] = Cloud(given["cloud"]), Power(given["power"])
    for name in ("managed_by", "not_managed_by"):
        given[name] = tuple(map(Transport, given[name]))
    return Machine(**given)
