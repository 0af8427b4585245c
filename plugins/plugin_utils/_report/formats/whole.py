# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports that take the place of the former ones together, when all of them are there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead, this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.files import make_folders, sync

_NEW = ".new-"
"""What the name of a folder begins with that is not ready; the process that writes there stands behind it."""


@contextmanager
def whole_reports(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, whose files and folders are moved into ``folder`` when all went well.

    What a process that is dead has left of its own there is removed. Raises FleetError of kind ``report_unwritable``
    when the operating system refuses.
    """
    with refusals(folder):
        make_folders(folder)
        for left in folder.glob(f"{_NEW}*"):
            if is_dead(unquote(left.name.removeprefix(_NEW))):
                shutil.rmtree(left)
        new = folder / f"{_NEW}{quote(this_owner(os.getpid()), safe='')}"
        new.mkdir(mode=0o700)
        try:
            yield new
            made = sorted(new.iterdir())
            _make_safe(new)
            for path in made:
                _put(path, folder / path.name)
            sync(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _make_safe(folder: Path) -> None:
    """For their owner alone, and on the disk."""
    for path in folder.iterdir():
        path.chmod(0o700 if path.is_dir() else 0o600)
        if path.is_dir():
            _make_safe(path)
        else:
            sync(path)
    sync(folder)


def _put(new: Path, path: Path) -> None:
    if not (new.is_dir() and path.is_dir()):
        new.replace(path)
        return
    # A folder cannot be replaced at once. Between the two steps there is none, which nobody takes for a report.
    former = new.with_name(f".{new.name}")
    path.rename(former)
    try:
        new.rename(path)
    except BaseException:
        former.rename(path)
        raise


@contextmanager
def refusals(folder: Path) -> Iterator[None]:
    """Raise FleetError of kind ``report_unwritable`` where the operating system refuses to write there."""
    try:
        yield
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        raise FleetError(
            f"The reports in {folder} cannot be written: {where}{problem.strerror or problem}.",
            kind="report_unwritable",
            remedy="Look at the owner, the mode and the free space of the folder.",
        ) from problem
