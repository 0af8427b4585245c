# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property tests say what holds, and nothing about how busy the machine is: the lab works beside them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("beside the lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside the lab")
