# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lab: started, stopped, inspected. What is on disk and in podman is compared with what is wanted, host by host."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.lab import host_files, image, inventory, machine, readiness
from ansible_collections.bankops.fleet.lab.podman import LABEL, Podman
from ansible_collections.bankops.fleet.lab.repository import build as repository
from ansible_collections.bankops.fleet.lab.topology import (
    PORTS_PER_LAB,
    Host,
    Place,
    candidates,
    lab_prefix,
    topology,
)
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

PROFILES = ("demo", "test", "bench")
AT_ONCE = 4
CONFIGURATION = "bankops.fleet.configuration"
FIRST_PORT = "bankops.fleet.first_port"


@dataclass(frozen=True)
class Description:
    """What a lab was asked to be; kept in lab.json so that every later command knows it."""

    profile: str
    web: int
    only: tuple[str, ...]
    place: Place


class Lab:
    """The lab ``name`` of a checkout. ``say`` gets one line of progress at a time."""

    def __init__(self, checkout: Path, name: str, say: Callable[[str], None]) -> None:
        self.prefix = lab_prefix(checkout, name)
        self.checkout = checkout
        self.name = name
        self.folder = checkout / ".lab" / name
        self.run = self.folder / ".run"  # hidden: Ansible reads every visible file of an inventory folder
        self.clouds = self.folder / ".clouds"
        self.say = say
        self._podman: Podman | None = None

    @property
    def podman(self) -> Podman:
        if self._podman is None:
            machine.require_programs()
            self._podman = Podman(self.run / "containers.conf")
        return self._podman

    def description(self) -> Description | None:
        """What the lab was asked to be, or None where there is none."""
        try:
            kept = json.loads((self.run / "lab.json").read_text())
            return Description(kept["profile"], kept["web"], tuple(kept["only"]), Place(**kept["place"]))
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None  # what a killed run or another version of the lab left is no description

    def required_description(self) -> Description:
        """Like ``description``; raises FleetError of kind ``no_lab`` where there is none."""
        found = self.description()
        if found is None:
            raise FleetError(
                f"The lab {self.name} of {self.checkout} is not up.", kind="no_lab", remedy="Start it: lab/fleet up"
            )
        return found

    def hosts(self) -> list[Host]:
        """The hosts the lab was asked to have."""
        wanted = self.required_description()
        return topology(wanted.place, wanted.web, frozenset(wanted.only))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One command changes a lab at a time. The kernel releases the lock of a killed process."""
        self.run.mkdir(parents=True, exist_ok=True)
        with _lock(self.run / "lock", f"the lab {self.name}", self.say):
            yield

    # Starting

    def up(self, profile: str, web: int, only: frozenset[str], fresh: bool) -> None:
        """Bring every host up as asked; a host that already runs as asked is left alone unless ``fresh``."""
        with self.locked():
            podman = self.podman
            machine.raise_inotify_limit(self.say)
            with _lock(_machine_lock(), "another lab's start", self.say):
                place = self._take_place()
                hosts = topology(place, web, only)
                images = image.ensure_images(podman, sorted({host.role for host in hosts}), self.say)
            wanted = Description(profile, web, tuple(sorted(only)), place)
            self._build_repository(fresh)
            self._write_files(wanted, hosts)
            (self.run / "lab.json").write_text(json.dumps(asdict(wanted)))
            self._remove(set(podman.containers(self.prefix)) - {host.name for host in hosts})
            if fresh:
                self._remove(set(podman.containers(self.prefix)))
            self._start(hosts, images)

    def reset(self, names: frozenset[str]) -> None:
        """Replace hosts by fresh ones from the image: their pending updates are back."""
        with self.locked():
            hosts = [host for host in self.hosts() if not names or host.name in names]
            unknown = names - {host.name for host in hosts}
            if unknown:
                raise FleetError(f"The lab has no host {', '.join(sorted(unknown))}.", kind="unknown_host")
            everyone = self.hosts()
            images = image.ensure_images(self.podman, sorted({host.role for host in everyone}), self.say)
            self._remove({host.name for host in hosts})
            self._start(everyone, images)

    def _take_place(self) -> Place:
        known = self.description()
        networks = self.podman.networks()
        ours = networks.pop(self.prefix, None)
        if known is not None and ours is not None and known.place.subnet in ours.subnets:
            return known.place
        if ours is not None:
            self.say("replacing what a killed run left behind")
            self._tear_down()
        subnets = {ipaddress.ip_network(subnet) for network in networks.values() for subnet in network.subnets}
        taken = {subnet for subnet in subnets if subnet.version == 4}.union(machine.own_networks())
        ports = {network.labels.get(FIRST_PORT) for network in networks.values()}  # a lab that is just starting
        for place in candidates(self.prefix):
            if any(ipaddress.ip_network(place.subnet).overlaps(network) for network in taken):
                continue
            if str(place.first_port) not in ports and _ports_are_free(place):
                self.podman.run(
                    "network",
                    "create",
                    "--disable-dns",
                    f"--subnet={place.subnet}",
                    f"--label={LABEL}={self.prefix}",
                    f"--label={FIRST_PORT}={place.first_port}",
                    self.prefix,
                )
                return place
        raise FleetError(
            "No block of ports and addresses is free for another lab.",
            kind="no_place",
            remedy="Stop labs that are no longer needed: lab/fleet down",
        )

    def _build_repository(self, fresh: bool) -> None:
        folder = self.run / "repository"
        marker = self.run / "repository.digest"
        digest = repository.recipe_digest()
        if not fresh and folder.exists() and marker.exists() and marker.read_text() == digest:
            return
        marker.unlink(missing_ok=True)
        repository.build(folder)
        marker.write_text(digest)

    def _write_files(self, wanted: Description, hosts: Sequence[Host]) -> None:
        key = self.run / "id_ed25519"
        if not key.with_suffix(".pub").exists():
            host_files.make_key(key, self.prefix)
        public_key = key.with_suffix(".pub").read_text()
        host_files.make_signers(self.run)
        mirror = machine.find_mirror()

        def write(host: Host) -> str:
            files = host_files.host_files(host, hosts, self.prefix, wanted.profile, mirror, public_key)
            folder = self.run / "hosts" / host.name
            host_files.write_host_folder(folder, files)
            shutil.copy(host_files.FILES / "init", folder / "init")
            return inventory.known_hosts_line(host, (folder / "ssh_host_ed25519_key.pub").read_text())

        with ThreadPoolExecutor(AT_ONCE) as pool:
            lines = list(pool.map(write, hosts))
        known_hosts = self.run / "known_hosts"
        known_hosts.write_text("".join(lines))
        data = inventory.inventory(hosts, self.prefix, key, known_hosts)
        (self.run / "inventory.json").write_text(json.dumps(data))
        (self.folder / "inventory.yml").write_text("---\n" + inventory.as_yaml(data))
        policy = self.folder / "group_vars"
        if not policy.is_symlink():
            policy.symlink_to("../../inventories/lab/group_vars")

    def _start(self, hosts: Sequence[Host], images: dict[str, str]) -> None:
        started = time.monotonic()
        identifiers = {role: self.podman.image_id(name) or name for role, name in images.items()}
        wanted = {host.name: self._configuration(host, identifiers[host.role]) for host in hosts}
        existing = self.podman.containers(self.prefix)
        new = [
            host
            for host in hosts
            if (found := existing.get(host.name)) is None
            or found["State"] != "running"
            or found["Labels"].get(CONFIGURATION) != wanted[host.name]
        ]
        if any(host.role == "kv" for host in new):
            # A member without its data cannot rejoin under its old identity: the cluster starts anew, together.
            new += [host for host in hosts if host.role == "kv" and host not in new]
        self._remove({host.name for host in new} & set(existing))
        self.say(f"starting {len(new)} of {len(hosts)} hosts")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda host: self._run_container(host, images[host.role], wanted[host.name]), new))
            readiness.wait_until_ready(hosts, self.ssh, pool)
        readiness.wait_for_services(hosts)
        self.say(f"{len(hosts)} hosts are ready after {time.monotonic() - started:.0f} s")

    def _configuration(self, host: Host, image_identifier: str) -> str:
        """A digest of what the container is made from; one made from something else is replaced."""
        total = hashlib.sha256(f"{image_identifier} {host} {(self.run / 'repository.digest').read_text()}".encode())
        folder = self.run / "hosts" / host.name
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            total.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
        return total.hexdigest()[:16]

    def _run_container(self, host: Host, image_name: str, configuration: str) -> None:
        published = ((host.ssh_port, 22), *host.published)
        self.podman.run(
            "run",
            "--detach",
            "--replace",
            f"--name={self.prefix}-{host.name}",
            f"--hostname={host.name}",
            f"--label={LABEL}={self.prefix}",
            f"--label={CONFIGURATION}={configuration}",
            "--systemd=always",
            "--privileged",
            "--restart=always",
            "--stop-timeout=10",
            "--no-hosts",
            f"--network={self.prefix}",
            f"--ip={host.address}",
            *(f"--publish=127.0.0.1:{outer}:{inner}" for outer, inner in published),
            f"--volume={self.run / 'hosts' / host.name}:/srv/fleet-lab:ro",
            f"--volume={self.run / 'repository'}:/srv/fleet-repository:ro",
            image_name,
            "/srv/fleet-lab/init",
        )

    # Using and stopping

    def ssh(self, host: Host, command: Sequence[str], *, keep: bool = False) -> list[str]:
        """The command line that runs ``command`` on a host, as Ansible would reach it."""
        options = [
            "-F/dev/null",
            f"-i{self.run / 'id_ed25519'}",
            f"-oUserKnownHostsFile={self.run / 'known_hosts'}",
            "-oGlobalKnownHostsFile=/dev/null",
            "-oStrictHostKeyChecking=yes",
            "-oIdentitiesOnly=yes",
            "-oConnectTimeout=5",
            "-oLogLevel=ERROR",
        ]
        if not keep:
            options.append("-oBatchMode=yes")
        return ["ssh", *options, f"-p{host.ssh_port}", "--", "root@127.0.0.1", *command]

    def status(self) -> list[dict[str, Any]]:
        """Each host with what podman says of it: ``{"name", "state", "status", "ssh_port", "address"}``."""
        containers = self.podman.containers(self.prefix)
        return [
            {
                "name": host.name,
                "role": host.role,
                "tenant": host.tenant,
                "state": containers.get(host.name, {}).get("State", "missing"),
                "status": containers.get(host.name, {}).get("Status", ""),
                "ssh_port": host.ssh_port,
                "address": host.address,
            }
            for host in self.hosts()
        ]

    def facts(self) -> dict[str, Any]:
        """Where everything of the lab is, for programs that use it."""
        wanted = self.required_description()
        hosts = self.hosts()
        return {
            "name": self.name,
            "profile": wanted.profile,
            "inventory": str(self.folder),
            "clouds": {"inventory": str(self.clouds), "environment": str(self.clouds / ".environment")},
            "private_key": str(self.run / "id_ed25519"),
            "known_hosts": str(self.run / "known_hosts"),
            "allowed_signers": str(self.run / host_files.SIGNERS),
            "signing_keys": {person: str(self.run / person) for person in host_files.SIGNING},
            "seal_signers": str(self.run / host_files.SEAL_SIGNERS),
            "seal_keys": {tenant: str(self.run / key) for tenant, key in host_files.SEALING.items()},
            "containers_conf": str(self.run / "containers.conf"),
            "network": {"subnet": wanted.place.subnet, "gateway": wanted.place.gateway},
            "load_balancer": f"http://127.0.0.1:{wanted.place.load_balancer_port}/",
            "etcd": [f"http://127.0.0.1:{outer}" for host in hosts if host.role == "kv" for outer, _ in host.published],
            "traffic": str(self.run / "traffic"),
            "hosts": {host.name: {**asdict(host), "container": f"{self.prefix}-{host.name}"} for host in hosts},
        }

    def down(self) -> None:
        """Stop and remove every container, the network and the lab's folder."""
        with self.locked():
            self._tear_down()
        self._forget()

    def clean(self) -> None:
        """Like ``down``, and remove the lab's images; those that another lab uses make podman refuse."""
        with self.locked():
            self._tear_down()
            image.remove_images(self.podman)
        self._forget()

    def _forget(self) -> None:
        self._podman = None
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def _tear_down(self) -> None:
        self._remove(set(self.podman.containers(self.prefix)))
        if self.prefix in self.podman.networks():
            self.podman.run("network", "rm", "--force", self.prefix)

    def _remove(self, names: set[str]) -> None:
        if names:
            self.say(f"removing {len(names)} hosts")
            containers = [f"{self.prefix}-{name}" for name in sorted(names)]
            self.podman.run("rm", "--force", "--ignore", "--time=0", "--volumes", *containers)


@contextlib.contextmanager
def _lock(path: Path, what: str, say: Callable[[str], None]) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _machine_lock() -> Path:
    """What all labs of a user share: only one at a time chooses its ports or builds images."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bankops-fleet"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "lab.lock"


def _ports_are_free(place: Place) -> bool:
    for port in range(place.first_port, place.first_port + PORTS_PER_LAB):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
