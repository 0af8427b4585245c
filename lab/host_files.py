# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files each host finds on itself at its first start: who it is, whom it knows, and what its role is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.bankops.fleet.lab import machine
from ansible_collections.bankops.fleet.lab.topology import TENANTS, Host, machine_id
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import (
    APPROVAL_NAMESPACE,
    ATTEMPT_NAMESPACE,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.keys import signers_line

FILES = Path(__file__).parent / "files"

SIGNERS = "allowed_signers"
SIGNING = {"approver": APPROVAL_NAMESPACE, "executor": ATTEMPT_NAMESPACE}
"""The lab's two people: their keys have these names, and each may sign one thing alone."""
SEAL_SIGNERS = "seal_signers"
SEALING = {tenant: f"seal-{tenant}" for tenant in TENANTS}
"""By tenant the name of the key that seals its plans; ``seal_signers`` is what its auditor is given of it."""

SSHD = """# Root by key is how the lab's inventory logs in.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxStartups 100
"""

HERMETIC = """Types: deb
URIs: copy:/srv/fleet-repository/deb
Suites: lab lab-security
Components: main
Trusted: yes
"""

ARCHIVE = """Types: deb
URIs: {mirror.main}
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: {mirror.security}
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""

HAPROXY = """global
    log /dev/log local0
    user haproxy
    group haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
    server-state-file /var/lib/haproxy/server-state

defaults
    mode http
    log global
    option httplog
    option redispatch
    retries 3
    retry-on conn-failure empty-response
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    load-server-state-from-file global

frontend web
    bind :80
    default_backend web

backend web
    balance roundrobin
    option httpchk GET /
    http-check expect status 200
    default-server inter 500ms fall 2 rise 2
{servers}
"""

# What is drained stays so over a reload and a restart of haproxy.
HAPROXY_DROP_IN = """[Service]
ExecReload=
ExecReload=/usr/local/sbin/haproxy-save-state
ExecReload=/usr/sbin/haproxy -Ws -f $CONFIG -c -q $EXTRAOPTS
ExecReload=/bin/kill -USR2 $MAINPID
ExecStop=/usr/local/sbin/haproxy-save-state
"""


def _etcd_drop_in(host: Host, members: Sequence[Host], prefix: str) -> str:
    """A longer heartbeat than etcd's own: many hosts share few cores, and a late heartbeat must not cost the leader."""
    cluster = ",".join(f"{member.name}=http://{member.address}:2380" for member in members)
    settings = {
        "NAME": host.name,
        "DATA_DIR": "/var/lib/etcd/default",
        "LISTEN_PEER_URLS": f"http://{host.address}:2380",
        "LISTEN_CLIENT_URLS": "http://0.0.0.0:2379",
        "INITIAL_ADVERTISE_PEER_URLS": f"http://{host.address}:2380",
        "ADVERTISE_CLIENT_URLS": f"http://{host.address}:2379",
        "INITIAL_CLUSTER": cluster,
        "INITIAL_CLUSTER_TOKEN": prefix,
        "INITIAL_CLUSTER_STATE": "new",
        "HEARTBEAT_INTERVAL": "250",
        "ELECTION_TIMEOUT": "2500",
    }
    environment = "".join(f'Environment="ETCD_{name}={value}"\n' for name, value in settings.items())
    # At the first start a member may have to wait for slower ones.
    return f"[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nRestart=on-failure\nRestartSec=1\n{environment}"


def role_files(host: Host, hosts: Sequence[Host], prefix: str) -> dict[str, str]:
    """What makes the host what it is: path to text."""
    if host.role == "web":
        return {"/var/www/html/index.html": f"{host.name}\n"}
    if host.role == "kv":
        members = [member for member in hosts if member.role == "kv"]
        return {"/etc/systemd/system/etcd.service.d/fleet-lab.conf": _etcd_drop_in(host, members, prefix)}
    if host.role == "lb":
        servers = "\n".join(f"    server {web.name} {web.address}:80 check" for web in hosts if web.role == "web")
        return {
            "/etc/haproxy/haproxy.cfg": HAPROXY.format(servers=servers),
            "/etc/systemd/system/haproxy.service.d/fleet-lab.conf": HAPROXY_DROP_IN,
            "/usr/local/sbin/haproxy-save-state": (FILES / "haproxy-save-state").read_text(),
        }
    return {}


def apt_sources(profile: str, mirror: machine.Mirror) -> str:
    """Where a host's apt looks: the hermetic repository, and in the demo Debian's own archive besides."""
    return HERMETIC + (f"\n{ARCHIVE.format(mirror=mirror)}" if profile == "demo" else "")


def host_files(
    host: Host, hosts: Sequence[Host], prefix: str, profile: str, mirror: machine.Mirror, public_key: str
) -> dict[str, str]:
    """Everything a host is given besides its SSH host key: path to text."""
    known = "".join(f"{other.address} {other.name}\n" for other in hosts)
    return {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{known}",
        "/etc/machine-id": f"{machine_id(prefix, host.name)}\n",
        "/etc/resolv.conf": "".join(f"nameserver {server}\n" for server in machine.name_servers()),
        "/etc/ssh/sshd_config.d/fleet-lab.conf": SSHD,
        "/etc/apt/sources.list": "# See sources.list.d/fleet-lab.sources\n",
        "/etc/apt/sources.list.d/fleet-lab.sources": apt_sources(profile, mirror),
        "/root/.ssh/authorized_keys": public_key,
        **role_files(host, hosts, prefix),
    }


def write_host_folder(folder: Path, files: dict[str, str]) -> None:
    """Write a host's files below ``folder``/root, and its SSH host key, which is made once and then kept."""
    key = folder / "ssh_host_ed25519_key"
    if not key.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_key(key, folder.name)
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755 if path.startswith("/usr/local/sbin/") else 0o644)
    (root / "root").chmod(0o700)
    (root / "root/.ssh").chmod(0o700)
    shutil.copy(key, root / "etc/ssh/ssh_host_ed25519_key")
    (root / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    shutil.copy(key.with_suffix(".pub"), root / "etc/ssh/ssh_host_ed25519_key.pub")


def make_signers(folder: Path) -> None:
    """The keys of who approves, who executes and what seals, made once, and the files that list what each may sign."""
    for name in (*SIGNING, *SEALING.values()):
        if not (folder / name).with_suffix(".pub").exists():
            make_key(folder / name, name)
    people = [
        f'{person} namespaces="{namespace}" {(folder / person).with_suffix(".pub").read_text()}'
        for person, namespace in SIGNING.items()
    ]
    (folder / SIGNERS).write_text("".join(people))
    (folder / SEAL_SIGNERS).write_text("".join(signers_line(tenant, folder / key) for tenant, key in SEALING.items()))


def make_key(path: Path, comment: str) -> None:
    """A new SSH key pair; a half-written one of a killed run is replaced."""
    path.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
