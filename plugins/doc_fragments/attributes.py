# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection declares about itself."""

from __future__ import annotations


class ModuleDocFragment:
    """Descriptions of the attributes; each module states its own support for them."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Looks at the host and reports what would change, without changing it.
  diff_mode:
    description: Returns what changed, or would change in check mode, as a before and an after.
  idempotent:
    description: A second run with the same arguments, with nothing else acting in between, reports no change.
"""
