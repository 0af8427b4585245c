# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments for a module that runs inside the test's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from ansible.module_utils import basic


@contextmanager
def module_arguments(**arguments: Any) -> Iterator[None]:
    """Give ``arguments`` to the AnsibleModule that is made within the context.

    ansible-core has ``ansible.module_utils.testing`` for this from 2.19 on; this works on 2.18 as well.
    """
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    # 2.18 knows no profile of serialisation, which later versions insist on.
    with (
        mock.patch.object(basic, "_ANSIBLE_ARGS", given),
        mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True),
    ):
        yield
