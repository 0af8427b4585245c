# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job on real input: a fleet with real pending Debian security updates. Needs the archive, and minutes."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import LAB, ROOT


@pytest.mark.long
def test_the_demo_patches_every_host_with_real_updates_and_no_failed_request() -> None:
    try:
        done = subprocess.run([str(ROOT / "lab" / "demo")], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
        for cloud in ("aws", "azure", "gcp"):
            assert f"@cloud_{cloud}:" in done.stdout
        assert "findings: 1 unprotected" in done.stdout
        assert "6 verified = 6 hosts" in done.stdout
        assert "3 verified = 3 hosts" in done.stdout
        assert "with 0 failed requests" in done.stdout
        for tenant in ("alpha", "beta"):
            assert f"demo: sealed: .lab/default/.state/bundles/{tenant}/0001-" in done.stdout
    finally:
        subprocess.run([LAB, "down"], check=True, capture_output=True)
