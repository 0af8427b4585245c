# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CVE ids that a Debian package's changelog names above a version."""

from __future__ import annotations

import gzip
import re
import subprocess
import tarfile
from pathlib import Path
from typing import List, Optional

from ansible_collections.bankops.fleet.plugins.module_utils._packages import debian_version

_HEADING = re.compile(r"^[a-z0-9][a-z0-9+.-]* \((?P<version>[^)]+)\) ")
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b")


def closed_cves(package: Path, name: str, installed: str) -> Optional[List[str]]:
    """Sorted CVE ids in the entries newer than source version ``installed``; None when ``package`` has no changelog."""
    text = read_changelog(package, name)
    return None if text is None else cves_above(text, installed)


def cves_above(text: str, installed: str) -> List[str]:
    """Sorted CVE ids in the entries of a Debian changelog whose version is above ``installed``."""
    found = set()
    newer = False
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading:
            newer = debian_version.compare(heading["version"], installed) > 0
        elif newer:
            found.update(_CVE.findall(line))
    return sorted(found)


def read_changelog(package: Path, name: str) -> Optional[str]:
    """The Debian changelog inside the package file; None when its documentation lives in another package."""
    folder = f"./usr/share/doc/{name}/"
    # A native package has no separate Debian changelog.
    names = (f"{folder}changelog.Debian.gz", f"{folder}changelog.gz")
    # The archive may be compressed in ways the standard library cannot read; dpkg-deb reads them all.
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reader:
        try:
            with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
                for member in archive:
                    if member.name in names and member.isfile():
                        stream = archive.extractfile(member)
                        if stream is not None:
                            return gzip.decompress(stream.read()).decode("utf-8", "replace")
        except (tarfile.TarError, OSError):
            return None
        finally:
            reader.kill()
    return None
