# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts find on themselves, and what the hermetic repository offers them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from ansible_collections.bankops.fleet.lab.host_files import (
    apt_sources,
    host_files,
    make_signers,
    role_files,
    write_host_folder,
)
from ansible_collections.bankops.fleet.lab.machine import Mirror
from ansible_collections.bankops.fleet.lab.repository.build import advisories, recipe_digest
from ansible_collections.bankops.fleet.lab.repository.packages import PACKAGES
from ansible_collections.bankops.fleet.lab.topology import Place, topology

HOSTS = topology(Place(first_port=20000, subnet="10.100.0.0/22"))
BY_NAME = {host.name: host for host in HOSTS}
MIRROR = Mirror(main="http://mirror.invalid/debian", security="http://mirror.invalid/debian-security", settings=())
PREFIX = "fleet-12345678-default"


def test_only_the_demo_asks_a_mirror() -> None:
    assert "mirror.invalid" not in apt_sources("test", MIRROR)
    assert "bookworm-security" in apt_sources("demo", MIRROR)
    assert "lab-security" in apt_sources("demo", MIRROR)


def test_every_host_knows_every_other_by_name() -> None:
    known = host_files(BY_NAME["kv1"], HOSTS, PREFIX, "test", MIRROR, "ssh-ed25519 AAAA lab\n")["/etc/hosts"]
    assert all(f"{host.address} {host.name}\n" in known for host in HOSTS)


def test_the_load_balancer_serves_from_every_web_host_of_the_lab() -> None:
    configuration = role_files(BY_NAME["lb1"], HOSTS, PREFIX)["/etc/haproxy/haproxy.cfg"]
    servers = [line.split()[1] for line in configuration.splitlines() if line.startswith("    server ")]
    assert servers == ["web1", "web2", "web3"]


def test_an_etcd_cluster_has_the_members_that_the_lab_has() -> None:
    alone = [BY_NAME["kv2"]]
    (text,) = role_files(BY_NAME["kv2"], alone, PREFIX).values()
    assert f'"ETCD_INITIAL_CLUSTER=kv2=http://{BY_NAME["kv2"].address}:2380"' in text


def test_the_people_of_a_lab_keep_their_keys_and_may_sign_one_thing_each(tmp_path: Path) -> None:
    make_signers(tmp_path)
    listed = (tmp_path / "allowed_signers").read_text()
    make_signers(tmp_path)
    assert (tmp_path / "allowed_signers").read_text() == listed
    approver, executor = listed.splitlines()
    assert approver.startswith('approver namespaces="bankops-fleet-approval" ssh-ed25519 ')
    assert executor.startswith('executor namespaces="bankops-fleet-attempt" ssh-ed25519 ')
    assert (tmp_path / "approver").stat().st_mode & 0o077 == 0


def test_each_tenant_of_a_lab_has_a_key_that_seals_its_plans_and_no_others(tmp_path: Path) -> None:
    make_signers(tmp_path)
    alpha, beta = (tmp_path / "seal_signers").read_text().splitlines()
    assert alpha.startswith('seal@alpha namespaces="bankops-fleet-seal" ssh-ed25519 ')
    assert beta.startswith('seal@beta namespaces="bankops-fleet-seal" ssh-ed25519 ')
    assert alpha.split()[-1] != beta.split()[-1]


def test_a_host_keeps_its_ssh_key_when_its_files_are_written_again(tmp_path: Path) -> None:
    files = host_files(BY_NAME["web1"], HOSTS, PREFIX, "test", MIRROR, "ssh-ed25519 AAAA lab\n")
    write_host_folder(tmp_path / "web1", files)
    first = (tmp_path / "web1/root/etc/ssh/ssh_host_ed25519_key").read_text()
    (tmp_path / "web1/root/etc/left-behind").write_text("")
    write_host_folder(tmp_path / "web1", files)
    assert (tmp_path / "web1/root/etc/ssh/ssh_host_ed25519_key").read_text() == first
    assert (tmp_path / "web1/root/etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "web1/root/etc/left-behind").exists()


def test_every_security_update_that_is_an_rpm_has_an_advisory() -> None:
    tree = ElementTree.fromstring(advisories())
    described = {
        (package.get("name"), package.get("version"))
        for update in tree.iter("update")
        for package in update.iter("package")
    }
    assert described == {(entry.name, entry.version) for entry in PACKAGES if entry.security and "rpm" in entry.formats}
    assert {reference.get("id") for reference in tree.iter("reference")} >= {"CVE-2026-0001", "CVE-2026-0003"}


def test_a_package_has_each_version_once_in_each_format() -> None:
    versions = [(entry.name, entry.version, kind) for entry in PACKAGES for kind in entry.formats]
    assert len(set(versions)) == len(versions)


def test_the_repository_is_recognised_by_its_recipe() -> None:
    assert recipe_digest() == recipe_digest()
    assert len(recipe_digest()) == 64
