# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory file: everything that is wrong with it is said at once, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.inventory.multicloud import DOCUMENTATION
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Transport
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import (
    ADDRESSES,
    OF_ANSIBLE,
    TYPES,
    read_configuration,
    refuse_double_keys,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.mapping import DEFAULT_KEYS

from .strategies import FILE, configured


def faults(**options: Any) -> list[str]:
    with pytest.raises(FleetError) as caught:
        configured(**options)
    assert caught.value.kind == "bad_inventory"
    return caught.value.message.splitlines()


def test_a_file_that_says_nothing_but_its_sources_means_the_usual() -> None:
    found = configured()
    assert [source.name for source in found.clouds] == ["aws"]
    assert (found.files, found.sensors) == ((), ())
    assert found.mapping.keys == DEFAULT_KEYS
    assert found.addresses == ADDRESSES
    assert found.transports == tuple(Transport)
    assert (found.mark_errors, found.timeout, found.raw, found.include, found.exclude) == (False, 120, False, (), ())


def test_sources_without_a_name_are_called_by_their_type_and_number() -> None:
    found = configured(sources=[{"type": "aws"}, {"type": "aws", "name": "audit"}, {"type": "aws"}])
    assert [source.name for source in found.clouds] == ["aws", "audit", "aws3"]


def test_what_a_source_says_of_placement_is_kept_by_its_name() -> None:
    found = configured(sources=[{"type": "aws", "name": "alpha", "placement": {"tenant": "alpha"}}])
    assert found.mapping.defaults == {"alpha": {"tenant": "alpha"}}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"sources": []}, "sources: names no source. Write a list of sources, each with a type."),
        ({"sources": None}, "sources: names no source. Write a list of sources, each with a type."),
        ({"sources": "aws"}, "sources: aws: is no list. Write a list of mappings."),
        ({"sources": [{}]}, "sources[0].type: is missing. Write one of aws, azure, gcp, falcon, static."),
        (
            {"sources": [{"type": "asw"}]},
            "sources[0].type: asw: is not known. Write one of aws, azure, gcp, falcon, static.",
        ),
        (
            {"sources": [{"type": "aws", "name": "a"}, {"type": "aws", "name": "a"}]},
            "sources[1].name: a: is the name of another source too. Give each source a name of its own.",
        ),
        ({"sources": [{"type": "aws", "regoins": ["x"]}]}, "sources[0].regoins: is no option. Did you mean regions?"),
        (
            {"sources": [{"type": "aws", "placement": {"tenants": "alpha"}}]},
            "sources[0].placement.tenants: is no option. Did you mean tenant?",
        ),
        (
            {"sources": [{"type": "aws", "placement": {"tenant": "a/b"}}]},
            "sources[0].placement.tenant: a/b: is no name of a tenant. Use letters, digits, dots, dashes and "
            "underscores, at most 63, beginning with a letter or digit.",
        ),
        ({"mappings": {}}, "mappings: is no option. Did you mean mapping?"),
        ({"mapping": ["tenant"]}, "mapping: ['tenant']: is no mapping. Write keys and values."),
        ({"mapping": {"tennant": ["x"]}}, "mapping.tennant: is no option. Did you mean tenant?"),
        ({"mapping": {"tenant": [1]}}, "mapping.tenant: [1]: is no list of texts. Write it like ['Tenant']."),
        ({"addresses": ["private"]}, "addresses: private: is not known. Did you mean private_ip?"),
        ({"transports": ["telnet"]}, "transports: telnet: is not known. Write one of ssh, ssm, azure, gcp."),
        ({"on_error": "warn"}, "on_error: warn: is not known. Write one of fail, mark."),
        ({"timeout": 0}, "timeout: 0: is not in range. Write a number from 1 to 3600."),
        ({"timeout": "2 minutes"}, "timeout: 2 minutes: is not in range. Write a number from 1 to 3600."),
        ({"raw": "yes"}, "raw: yes: is neither true nor false. Write true or false."),
        ({"hostnames": ["private-ip"]}, "hostnames: private-ip: is no name of a machine. Did you mean private_ip?"),
        ({"hostnames": {"name": "x"}}, "hostnames: {'name': 'x'}: is no list. Write it like ['tag:Name']."),
        ({"include": [{}]}, "include[0]: says nothing. Write what must hold, like environment: [production]."),
        ({"exclude": {"tenant": "x"}}, "exclude: {'tenant': 'x'}: is no list. Write a list of mappings."),
        (
            {"include": [{"enviroment": "production"}]},
            "include[0].enviroment: production: is nothing that a machine has. Did you mean environment?",
        ),
        (
            {"include": [{"account": 123456789012}]},
            "include[0].account: 123456789012: is no list of texts. Write it like ['production'].",
        ),
        (
            {"include": [{"environment": []}]},
            "include[0].environment: []: is empty. Leave it out, or write what is meant.",
        ),
        ({"exclude": [{"tag:Role": []}]}, "exclude[0].tag:Role: []: is empty. Leave it out, or write what is meant."),
        ({"mapping": {"tenant": []}}, "mapping.tenant: []: is empty. Leave it out, or write what is meant."),
        ({"addresses": []}, "addresses: []: is empty. Leave it out, or write what is meant."),
        ({"transports": []}, "transports: []: is empty. Leave it out, or write what is meant."),
        ({"compose": ["x"]}, "compose: ['x']: is no mapping. Write keys and values."),
        (
            {"compose": {"fleet_incomplete": "{}"}},
            "compose.fleet_incomplete: {}: is a variable that is decided here. "
            "Use mapping or placement, or another name.",
        ),
        ({"groups": {"web": 1}}, "groups.web: 1: is no expression. Write a Jinja expression without braces."),
        (
            {"keyed_groups": [{"prefix": "x"}]},
            "keyed_groups[0].key: is missing. Write of which variable groups are made, like fleet_tags.Role.",
        ),
        (
            {"keyed_groups": [{"key": "x", "seperator": ""}]},
            "keyed_groups[0].seperator: is no option. Did you mean separator?",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_file_key_value_and_remedy(options: dict[str, Any], fault: str) -> None:
    assert f"{FILE}: {fault}" in faults(**options)


@pytest.mark.parametrize(
    "source",
    [
        {"type": "falcon", "base_url": "https://user:SECRET@api.example.com"},
        {"type": "falcon", "base_url": "http://user:x/SECRET@api.example.com"},
        {"type": "falcon", "proxy": "socks5://user:SECRET@proxy"},
        {"type": "aws", "endpoints": {"ec2": "http://user:SECRET@ec2.example.com"}},
        {"type": "aws", "endpoints": {"ec2": "http://SECRET@ec2.example.com"}},
        {"type": "aws", "profile": {"aws_secret_access_key": "SECRET"}},
        {"type": "aws", "accounts": [{"profile": {"session_token": "SECRET"}}]},
        {"type": "azure", "endpoint": "ftp://user:SECRET@arm"},
        {"type": "gcp", "endpoint": "http://user:SECRET@google"},
    ],
)
def test_no_value_that_is_refused_shows_a_secret(source: dict[str, Any]) -> None:
    found = "\n".join(faults(sources=[source]))
    assert "sources[0]." in found
    assert "SECRET" not in found


def test_all_faults_are_told_at_once_and_each_once() -> None:
    found = faults(on_error="warn", timeout=0, sources=[{"type": "aws", "regoins": []}])
    assert len(found) == 3
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("sources: []\nraw: true\nsources: []\n", "line 1: sources: is there twice. Write it once."),
        ("sources:\n- type: aws\n  name: a\n  name: b\n", "line 2: name: is there twice. Write it once."),
    ],
)
def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(FleetError) as caught:
        refuse_double_keys(str(tmp_path / FILE), FILE)
    assert (caught.value.kind, caught.value.message) == ("bad_inventory", f"{FILE}: {fault}")


@pytest.mark.parametrize(
    "content", ["", "[", "a: &x [*x, {b: 1}]\nc: *x\n", "a: {<<: {b: 1}, b: 2}\n", "a: !vault x\n"]
)
def test_other_files_have_no_key_twice(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    refuse_double_keys(str(tmp_path / FILE), FILE)


def test_an_empty_file_is_no_inventory() -> None:
    with pytest.raises(FleetError, match=f"^{FILE}: is no mapping. Write keys and values."):
        read_configuration(None, FILE, None)


@pytest.mark.parametrize("content", [None, [], "text", {}])
def test_a_file_of_something_else_is_refused(content: object) -> None:
    with pytest.raises(FleetError) as caught:
        read_configuration(content, FILE, None)
    assert "names no source" in caught.value.message


def test_a_value_that_would_write_on_a_terminal_is_shown_harmlessly() -> None:
    (fault,) = faults(on_error="\x1b[2J" + "x" * 500)
    assert fault.isprintable()
    assert len(fault) < 250


def test_the_documentation_has_every_option_and_its_default(tmp_path: Path) -> None:
    options = yaml.safe_load(DOCUMENTATION)["options"]
    ours = configured()
    assert options.keys() == {
        "plugin",
        *(
            "sources",
            "mapping",
            "addresses",
            "transports",
            "hostnames",
            "include",
            "exclude",
            "loopback",
            "on_error",
            "timeout",
            "raw",
        ),
    }
    read_configuration(
        {
            "sources": [{"type": "aws"}],
            **{name: each["default"] for name, each in options.items() if "default" in each},
        },
        str(tmp_path / FILE),
        None,
    )
    assert options["sources"]["suboptions"]["type"]["choices"] == list(TYPES)
    assert options["addresses"]["default"] == list(ours.addresses)
    assert options["transports"]["default"] == list(ours.transports)
    assert options["hostnames"]["default"] == [preference.source for preference in ours.hostnames]
    assert options["timeout"]["default"] == ours.timeout


def test_the_options_of_ansible_are_those_of_its_documentation() -> None:
    from ansible.plugins.doc_fragments.constructed import ModuleDocFragment as Constructed
    from ansible.plugins.doc_fragments.inventory_cache import ModuleDocFragment as Cache

    theirs = [yaml.safe_load(fragment.DOCUMENTATION)["options"] for fragment in (Constructed, Cache)]
    assert {"plugin", *theirs[0], *theirs[1]} == set(OF_ANSIBLE)
