# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scan is packed without loss, and what is no packed scan is refused."""

from __future__ import annotations

import base64
import zlib

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.packing import pack, unpack
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL, scan


def test_a_packed_scan_is_the_scan_and_a_fraction_of_its_size() -> None:
    found = scan(transaction=[{**OPENSSL, "name": f"library-ü-{number}"} for number in range(100)])
    assert unpack(pack(found)) == found
    assert len(pack(found)) < len(str(found)) / 10


@pytest.mark.parametrize(
    "text", ["", "no base64!", base64.b64encode(b"no zlib").decode(), base64.b64encode(zlib.compress(b"[]")).decode()]
)
def test_what_is_no_packed_scan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no packed scan"):
        unpack(text)
