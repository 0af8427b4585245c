# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PDF format: a printed summary, for people who sign and file paper. WeasyPrint makes it, an optional extra.

It has the figures and what needs attention, and says of each list that is cut where the whole of it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import CveStatus, Document, InTime
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import visible

NAME = "report.pdf"
MOST = 100
"""As many rows of a table are printed; a table that is longer says how many there are."""

_TEMPLATE = "pdf.html.j2"
_LONGEST = 300
_NAMED = 5
_NONE = "—"
_WORST_FIRST = (InTime.NO, InTime.UNKNOWN, InTime.YES)


def write_pdf(document: Document, folder: Path) -> list[Path]:
    """Write ``report.pdf``; the same bytes for the same document, by the same WeasyPrint and fonts.

    Raises FleetError of kind ``format_unavailable`` where WeasyPrint or Pango is not installed, and OSError.
    """
    printer, fetcher = require_weasyprint()
    page = html(document)
    # A fetcher that is allowed no protocol refuses everything.
    content = printer(string=page, url_fetcher=fetcher(allowed_protocols=())).write_pdf(
        # Tagged, with its language and title, so that it can be read aloud.
        pdf_variant="pdf/ua-1",
        # Without one it is drawn by chance.
        pdf_identifier=hashlib.sha256(page.encode()).digest()[:16],
    )
    path = folder / NAME
    path.write_bytes(content)
    return [path]


def html(document: Document) -> str:
    """What is printed. Everything in it is escaped, and nothing in it leads anywhere."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(Path(__file__).parent),
    )
    environment.filters.update(figure=_figure, moment=_moment, named=_named, words=_words)
    return environment.get_template(_TEMPLATE).render(
        report=document,
        most=MOST,
        outcomes=[(outcome, document.counts.get(outcome, 0)) for outcome in HostOutcome],
        attention=[row for row in document.hosts if row.needs_attention],
        open_cves=sorted(
            (row for row in document.cves if row.status is CveStatus.OPEN),
            key=lambda row: (_WORST_FIRST.index(row.in_time), -(row.days or 0), row.tenant, row.cve),
        ),
    )


def require_weasyprint() -> tuple[Any, Any]:
    """WeasyPrint's HTML, and its class of fetchers, which old versions do not have."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    # It says by OSError that it finds no Pango.
    except (ImportError, OSError) as problem:
        raise FleetError(
            f"The format pdf cannot be made on this controller: {_shown(str(problem))}.",
            kind="format_unavailable",
            remedy="Install requirements-pdf.txt with pip, and Pango with the package manager (Debian: libpango-1.0-0, "
            "libpangoft2-1.0-0 and libharfbuzz-subset0), or leave the format pdf out.",
        ) from problem
    return HTML, URLFetcher


def _shown(value: Any) -> Any:
    """A value as it is printed. Jinja calls this with every expression; what it made itself is Markup, and done."""
    if value is None:
        return _NONE
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    shown = visible(value[:_LONGEST])
    return shown if len(value) <= _LONGEST else f"{shown}… ({len(value):,} characters)"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    shown = f"{value:,.1f}".removesuffix(".0")
    return {"percent": f"{shown} %", "days": f"{shown} days"}.get(unit, shown)


def _moment(text: str | None) -> str:
    try:
        return _NONE if not text else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
    except ValueError:
        return str(text)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(str(_shown(name)) for name in names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _words(name: str) -> str:
    return str(name).replace("_", " ")
