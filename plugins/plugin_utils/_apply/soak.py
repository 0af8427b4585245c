# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at many hosts at once from one task, in a few processes of its own."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence


def look_at_all(hosts: Sequence[str], look: Callable[[str], None], at_once: int) -> None:
    """Call ``look`` for every host, in at most ``at_once`` processes side by side.

    What a look finds it writes into the ledger itself, so a process that breaks says why, and leaves its hosts
    unseen, which holds back the next wave.
    """
    processes = []
    for share in range(min(at_once, len(hosts))):
        process = os.fork()
        if process == 0:
            try:
                for host in hosts[share::at_once]:
                    look(host)
            except Exception:  # noqa: BLE001  the process ends here, and why must be said before
                traceback.print_exc()
            finally:
                os._exit(0)
        processes.append(process)
    for process in processes:
        os.waitpid(process, 0)
