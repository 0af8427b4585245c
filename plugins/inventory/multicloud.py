# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One inventory for all clouds and for what stands in files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: multicloud
short_description: One inventory of AWS, Azure, Google Cloud and inventory files, complete or marked as incomplete
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Reads the machines of all sources side by side, and makes a host of each, once.
  - The name of the inventory file ends with C(multicloud.yml) or C(multicloud.yaml).
  - Every host has the variables C(fleet_*), text that is V(unknown) where it is not known, and is in the groups of
    its cloud, region, tenant, environment, cluster, wave and operating system. C(fleet) has the hosts that a plan
    works on; the others are in C(fleet_stopped), C(fleet_unassigned) and C(fleet_unreachable_transport). None is
    left out without being counted in C(fleet_population).
  - What cannot be read makes the inventory fail, with every cause and its remedy, unless O(on_error=mark).
  - Names, tags and all else that a cloud says are data. None of it is ever evaluated as a template.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
requirements:
  - For each cloud its own library, C(pip install -r requirements-aws.txt), C(requirements-azure.txt),
    C(requirements-gcp.txt), C(requirements-falcon.txt) of this collection.
notes:
  - By default Ansible turns the failure of an inventory into a warning and goes on. C(any_unparsed_is_failed =
    true) in the section C([inventory]) of C(ansible.cfg) makes it an end. Where that is not set,
    C(fleet_incomplete) of all hosts says that this inventory is missing, and no plan takes the rest for whole.
  - No credential is an option. Each library finds its own, as it does everywhere else.
  - Expressions of O(compose), O(groups) and O(keyed_groups) are evaluated for every host, and cost time only where
    they are used.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [bankops.fleet.multicloud]
  sources:
    description:
      - Where machines are listed. The options of each type are described in the documentation of the collection.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description:
          - What the source is.
          - V(static) are inventory files, read by Ansible itself. Their hosts keep their names, variables and groups.
          - V(falcon) adds no hosts. It says of the others whether their sensor is known.
        type: str
        choices: [aws, azure, gcp, falcon, static]
        required: true
      name:
        description:
          - How messages and C(fleet_seen_by) name the source. By default its type, numbered from the second on.
        type: str
      placement:
        description:
          - What its machines are where their tags do not say it, such as the tenant of an account that has but one.
          - The keys are those of O(mapping).
        type: dict
      files:
        description: With V(static), the inventory files, as paths from the folder of this file.
        type: list
        elements: path
  mapping:
    description:
      - Which tags say where a machine belongs. The first one that it has, and that is not empty, counts.
      - The keys are V(tenant), V(environment), V(cluster), V(wave), V(criticality) and V(os). What is left out
        stays as it is by default, which is the word itself, in lower case and capitalised, besides V(customer) for
        the tenant, and V(env) for the environment.
    type: dict
  addresses:
    description:
      - What becomes C(ansible_host), the first that a machine has.
      - V(private_ip), V(private_dns), V(public_ip), V(public_dns) and V(name).
    type: list
    elements: str
    default: [private_ip, private_dns, public_ip, public_dns]
  transports:
    description:
      - By which way commands reach a machine (C(fleet_transport)), the first that it has.
      - V(ssh) is there for whoever has an address, the others where the cloud says that they work.
    type: list
    elements: str
    choices: [ssh, ssm, azure, gcp]
    default: [ssh, ssm, azure, gcp]
  hostnames:
    description:
      - What becomes the name of a host, the first that a machine has. Its instance's id is used where it has none.
      - V(name), V(private_dns), V(public_dns), V(private_ip), V(public_ip), V(instance_id), or V(tag:Key) for a
        tag's value. The names of P(amazon.aws.aws_ec2#inventory) for these, such as V(private-ip-address), are
        taken too.
      - A mapping has such a C(name), a C(prefix), which is one too or a text, and a C(separator), by default V(_).
      - Other characters than letters, digits, dots, dashes and underscores become underscores.
      - Where machines come to the same name, each of them gets its instance's id behind it.
    type: list
    elements: raw
    default: [name, private_dns, instance_id]
  include:
    description:
      - Conditions, of which a machine fulfils one. Without any, all machines are taken.
      - A condition is a mapping of C(cloud), C(account), C(region), C(zone), C(instance_id), C(name), C(power), a
        key of O(mapping), or C(tag:Key), to a value or a list of values, with the wildcards V(*) and V(?). All of
        it must hold.
      - Machines that this leaves out are counted in C(fleet_population).
    type: list
    elements: dict
    default: []
  exclude:
    description: Conditions, as in O(include), of which a machine fulfils none.
    type: list
    elements: dict
    default: []
  loopback:
    description:
      - Whether a machine of a cloud may have an address of this machine itself, such as V(127.0.0.1), where its ports
        lead elsewhere, as in a lab. Otherwise such an address is none.
    type: bool
    default: false
  on_error:
    description:
      - What is to be done when a part of a source cannot be read.
      - V(fail) fails.
      - V(mark) goes on with the rest. C(fleet_incomplete) of all hosts says what is missing, and the plan's gate
        C(population) blocks.
    type: str
    choices: [fail, mark]
    default: fail
  timeout:
    description: The seconds in which everything must have been read.
    type: float
    default: 120
  raw:
    description:
      - Whether what the cloud's API says of a machine is put into C(fleet_raw) as well, for expressions that need
        more.
    type: bool
    default: false
"""

EXAMPLES = r"""
# clouds.multicloud.yml: two accounts of AWS, with the credentials that boto3 finds
plugin: bankops.fleet.multicloud
sources:
  - type: aws
    regions: [eu-central-1, eu-west-1]

---
# Machines of files beside those of a cloud; an account that belongs to one tenant; tags with other names
plugin: bankops.fleet.multicloud
sources:
  - name: production
    type: aws
    placement: {tenant: alpha, environment: production}
  - name: datacentre
    type: static
    files: [datacentre.yml]
mapping:
  tenant: [CostCentre, tenant]
  wave: [PatchGroup]
exclude:
  - {"tag:aws:eks:cluster-name": "*"}

---
# Names, variables and groups of one's own, as with amazon.aws.aws_ec2
plugin: bankops.fleet.multicloud
sources:
  - type: azure
hostnames:
  - tag:Hostname
  - {name: private_ip, prefix: azure}
compose:
  ansible_user: "'azureuser' if fleet_os == 'ubuntu' else 'root'"
keyed_groups:
  - {prefix: role, key: fleet_tags.Role}
"""

import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable, to_safe_group_name

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import said
from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory import populate
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import MachineCache
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import Population
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import (
    SUFFIXES,
    read_configuration,
    refuse_double_keys,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.engine import (
    Reading,
    missing,
    named_population,
    read_sources,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import GroupNames
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.sightings import hosts_before
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    inventory: t.Any
    loader: t.Any
    NAME = "bankops.fleet.multicloud"

    def verify_file(self, path: str) -> bool:
        """Whether the file is one of ours, by its name."""
        return bool(super().verify_file(path)) and path.endswith(SUFFIXES)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Read all sources, then fill the inventory; nothing is put into it unless all could be read.

        Raises AnsibleParserError. By default Ansible makes a warning of it, so the inventory says itself what it lacks.
        """
        super().parse(inventory, loader, path, cache)
        try:
            with collector_paused():
                self._fill(path, cache)
        except FleetError as problem:
            message = problem.as_result()["msg"]
            populate.mark_incomplete(inventory, {path: said(message)})
            # Ansible would tell a cause once more, and this one says nothing else.
            raise AnsibleParserError(message) from None
        except Exception as problem:
            populate.mark_incomplete(inventory, {path: said(problem)})
            raise

    def _fill(self, path: str, cache: bool) -> None:
        # Ansible only warns of a key that is there twice, and takes the last.
        plain = self.loader.get_real_file(path)
        try:
            refuse_double_keys(plain, path)
        finally:
            self.loader.cleanup_tmp_file(plain)
        configuration = read_configuration(self.loader.load_from_file(path, cache="none"), path, self.loader)
        self._read_config_data(path)
        store = None
        if self.get_option("cache"):
            store = MachineCache(self._cache, path, self.get_option("cache_connection"))
        reading = read_sources(configuration, store, fresh=not cache)
        files = [source for source in configuration.files if source.inventory]
        self._group_names = GroupNames(to_safe_group_name)
        population = named_population(
            reading,
            configuration,
            self._group_names,
            reserved={*self.inventory.groups, *(name for source in files for name in source.inventory.groups)},
            earlier=hosts_before(self.inventory),
        )
        names = {host.name for host in population.hosts}
        own: dict[str, frozenset[str]] = {}
        for source in files:
            own.update(source.own)
            populate.add_files(self.inventory, source.inventory, source.own.keys() - names)
        populate.add_hosts(self.inventory, population.hosts, own=own, raw=configuration.raw)
        self._construct(sorted(names))
        populate.record_population(self.inventory, {"inventory": path, **population.record(reading.read)})
        populate.record_merged_groups(self.inventory, self._group_names.merged())
        if reading.problems:
            populate.mark_incomplete(self.inventory, missing(reading.problems))
        self._warn(reading, population)

    def _construct(self, names: t.Iterable[str]) -> None:
        """What Ansible's own options make of the variables, host by host; nothing is done where there are none."""
        compose, groups, keyed = (self.get_option(name) for name in ("compose", "groups", "keyed_groups"))
        if not (compose or groups or keyed):
            return
        strict = self.get_option("strict")
        for name in names:
            host = self.inventory.hosts[name]
            self._set_composite_vars(compose, host.get_vars(), name, strict=strict)
            # What is composed of data is data: joined texts have lost the mark that says so.
            host.vars.update({key: populate.as_data(host.vars[key]) for key in compose if key in host.vars})
            variables = host.get_vars()
            self._add_host_to_composed_groups(groups, variables, name, strict=strict, fetch_hostvars=False)
            self._add_host_to_keyed_groups(keyed, variables, name, strict=strict, fetch_hostvars=False)

    def _sanitize_group_name(self, name: str) -> str:
        return self._group_names.of_expression(name, self.inventory.hosts)

    def _warn(self, reading: Reading, population: Population) -> None:
        for scope, reason in missing(reading.problems).items():
            self.display.warning(f"The inventory is incomplete: {scope}: {reason}")
        refused = [host.name for host in population.hosts if host.placement.refused_tenant != UNKNOWN]
        if refused:
            names = f"{', '.join(refused[:5])}{', …' if len(refused) > 5 else ''}"
            self.display.warning(f"The tenant of {len(refused)} hosts is no name: see fleet_refused_tenant of {names}.")
        for address, hosts in list(population.shared_addresses().items())[:5]:
            names = ", ".join(host.name for host in hosts[:5])
            self.display.warning(
                f"{len(hosts)} hosts have the address {address}: {names}{' …' if len(hosts) > 5 else ''}"
            )
        if not population.hosts:
            self.display.warning("The sources named no machine; look at their regions, accounts and conditions.")
        for name, instead in list(self._group_names.renamed.items())[: populate.MOST]:
            self.display.warning(f"No expression names the group {name}: it is decided here, or a host. See {instead}.")
        for name, originals in list(self._group_names.merged().items())[: populate.MOST]:
            self.display.warning(f"The group {name} stands for several names: {', '.join(map(show, originals))}")
