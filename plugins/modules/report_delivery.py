#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: report_delivery
short_description: Send the reports of plans to those who read them
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Sends the reports of each tenant to the destinations that ask for them, by e-mail, into a bucket of S3, or as a
    message to Slack or Teams. The role P(bankops.fleet.report#role) makes the reports and runs this.
  - A bucket is reached by M(amazon.aws.s3_object), which must be installed, webhooks by M(ansible.builtin.uri).
  - What was delivered and what was not is recorded in the ledger of the plan, unless that is sealed, and in its
    C(deliveries.json). Fails at the end when something was not delivered.
  - What a destination has already, from the same facts, is not sent again.
  - The secrets of the destinations are read from the variable C(report_credentials), so that they are in no argument.
extends_documentation_fragment:
  - bankops.fleet.attributes
  - bankops.fleet.controller
  - bankops.fleet.plans
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  part:
    description: V(look) only checks the destinations and says which formats they want; V(send) sends.
    type: str
    choices: [look, send]
    default: send
  destinations:
    description: Where reports go, as C(report_destinations) of the role P(bankops.fleet.report#role) describes it.
    type: list
    elements: dict
    required: true
  reports:
    description: The files of the reports, by tenant and format lists of paths on the controller.
    type: dict
    default: {}
  briefs:
    description: By tenant what a message says of its report, as M(bankops.fleet.report) returns it.
    type: dict
    default: {}
  retries:
    description: How often a delivery is tried again when the other side may only be busy or away.
    type: int
    default: 3
  delay:
    description: Seconds between two tries.
    type: int
    default: 20
  timeout:
    description: Seconds to wait for each answer of the other side.
    type: int
    default: 30
  force:
    description: Send again what was delivered before.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Send the reports
  bankops.fleet.report_delivery:
    cycle: 2026-11
    destinations:
      - name: alpha-officers
        type: email
        tenants: [alpha]
        formats: [pdf, xlsx]
        to: [it-risk@alpha.example]
        sender: fleet@bankops.example
        server: mail.bankops.example
    reports: "{{ made.reports }}"
    briefs: "{{ made.briefs }}"
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
deliveries:
  description: What was tried; nothing in check mode, and nothing of what was delivered before.
  returned: when O(part=send)
  type: list
  elements: dict
  contains:
    tenant:
      description: The tenant whose reports these are.
      type: str
      returned: success
    destination:
      description: The name of the destination.
      type: str
      returned: success
    type:
      description: Its type.
      type: str
      returned: success
    outcome:
      description: Whether all of it arrived, V(ok) or V(failed).
      type: str
      returned: success
    reached:
      description: The addresses, keys or channels that were reached.
      type: list
      elements: str
      returned: success
    refused:
      description: By address, key or channel that was not reached the reason.
      type: dict
      returned: success
    tries:
      description: How often it was tried.
      type: int
      returned: success
    content_sha256:
      description: The digest of what it says, the same for the same facts.
      type: str
      returned: success
    files:
      description: The files that were sent, each with C(name), C(sha256) and C(bytes).
      type: list
      elements: dict
      returned: success
    in_ledger:
      description: Whether it is recorded in the ledger too.
      type: bool
      returned: success
formats:
  description: The formats that the destinations want.
  returned: when O(part=look)
  type: list
  elements: str
  sample: [html, pdf]
tenants:
  description: The tenants of the plans that were meant.
  returned: when O(part=look)
  type: list
  elements: str
  sample: [alpha, beta]
without_destination:
  description: Those of them whose reports no destination takes.
  returned: when O(part=look)
  type: list
  elements: str
  sample: [beta]
"""
