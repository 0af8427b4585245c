# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds as the fleet sees them: one kind of machine, one kind of problem, one way to try again.

Runs on the controller alone. A cloud's library is imported where it is used, so that who has no machine there need not
have it.
"""
