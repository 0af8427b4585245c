// Copyright (c) 2026 bankops.fleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The tables of a report, and the ways from one to another: from a CVE to its hosts, from a host to its packages.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { marks } = data;
  const sets = new HostSets(data.sets);
  const tables = {};

  // A word that is no name of a host may be a package's or a CVE's: it finds the hosts that had or have it.
  function hostsByPackage(word) {
    const found = new Set();
    for (const { columns } of [tables.changes, tables.updates]) {
      for (const column of [columns.package, columns.cves]) {
        const holds = column.holds(word);
        column.at.forEach((code, row) => holds[code] && found.add(columns.set.value(row)));
      }
    }
    return sets.inSome(found);
  }

  function goToHosts() {
    const heading = document.getElementById("hosts-title");
    heading.scrollIntoView({ block: "start" });
    heading.focus({ preventScroll: true });
  }

  // How many days of those that are allowed, or how many hosts a row has, and the way to them.
  function factCell(kind, row, table) {
    if (kind === "days") {
      const [days, allowed] = [table.columns.days.value(row), table.columns.allowed.value(row)];
      return (days === null ? NOTHING : numbers.format(days)) + (allowed === null ? "" : ` of ${numbers.format(allowed)}`);
    }
    if (kind !== "hosts" && kind !== "hosts_closed") return undefined;
    const closed = kind === "hosts_closed";
    const count = table.columns[kind].value(row);
    if (!count) return "0";
    const name = table.columns[table.searched[0]].value(row);
    const button = element("button", { type: "button", class: "link" }, numbers.format(count));
    button.append(element("span", { class: "unseen" }, ` hosts of ${name}, show them`));
    button.addEventListener("click", () => {
      const set = table.columns[closed ? "set_closed" : "set"].value(row);
      tables.hosts.choose((host) => sets.has(set, host), name);
      goToHosts();
    });
    return button;
  }

  function hostCell(kind, row, table, line) {
    const { columns } = table;
    if (kind === "place") {
      const batch = columns.batch.value(row);
      return columns.wave.value(row) ? columns.wave.value(row) + (batch === null ? "" : `, ${batch}`) : NOTHING;
    }
    if (kind === "remarks") return columns.reason.value(row) || element("span", { class: "quiet" }, NOTHING);
    if (kind !== "details") return undefined;
    const all = columns.updates.value(row);
    const button = element("button", { type: "button", class: "link", "aria-expanded": "false" });
    button.append(
      `${numbers.format(columns.changed.value(row))} of ${numbers.format(all)}`,
      element("span", { class: "unseen" }, ` updates changed on ${columns.host.value(row)}, show details`),
    );
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) line.nextElementSibling.remove();
      else line.after(element("tr", { class: "details" }, details(row, table)));
    });
    return button;
  }

  function details(row, table) {
    const { columns } = table;
    const cell = element("td", { colspan: table.heads.length });
    const facts = element("dl", {});
    for (const [label, value] of [
      ["Cloud", columns.cloud.value(row)],
      ["Region", columns.region.value(row)],
      ["Cluster", columns.cluster.value(row)],
      ["Rebooted", columns.rebooted.value(row)],
      ["Out of service", columns.away.value(row) === null ? "" : span(columns.away.value(row))],
      ["Notes", columns.notes.value(row)],
    ]) {
      if (value) facts.append(element("div", {}, element("dt", {}, label), element("dd", {}, value)));
    }
    const name = columns.host.value(row);
    cell.append(
      facts,
      part(`Packages of ${name}, before and after`, tables.changes, row, ["package", "before", "after", "severity", "cves"]),
      part(`Updates still pending on ${name}`, tables.updates, row, ["package", "candidate", "reason", "severity", "cves"]),
    );
    return cell;
  }

  // The rows of another table that have this host among theirs.
  function part(caption, table, host, keys) {
    const own = [];
    for (let row = 0; row < table.length; row += 1) if (sets.has(table.columns.set.value(row), host)) own.push(row);
    if (!own.length) return "";
    const labels = keys.map((key) => table.frame.querySelector(`th[data-key=${key}]`).dataset);
    const head = element("tr", {}, ...labels.map(({ label }) => element("th", { scope: "col" }, label)));
    const body = own.map((row) =>
      element("tr", {}, ...labels.map(({ key, kind, label }, place) =>
        element(place ? "td" : "th", { "data-label": label, class: kind, ...(place ? {} : { scope: "row" }) },
          table.content(kind.split(" ")[0], table.columns[key].value(row))))));
    return element("table", { class: "cards" }, element("caption", {}, caption), element("thead", {}, head),
      element("tbody", {}, ...body));
  }

  for (const name of ["changes", "cves", "updates", "hosts"]) {
    const own = name === "hosts" ? { cell: hostCell, also: hostsByPackage } : { cell: factCell };
    tables[name] = new Table(document.getElementById(`table-${name}`), data.tables[name], { marks, ...own });
  }

  // The figures above lead to their hosts.
  for (const link of document.querySelectorAll("a[data-filter]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      tables.hosts.filter(link.dataset.filter, link.dataset.value);
      goToHosts();
    });
  }

  addEventListener("beforeprint", () => Object.values(tables).forEach((table) => table.print()));
  addEventListener("afterprint", () => Object.values(tables).forEach((table) => table.show()));
})();
