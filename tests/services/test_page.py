# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page and the history page, as a reader sees them in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, expect
from pypdf import PdfReader

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.history_page import write_history
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import write_html
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document
from ansible_collections.bankops.fleet.tests.fakes.report_figures import CYCLES
from ansible_collections.bankops.fleet.tests.fakes.report_histories import history
from ansible_collections.bankops.fleet.tests.services.browser import Reader, chromium

MANY = 10_000
ROWS_A_PAGE = 50
NARROW = {"width": 390, "height": 844}
Open = Callable[..., Reader]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each kind of page, made once."""
    folder = tmp_path_factory.mktemp("pages")
    kinds = {
        "least": document(hosts=16, tenants=1, updates=3),
        "few": document(),
        "hostile": document(hostile=True),
        "many": document(hosts=MANY, updates=200),
    }
    past, links = history()
    for kind in (*kinds, "history"):
        (folder / kind).mkdir()
    made = {kind: write_html(content, folder / kind)[0] for kind, content in kinds.items()}
    made["history"] = write_history(past, folder / "history", links)[0]
    attacks = {plan.plan: {"javascript:": "javascript:alert(1)"} for plan in kinds["hostile"].plans}
    made["hostile history"] = write_history(kinds["hostile"], folder / "hostile", attacks)[0]
    return made


@pytest.fixture
def read(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Open a page; at the end it must have done nothing but being read."""
    readers: list[Reader] = []

    def opened(kind: str = "few", **how: Any) -> Reader:
        readers.append(Reader(browser, pages[kind], **how))
        return readers[-1]

    yield opened
    for reader in readers:
        reader.close()
    assert [deed for reader in readers for deed in reader.deeds] == []


def hosts_of(page: Page) -> Locator:
    return page.locator("#table-hosts")


def rows(table: Locator) -> Locator:
    return table.locator("tbody > tr:not(.details)")


def column(table: Locator, label: str) -> list[str]:
    return rows(table).locator(f'> [data-label="{label}"]').all_inner_texts()


def status(table: Locator) -> Locator:
    return table.get_by_role("status")


def test_filters_hosts_and_says_how_many_there_are(read: Open) -> None:
    hosts = hosts_of(read().page)
    expect(status(hosts)).to_have_text("30 hosts")
    hosts.get_by_label("Outcome").select_option("failed (2)")
    assert column(hosts, "Outcome") == ["✕ failed"] * 2
    hosts.get_by_label("Tenant").select_option("beta (15)")
    assert column(hosts, "Host") == ["web22"]
    expect(status(hosts)).to_have_text("1 of 30 hosts")
    hosts.get_by_role("button", name="Clear").click()
    hosts.get_by_label("needs attention").check()
    expect(rows(hosts)).to_have_count(8)
    hosts.get_by_label("Environment").select_option("staging (6)")
    hosts.get_by_label("Wave").select_option("canary (10)")
    assert column(hosts, "Host") == ["kv5", "kv20"]


def test_searches_hosts_by_what_is_known_of_them(read: Open) -> None:
    hosts = hosts_of(read().page)
    search = hosts.get_by_role("searchbox")
    for words, found in {
        "WEB22": ["web22"],
        "beta 502": ["db21"],
        "dpkg": ["db3", "db18"],
        "no such thing": [],
    }.items():
        search.fill(words)
        assert column(hosts, "Host") == found
    expect(status(hosts)).to_have_text("0 of 30 hosts")


def test_leads_from_a_cve_to_its_hosts_and_from_a_host_to_its_packages(read: Open) -> None:
    page = read().page
    hosts, cves = hosts_of(page), page.locator("#table-cves")
    cves.get_by_role("searchbox").fill("CVE-2026-1001")
    cves.get_by_label("Tenant").select_option("alpha (5)")
    cves.get_by_role("button", name="8 hosts of CVE-2026-1001").click()
    expect(page.locator("#hosts-title")).to_be_focused()
    expect(status(hosts)).to_have_text("8 of 30 hosts (CVE-2026-1001)")
    assert set(column(hosts, "Outcome")) == {"✓ verified"}
    assert set(column(hosts, "Tenant")) == {"alpha"}
    hosts.get_by_role("searchbox").fill("web1")
    hosts.get_by_role("button", name="updates changed on web1,").click()
    packages = hosts.locator("tr.details table").first
    assert packages.locator("tbody tr").first.all_inner_texts() == [
        "openssl:amd64\t3.0.11-1~deb12u1\t3.0.17-1~deb12u2\t▲ critical\tCVE-2026-1000"
    ]
    # A search by a package or a CVE finds the hosts that had it or still have it.
    hosts.get_by_role("button", name="Clear").click()
    hosts.get_by_role("searchbox").fill("cve-2026-1000")
    expect(status(hosts)).to_have_text("18 of 30 hosts")


def test_the_figures_above_lead_to_their_hosts(read: Open) -> None:
    page = read().page
    page.get_by_role("link", name="2 rolled back").click()
    assert column(hosts_of(page), "Host") == ["db6", "db21"]
    expect(page.locator("#hosts-title")).to_be_in_viewport()


def test_sorts_by_a_column_as_people_do(read: Open) -> None:
    page = read().page
    hosts = hosts_of(page)
    head = hosts.get_by_role("columnheader", name="Host", exact=True)
    head.get_by_role("button").click()
    names = column(hosts, "Host")
    assert names == sorted(names, key=lambda name: (name.rstrip("0123456789"), int(re.sub(r"\D", "", name))))
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    assert column(hosts, "Host") == names[::-1]
    expect(head).to_have_attribute("aria-sort", "descending")
    # A host that took no time comes after those that did, in either direction.
    duration = hosts.get_by_role("columnheader", name="Duration")
    for _direction in ("up", "down"):
        duration.get_by_role("button").click()
        seconds = column(hosts, "Duration")
        assert seconds[0] != "—"
        assert set(seconds[seconds.index("—") :]) == {"—"}
    expect(head).not_to_have_attribute("aria-sort", "descending")


def test_is_used_with_the_keyboard_alone(read: Open) -> None:
    page = read().page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    hosts = hosts_of(page)
    hosts.get_by_role("searchbox").focus()
    page.keyboard.type("web7")
    page.keyboard.press("Enter")
    assert column(hosts, "Host") == ["web7"]
    expect(hosts.get_by_role("searchbox")).to_be_focused()
    detail = hosts.get_by_role("button", name="updates changed on web7")
    for _tab in range(40):
        page.keyboard.press("Tab")
        if detail.evaluate("button => button === document.activeElement"):
            break
    assert detail.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(detail).to_have_attribute("aria-expanded", "true")
    expect(hosts.locator("tr.details")).to_contain_text("still pending on web7")
    page.keyboard.press("Space")
    expect(hosts.locator("tr.details")).to_have_count(0)


def test_is_dark_when_asked_to_be(read: Open) -> None:
    def background(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    dark, light = read(color_scheme="dark").page, read(color_scheme="light").page
    assert background(dark) != background(light)
    switch = light.get_by_role("button", name="Dark colours")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    assert background(light) == background(dark)
    switch.click()
    assert background(light) != background(dark)


def printed(page: Page) -> str:
    return "\n".join(sheet.extract_text() for sheet in PdfReader(BytesIO(page.pdf())).pages)


def test_prints_all_rows_and_no_controls(read: Open) -> None:
    page = read().page
    hosts = hosts_of(page)
    hosts.get_by_label("needs attention").check()
    text = printed(page)
    assert "8 of 30 hosts need attention" in text
    assert "8 of 30 hosts\n" in text
    assert "drawn with the seed" in text
    # A dossier is there, though nobody has opened it on the screen.
    assert "How it went, by the ledger" in text
    assert "Clear" not in text
    assert "Skip to the content" not in text
    # On the screen all is as before.
    expect(status(hosts)).to_have_text("8 of 30 hosts")


def test_says_on_paper_where_the_other_rows_are(read: Open) -> None:
    page = read("many").page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hosts = hosts_of(page)
    expect(rows(hosts)).to_have_count(1000)
    expect(status(hosts)).to_have_text(
        "10,000 of 10,000 hosts; the first 1,000 are printed here, all are in the report's CSV files"
    )
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(rows(hosts)).to_have_count(50)


ALL = {"resultTypes": ["violations"]}
# It takes the longest, and colours depend on no width.
CONTRAST = {**ALL, "runOnly": ["color-contrast"]}
NOT_CONTRAST = {**ALL, "rules": {"color-contrast": {"enabled": False}}}


@pytest.mark.parametrize(
    ("how", "rules"),
    [({"color_scheme": "light"}, ALL), ({"color_scheme": "dark"}, CONTRAST), ({"viewport": NARROW}, NOT_CONTRAST)],
    ids=["light", "dark", "narrow"],
)
@pytest.mark.parametrize("kind", ["least", "history"])
def test_keeps_nobody_from_reading_it(read: Open, kind: str, how: dict[str, Any], rules: dict[str, Any]) -> None:
    # axe-core is a script that the page's policy would not let run.
    page = read(kind, bypass_csp=True, **how).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    if kind == "least":
        hosts_of(page).get_by_role("button", name="updates changed on web7").click()
    found = [
        (violation["id"], node["target"], node["any"] and node["any"][0]["message"])
        for violation in Axe().run(page, options=rules).response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert found == []


@pytest.mark.parametrize("kind", ["few", "history", "hostile", "hostile history"])
@pytest.mark.parametrize("viewport", [NARROW, {"width": 1360, "height": 900}], ids=["narrow", "wide"])
def test_is_never_wider_than_the_screen(read: Open, kind: str, viewport: dict[str, int]) -> None:
    page = read(kind, viewport=viewport).page
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_is_readable_without_a_script(read: Open) -> None:
    page = read(java_script_enabled=False).page
    main = page.get_by_role("main")
    expect(page.get_by_text("8 of 30 hosts need attention; 18 were patched and verified.")).to_be_visible()
    expect(main.get_by_text("its change was begun, and its outcome is not known").first).to_be_visible()
    elsewhere = page.locator("#hosts noscript p")
    expect(elsewhere).to_be_visible()
    # Playwright itself does not read what is in there.
    assert "All rows are in the CSV, XLSX and JSON formats" in elsewhere.evaluate("one => one.textContent")
    expect(hosts_of(page)).to_be_hidden()
    expect(page.get_by_role("button", name="Dark colours")).to_be_hidden()


def test_every_chart_has_its_figures_in_a_table(read: Open) -> None:
    page = read().page
    for figure in page.locator("#metrics ~ .charts:not(.trends) figure").all():
        title = figure.locator("svg > title").text_content()
        figure.locator("summary").click()
        for cell in figure.locator("tbody tr > :first-child").all_inner_texts():
            assert cell in (title or "")
    trend = page.get_by_role("region", name="Trend")
    page.get_by_text("The trend as a table").click()
    assert trend.locator("thead th").all_inner_texts()[1:] == [point.cycle for point in document().trend]


@pytest.mark.parametrize("kind", ["hostile", "hostile history"])
def test_shows_attacks_as_the_texts_that_they_are(read: Open, kind: str) -> None:
    page = read(kind).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.locator("script").count() == (2 if kind == "hostile" else 1)
    assert page.locator("img, iframe, object, [onerror], [style]").count() == 0
    assert page.locator("a:not([href^='#'])").evaluate_all("links => links.every(link => link.protocol === 'file:')")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200e\u200f]", page.inner_text("body"))
    if kind == "hostile":
        hosts = hosts_of(page)
        expect(rows(hosts)).to_have_count(30)
        for button in hosts.locator("tbody").get_by_role("button").all()[:3]:
            button.click()
        hosts.get_by_role("searchbox").fill("<script>")
        assert rows(hosts).count() < 30


def test_a_fleet_of_ten_thousand_costs_a_page_of_rows_at_a_time(read: Open) -> None:
    # What that takes in seconds is measured by the benchmark "report".
    hosts = hosts_of(read("many").page)
    expect(status(hosts)).to_have_text("10,000 hosts: rows 1 to 50")
    expect(rows(hosts)).to_have_count(ROWS_A_PAGE)
    hosts.get_by_role("searchbox").fill("db99")
    expect(status(hosts)).to_have_text(re.compile(r"^[1-9][0-9,]* of 10,000 hosts"))
    found = column(hosts, "Host")
    assert 0 < len(found) <= ROWS_A_PAGE
    assert all(name.startswith("db99") for name in found)


def test_the_history_shows_every_plan_and_the_way_to_its_bundle(read: Open) -> None:
    page = read("history").page
    assert page.locator("h2[id^=cycle]").all_inner_texts() == [f"Cycle {cycle}" for cycle in reversed(CYCLES)]
    # Those of long ago are there, and folded.
    folded = page.get_by_text("2 plans: 2 sealed")
    assert folded.count() == len(CYCLES) - 1
    folded.last.click()
    expect(page.get_by_role("region", name=f"Plans of cycle {CYCLES[0]}").locator("tbody tr")).to_have_count(2)
    plans = page.get_by_role("region", name="Plans of cycle 2026-11")
    assert plans.locator('tbody [data-label="Tenant"]').all_inner_texts() == ["beta", "alpha"]
    expect(plans.locator("tbody tr").first).to_contain_text("incomplete")
    unfinished = page.get_by_role("region", name="Attempts that were not closed")
    assert unfinished.locator('tbody [data-label="State"]').all_inner_texts() == ["✕ incomplete"] * 2
    assert [link.get_attribute("href") for link in plans.get_by_role("link").all()] == [
        "2026-11/beta/report.html",
        "2026-11/alpha/report.html",
        "seals/alpha/0006/",
    ]
