# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a report that are either there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.files import make_folders, sync


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the place of a temporary file, empty and for its owner alone, that becomes ``path`` when all went well.

    Raises FleetError of kind ``report_unwritable`` when the operating system refuses.
    """
    with refusals(path):
        make_folders(path.parent)
        temporary = _beside(path)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of ``path`` when all went well: no old file beside new ones.

    Raises FleetError of kind ``report_unwritable`` when the operating system refuses.
    """
    with refusals(path):
        make_folders(path.parent)
        temporary, former = _beside(path), _beside(path)
        temporary.mkdir(mode=0o700)
        try:
            yield temporary
            for file in temporary.iterdir():
                file.chmod(0o600)
                sync(file)
            sync(temporary)
            # A folder cannot be replaced at once. Between the two steps there is none, which nobody takes for a report.
            if path.exists():
                path.rename(former)
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if former.exists() and not path.exists():
                former.rename(path)
            raise
        sync(path.parent)
        shutil.rmtree(former, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Raise FleetError of kind ``report_unwritable`` where the operating system refuses to write there."""
    try:
        yield
    except OSError as problem:
        raise FleetError(
            f"The report {path} cannot be written: {problem.filename or 'file'}: {problem.strerror or problem}.",
            kind="report_unwritable",
            remedy="Look at the owner, the mode and the free space of its folder.",
        ) from problem
