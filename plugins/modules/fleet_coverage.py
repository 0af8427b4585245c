#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: fleet_coverage
short_description: Find machines that are not protected, not managed, or gone
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Holds the hosts of the inventory against the sensors that CrowdStrike Falcon knows, the machines that Systems
    Manager of AWS manages, and the last population of each tenant that has a plan.
  - Machines are joined by cloud, account and instance id, never by their names. What cannot be joined is V(unknown).
  - Falcon is asked anew. Where no source of type C(falcon) is configured, nothing is protected, and it is V(unknown)
    who is.
  - What was found of a tenant is recorded in the ledger of its latest plan, or beside the plan as
    C(coverage-after-seal.json) once that is sealed. Of a tenant without a plan nothing is recorded.
extends_documentation_fragment:
  - bankops.fleet.attributes
  - bankops.fleet.controller
attributes:
  check_mode:
    description: Looks at everything and records nothing.
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - crowdstrike-falconpy >= 1.6 (C(requirements-falcon.txt) of this collection) on the controller, to ask Falcon
options:
  falcon:
    description:
      - Sources of sensors, each with the options that a source of type C(falcon) has in an inventory file of
        P(bankops.fleet.multicloud#inventory).
      - Without it, those of the inventory files of this run. In AWX a job does not see these, and this must be set.
      - An empty list means that no sensors are read.
    type: list
    elements: dict
  stale_days:
    description: After how many days without a sign of life a sensor no longer protects its machine, 1 to 365.
    type: int
    default: 7
  tenants:
    description: Show, record and return what was found of these tenants only. Empty means all, and hosts without one.
    type: list
    elements: str
    default: []
  fail_on:
    description: The findings that make the task fail when there is one.
    type: list
    elements: str
    choices: [unprotected, unmanaged, stale, duplicate, gone, unknown]
    default: []
  judge:
    description: Fail at all. Otherwise RV(troubles) says what it would fail for, after everything else was done.
    type: bool
    default: true
  timeout:
    description: Seconds that reading the sensors may take, 1 to 3600.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Find out who is not protected, and fail when somebody is not
  bankops.fleet.fleet_coverage:
    stale_days: 3
    fail_on: [unprotected, stale, unknown]
  register: fleet_found

- name: Ask two child CIDs of a parent
  bankops.fleet.fleet_coverage:
    falcon:
      - cloud: eu-1
        member_cid: [0123456789abcdef0123456789abcdef, fedcba9876543210fedcba9876543210]
        tenants:
          0123456789abcdef0123456789abcdef: alpha
          fedcba9876543210fedcba9876543210: beta
"""

RETURN = r"""
coverage:
  description: What was found of each tenant, sorted by its name; C(unknown) at the end is who has none.
  returned: when the sensors could be read
  type: list
  elements: dict
  contains:
    tenant:
      description: The tenant.
      type: str
      returned: always
    plan:
      description: The digest of its latest plan; empty when it has none.
      type: str
      returned: always
    cycle:
      description: The cycle of that plan.
      type: str
      returned: always
    machines:
      description: How many hosts the inventory has of it.
      type: int
      returned: always
    running:
      description: Those of them that run, or may run for all that is known.
      type: int
      returned: always
    planned:
      description: How many hosts its latest plan has.
      type: int
      returned: always
    protected:
      description: Running hosts with a sensor that was seen within O(stale_days).
      type: int
      returned: always
    reduced:
      description: Those of them whose sensor is in reduced functionality mode.
      type: int
      returned: always
    transports:
      description: Running hosts by the way to them (C(fleet_transport)).
      type: dict
      returned: always
    managed_by:
      description: Running hosts by the services of their clouds that can run commands on them (C(fleet_managed_by)).
      type: dict
      returned: always
    counts:
      description: How often each finding was made.
      type: dict
      returned: always
      sample: {unprotected: 1, unmanaged: 0, stale: 2, duplicate: 0, gone: 0, unknown: 0}
    findings:
      description:
        - The findings, each with its machine. C(host) is its name in the inventory, or empty; C(name) is what it is
          called there, in the plan or by Falcon.
        - Where no sensors are read, C(counts) says how many hosts are unknown, and they are not listed.
      type: list
      elements: dict
      returned: always
      sample:
        - finding: unprotected
          host: web3
          name: web3
          cloud: aws
          account: "123456789012"
          instance_id: i-0aa11bb22cc33dd44
          why: it runs, and no sensor has its identity
          sensors: []
    recorded:
      description: Where it is recorded, V(ledger), V(report) or V(nowhere).
      type: str
      returned: always
looked:
  description:
    - What was looked at. C(sensors) is how many were read, null when none were, and C(sources) how many of each CID.
    - C(incomplete) is what the inventory could not see, C(inventory) when each file of it was read.
  returned: when the sensors could be read
  type: dict
  sample:
    read: "2026-11-14T22:00:00Z"
    stale_days: 7
    sensors: 1204
    sources: [{source: falcon, cid: "", region: eu-1, sensors: 1204}]
    incomplete: []
    inventory: [{inventory: /etc/fleet/fleet.multicloud.yml, read: "2026-11-14T21:58:12Z"}]
hosts:
  description: By finding, the hosts of the inventory of which it was made, to be made groups of.
  returned: when the sensors could be read
  type: dict
  sample: {unprotected: [web3], unmanaged: [], stale: [], duplicate: [], gone: [], unknown: []}
troubles:
  description: What O(fail_on) does not let pass, a line for each tenant.
  returned: when the sensors could be read
  type: list
  elements: str
  sample: ["alpha: 1 unprotected (web3)"]
"""
