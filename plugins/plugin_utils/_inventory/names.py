# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts: what users prefer, made safe, and never one name for two machines."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Cloud, Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean

TAG = "tag:"
FIELDS = {
    "name": "name",
    "private_dns": "private_dns",
    "public_dns": "public_dns",
    "private_ip": "private_ip",
    "public_ip": "public_ip",
    "instance_id": "instance_id",
    # As filters of the EC2 API are named, which users of amazon.aws.aws_ec2 write.
    "private-dns-name": "private_dns",
    "dns-name": "public_dns",
    "private-ip-address": "private_ip",
    "ip-address": "public_ip",
    "instance-id": "instance_id",
}
USUAL = ("name", "private_dns", "instance_id")
NEVER = frozenset({"localhost", "127.0.0.1", "::1", "all", "ungrouped"})
"""Ansible takes them for the controller itself, or for everybody; a machine must not pass for either."""
_LOCAL = frozenset({"localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"})
_LONGEST = 120
_USUAL_ADDRESS = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{1,3}){3}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

Identity = tuple[str, str, str]


def normal_identity(cloud: str, account: str, instance_id: str) -> Identity:
    """An identity as its cloud writes it: none of them tells upper from lower case."""
    return (cloud, account, instance_id) if cloud == Cloud.ONPREM else (cloud, account.lower(), instance_id.lower())


@dataclass(frozen=True)
class Preference:
    """One way to name a machine: ``source`` is a field or a tag, ``prefix`` one too, or a text as it stands."""

    source: str
    prefix: str = ""
    separator: str = "_"

    def name(self, machine: Machine) -> str:
        """The name that it gives, or nothing."""
        name = _look_up(self.source, machine)
        if not name or not self.prefix:
            return name
        prefix = _look_up(self.prefix, machine) if _is_known(self.prefix) else self.prefix
        return f"{prefix}{self.separator}{name}" if prefix else name


def read_hostnames(entry: Entry) -> tuple[Preference, ...]:
    """The option ``hostnames``: texts, or mappings with ``name``, ``prefix`` and ``separator``."""
    found = []
    for each in entry.texts_or_entries("hostnames", USUAL, example="tag:Name"):
        if isinstance(each, str):
            preference = Preference(each)
        else:
            separator = each.text("separator", "_", empty=True)
            preference = Preference(each.text("name", example="tag:Name"), each.text("prefix"), separator)
            each.refuse_others()
        if not _is_known(preference.source):
            remedy = did_you_mean(preference.source, FIELDS) or f"Write tag:<key>, or one of {', '.join(FIELDS)}."
            entry.faults.add("hostnames", preference.source, "is no name of a machine", remedy)
        found.append(preference)
    return tuple(found)


def host_names(
    machines: Sequence[Machine],
    hostnames: Sequence[Preference],
    *,
    reserved: Collection[str],
    taken: Mapping[str, Identity],
) -> list[str]:
    """A name for each machine, in their order, and no name twice; the order makes no difference to the names.

    Machines that come to the same name all get their instance's id behind it, and more where that is not enough.
    ``reserved`` are names of groups, ``taken`` says whose the names of hosts are that were there before.
    """
    names = [_plain(_preferred(machine, hostnames)) for machine in machines]
    bare = list(names)
    lengths = [0] * len(machines)
    while True:
        users: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(names):
            users[name].append(index)
        clashing = [
            index
            for name, indexes in users.items()
            for index in indexes
            if len(indexes) > 1
            or name in NEVER
            or name in reserved
            or taken.get(name, machines[index].identity) != machines[index].identity
        ]
        if not clashing:
            return names
        for index in clashing:
            lengths[index] += 1
            names[index] = _longer(bare[index], machines[index], lengths[index])


def is_address(text: str) -> bool:
    """Whether a text may be handed to ssh as the address of a host: no option, no user, no blank."""
    return bool(re.fullmatch(r"[A-Za-z0-9:][A-Za-z0-9.:_-]*", text))


def is_own_address(text: str) -> bool:
    """Whether an address leads to this machine itself, in any way to write it that ssh understands."""
    if _USUAL_ADDRESS.fullmatch(text):
        return text.startswith("127.")
    labels = text.lower().rstrip(".").split(".")
    if labels[-1] in _LOCAL or labels[0] in _LOCAL:
        return True
    try:
        # It takes 127.1, 0x7f000001 and 0 as well, as ssh does.
        found = ipaddress.ip_address(socket.inet_aton(text) if ":" not in text else text)
    except (OSError, ValueError):
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_unspecified


def _longer(bare: str, machine: Machine, length: int) -> str:
    """A name with one more part of the machine's identity; in the end a digest of all of it."""
    cloud, account, instance_id = machine.identity
    if length <= 2:
        return "_".join([bare, *map(_plain, (instance_id, account)[:length])])
    # The length is part of what is digested, so that nobody can name a machine after all that another may come to.
    whole = "\0".join((cloud, account, instance_id, str(length))).encode(errors="surrogatepass")
    return f"{bare}_{hashlib.sha256(whole).hexdigest()[:16]}"


def _preferred(machine: Machine, hostnames: Sequence[Preference]) -> str:
    return next(filter(None, (preference.name(machine) for preference in hostnames)), machine.instance_id)


def _plain(name: str) -> str:
    """A name that is one host and nothing else to Ansible, to ssh and to a file system."""
    safe = _UNSAFE.sub("_", name)[:_LONGEST]
    return f"x{safe}" if safe[:1] in ("", "-", ".") else safe


def _is_known(source: str) -> bool:
    return source in FIELDS or source.startswith(TAG)


def _look_up(source: str, machine: Machine) -> str:
    if not source.startswith(TAG):
        return str(getattr(machine, FIELDS[source]))
    for wanted in source[len(TAG) :].split(","):
        key, is_pair, value = wanted.partition("=")
        found = machine.tags.get(key, "")
        if found and (not is_pair or found == value):
            return f"{key}_{found}" if is_pair else found
    return ""
