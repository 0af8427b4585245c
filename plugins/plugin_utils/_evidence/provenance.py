# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an attempt comes from: who started it, on which machine, from which revision and with which versions."""

from __future__ import annotations

import getpass
import importlib.metadata
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

UNKNOWN = "unknown"
_COLLECTION = Path(__file__).parents[3]


def read_provenance(checkout: Path, commands: Commands | None = None) -> dict[str, Any]:
    """``{"user", "sudo_user", "host", "revision", "dirty", "ansible_core", "collection", "awx_job"}``.

    ``revision`` is the commit of ``checkout`` and ``dirty`` whether files in it differ from that commit; where git or a
    repository is missing, they are ``unknown`` and null. ``sudo_user`` and ``awx_job`` are null where there is none.
    """
    revision, dirty = _read_revision(checkout, commands or Commands())
    return {
        "user": _user(),
        "sudo_user": os.environ.get("SUDO_USER"),
        "host": socket.gethostname(),
        "revision": revision,
        "dirty": dirty,
        "ansible_core": _ansible_core(),
        "collection": this_version(),
        "awx_job": os.environ.get("AWX_JOB_ID") or os.environ.get("JOB_ID"),
    }


def this_version() -> str:
    """The version of this collection."""
    return collection_version(_COLLECTION)


def collection_version(collection: Path) -> str:
    """The version of a collection: of the built artifact (MANIFEST.json), or of a checkout (galaxy.yml)."""
    manifest, galaxy = collection / "MANIFEST.json", collection / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    if galaxy.is_file():
        found = re.search(r"^version:\s*[\"']?([^\s\"']+)", galaxy.read_text(encoding="utf-8"), re.MULTILINE)
        return found.group(1) if found else UNKNOWN
    return UNKNOWN


def _read_revision(checkout: Path, commands: Commands) -> tuple[str, bool | None]:
    git = ["git", "-C", str(checkout)]
    try:
        revision = commands.run([*git, "rev-parse", "HEAD"], timeout=30).stdout.strip()
        changes = commands.run([*git, "status", "--porcelain", "--untracked-files=no"], timeout=60).stdout.strip()
    except FleetError:
        # No git, no repository, no commit, or not ours to read: each means that nobody can tell.
        return UNKNOWN, None
    return revision, bool(changes)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return str(os.getuid())


def _ansible_core() -> str:
    try:
        return importlib.metadata.version("ansible-core")
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN
