# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan is read by many, so the checks in its policy hold no secret."""

from __future__ import annotations

from typing import Any

import pytest

from .fleets import policies
from .policy_values import problem_with

PAGE = {"type": "http", "name": "page", "url": "http://127.0.0.1/"}
# Put together here, so that no scanner takes this file for a leak.
PLANTED = "hunter22" + "planted"


@pytest.mark.parametrize(
    ("check", "key"),
    [
        ({**PAGE, "headers": {"Host": "shop", "Authorization": f"Basic {PLANTED}"}}, "headers.Authorization"),
        ({**PAGE, "headers": {"X-Api-Key": PLANTED}}, "headers.X-Api-Key"),
        ({**PAGE, "headers": {"Cookie": f"sid={PLANTED}"}}, "headers.Cookie"),
        ({**PAGE, "headers": {"X-Auth": f"Bearer {PLANTED}"}}, "headers.X-Auth"),
        ({**PAGE, "url": f"http://127.0.0.1/health?token={PLANTED}"}, "url"),
        ({**PAGE, "contains": f"password={PLANTED}"}, "contains"),
        ({"type": "command", "name": "db", "argv": ["psql", f"postgresql://probe:{PLANTED}@db/x"]}, "argv[1]"),
        ({"type": "command", "name": "db", "argv": ["mysqladmin", f"--password={PLANTED}", "ping"]}, "argv[1]"),
        ({"type": "command", "name": "db", "argv": ["mysqladmin", "--password", PLANTED, "ping"]}, "argv[2]"),
        ({"type": "command", "name": "db", "argv": ["curl", "-H", f"Authorization: Bearer {PLANTED}"]}, "argv[2]"),
        ({"type": "command", "name": "db", "argv": ["env", f"PGPASSWORD={PLANTED}", "psql"]}, "argv[1]"),
    ],
)
def test_a_secret_in_a_health_check_is_refused_and_not_shown(check: dict[str, Any], key: str) -> None:
    message = problem_with(web1={"patch_health_checks": [PAGE | {"name": "other"}, check]})
    assert message.count("\n") == 1
    assert (
        f"patch_health_checks[1].{key}: holds a secret. A plan keeps its checks in clear text. Use a command" in message
    )
    assert PLANTED not in message


@pytest.mark.parametrize(
    "check",
    [
        {**PAGE, "url": f"http://probe:{PLANTED}@127.0.0.1/"},
        {"type": "etcd", "name": "etcd", "endpoints": [f"http://root:{PLANTED}@127.0.0.1:2379"]},
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(check: dict[str, Any]) -> None:
    message = problem_with(web1={"fleet_cluster": "etcd", "patch_health_checks": [check]})
    assert "holds a secret" in message
    assert PLANTED not in message


def test_a_secret_in_a_check_of_emergencies_is_refused_in_every_cycle() -> None:
    check = {**PAGE, "headers": {"Authorization": f"Basic {PLANTED}"}}
    message = problem_with(web1={"patch_emergency": {"patch_health_checks": [check]}})
    assert "patch_emergency.patch_health_checks[0].headers.Authorization: holds a secret" in message
    assert PLANTED not in message


@pytest.mark.parametrize(
    "check",
    [
        {**PAGE, "headers": {"Host": "shop.example", "Accept": "application/json", "X-Probe": "patch"}},
        {**PAGE, "url": "http://127.0.0.1:8080/login?next=/account&page=2"},
        {**PAGE, "url": "http://127.0.0.1/@admin", "contains": "Sign in with your password"},
        {**PAGE, "contains": '"status":"ok","sessions":3'},
        {"type": "command", "name": "token service", "argv": ["vault", "token", "lookup", "-format=json"]},
        {"type": "command", "name": "login works", "argv": ["check-login", "--password-file", "/etc/check/password"]},
        {"type": "command", "name": "page", "argv": ["curl", "-fsS", "-H", "@/etc/check/header", "http://127.0.0.1/"]},
        {"type": "command", "name": "key", "argv": ["openssl", "x509", "-checkend", "86400", "-in", "/etc/ssl/a.pem"]},
        {"type": "unit", "name": "secrets", "unit": "vault-secrets@main.service"},
        {"type": "tcp", "name": "db", "host": "db.example", "port": 5432},
        {
            "type": "etcd",
            "name": "quorum",
            "endpoints": ["https://10.0.0.1:2379"],
            "cert_file": "/etc/etcd/client.pem",
            "key_file": "/etc/etcd/client-key.pem",
        },
    ],
)
def test_a_harmless_check_is_no_secret(check: dict[str, Any]) -> None:
    found = policies(web1={"fleet_cluster": "etcd", "patch_health_checks": [check]})
    assert found["web1"].health_checks == (check,)
