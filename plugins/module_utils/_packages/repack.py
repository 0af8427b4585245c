# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a package file from what is installed, so that there is a way back when no repository has the old version.

The result is not compressed: it lives for days on the same disk, and the processor's time is worth more.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Dict, List, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

# What dpkg adds to a package's paragraph once it is installed.
_STATUS_FIELDS = ("Status", "Conffiles", "Config-Version", "Triggers-Pending", "Triggers-Awaited")


def repack(commands: Commands, name: str, arch: str, target: Path, root: Path = Path("/")) -> Path:
    """Write the installed package ``name:arch`` to ``target``, and return it.

    Files are as they are on the host: locally changed configuration included. Files that were left out at installation
    (documentation, translations) stay out. Raises FleetError of kind ``repack_failed``.
    """
    with tempfile.TemporaryDirectory(prefix=".repack-", dir=str(target.parent)) as scratch:
        tree = Path(scratch) / "tree"
        tree.mkdir(mode=0o755)
        paths = _listed_paths(commands, name, arch)
        _copy_files(paths, _diverted(root, name), tree, root)
        _write_control(commands, name, arch, tree)
        built = Path(scratch) / target.name
        commands.run(["dpkg-deb", "-Znone", "--build", str(tree), str(built)], timeout=1800)
        os.replace(built, target)
    return target


def _listed_paths(commands: Commands, name: str, arch: str) -> List[str]:
    """The paths dpkg has for the package, directories before what is in them."""
    lines = commands.run(["dpkg-query", "--listfiles", f"{name}:{arch}"]).stdout.splitlines()
    # Lines about diversions are no paths; the diversions are read from dpkg's own file.
    return sorted({line for line in lines if line.startswith("/") and line != "/."})


def _diverted(root: Path, name: str) -> Dict[str, str]:
    """Where the package's files really are because another package diverted them."""
    try:
        lines = (root / "var/lib/dpkg/diversions").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    triples: List[Tuple[str, ...]] = [tuple(lines[start : start + 3]) for start in range(0, len(lines) - 2, 3)]
    return {source: target for source, target, owner in triples if owner != name}


def _copy_files(paths: List[str], diverted: Dict[str, str], tree: Path, root: Path) -> None:
    parents = {os.path.dirname(path) for path in paths}
    links: Dict[Tuple[int, int], Path] = {}
    for path in paths:
        origin = root / diverted.get(path, path).lstrip("/")
        copy = tree / path.lstrip("/")
        # A directory of the package may be a symbolic link on the host (/bin on a merged system).
        try:
            status = os.stat(origin) if path in parents else os.lstat(origin)
        except FileNotFoundError:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(status.st_mode):
            copy.mkdir(exist_ok=True)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(origin), copy)
            os.lchown(copy, status.st_uid, status.st_gid)
            continue
        elif stat.S_ISREG(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in links:
                os.link(links[identity], copy)
                continue
            shutil.copyfile(origin, copy)
            links[identity] = copy
        else:
            raise FleetError(
                f"{path} is neither a file, a directory nor a symbolic link.",
                kind="repack_failed",
                remedy="Set patch_keep_versions: false, or leave the package out (patch_exclude).",
            )
        os.chown(copy, status.st_uid, status.st_gid)
        os.chmod(copy, stat.S_IMODE(status.st_mode))
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write_control(commands: Commands, name: str, arch: str, tree: Path) -> None:
    control = tree / "DEBIAN"
    control.mkdir(mode=0o755)
    control.chmod(0o755)
    paragraph: List[str] = []
    conffiles: List[str] = []
    field = ""
    for line in commands.run(["dpkg-query", "--status", f"{name}:{arch}"]).stdout.splitlines():
        if not line.startswith((" ", "\t")):
            field = line.split(":", 1)[0]
        elif field == "Conffiles" and not line.endswith((" obsolete", " remove-on-upgrade")):
            conffiles.append(line.rsplit(" ", 1)[0].strip())
        if field not in _STATUS_FIELDS:
            paragraph.append(line)
    (control / "control").write_text("\n".join(paragraph).strip() + "\n", encoding="utf-8")
    for source in commands.run(["dpkg-query", "--control-path", f"{name}:{arch}"]).stdout.split():
        member = source.rpartition(".")[2]
        if member == "list":
            continue
        target = control / member
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.stat(source).st_mode & 0o100 else 0o644)
    # dpkg-deb refuses a configuration file that is not in the package; an administrator may have removed one.
    present = [path for path in conffiles if os.path.lexists(tree / path.lstrip("/"))]
    if present:
        (control / "conffiles").write_text("".join(f"{path}\n" for path in present), encoding="utf-8")
