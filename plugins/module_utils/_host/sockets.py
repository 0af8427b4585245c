# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening sockets, from /proc/net, so that neither ss nor netstat is needed."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path
from typing import Iterator, List, Set, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._host.proc import read_text

_TCP_LISTEN = "0A"
_UDP_UNCONNECTED = "07"


def read_sockets(root: Path) -> List[str]:
    """Sorted ``["tcp 0.0.0.0:80", "tcp [::]:80", "udp 0.0.0.0:68"]``.

    A bound UDP socket may be a server's or a client's that waits for an answer. Those inside the range from which the
    kernel gives ports to clients are left out, because they cannot be told apart.
    Raises FleetError of kind ``unreadable`` where /proc/net cannot be read.
    """
    first, last = _client_ports(root)
    sockets: Set[str] = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        protocol = table[:3]
        wanted = _TCP_LISTEN if protocol == "tcp" else _UDP_UNCONNECTED
        for address, port, state in _entries(root, table):
            if state == wanted and not (protocol == "udp" and first <= port <= last):
                sockets.add(f"{protocol} {address}:{port}")
    return sorted(sockets)


def _entries(root: Path, table: str) -> Iterator[Tuple[str, int, str]]:
    text = read_text(root / "proc/net" / table)
    if text is None:
        if table.endswith("6"):
            return  # a kernel without IPv6 has no such table
        raise FleetError(
            f"/proc/net/{table} cannot be read, so the listening sockets are unknown.",
            kind="unreadable",
            remedy="Run as root.",
        )
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3:
            address, port = fields[1].split(":")
            yield _address(address), int(port, 16), fields[3]


def _address(digits: str) -> str:
    """The kernel prints an address as 32-bit words in the byte order of the machine."""
    packed = b"".join(struct.pack("=I", int(digits[i : i + 8], 16)) for i in range(0, len(digits), 8))
    if len(packed) == 4:
        return str(ipaddress.IPv4Address(packed))
    return f"[{ipaddress.IPv6Address(packed)}]"


def _client_ports(root: Path) -> Tuple[int, int]:
    words = (read_text(root / "proc/sys/net/ipv4/ip_local_port_range") or "").split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (32768, 60999)
