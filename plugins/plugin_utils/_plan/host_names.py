# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts that Ansible takes, in the ``hosts`` of a play, for one host and nothing else."""

from __future__ import annotations

import ipaddress
import re

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@%+-]*")


def is_plain_name(host: str) -> bool:
    """Whether a name has nothing that Ansible reads as a pattern (``web[1:3]``, ``web*``, ``web,db``, a space)."""
    if _PLAIN_NAME.fullmatch(host):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
