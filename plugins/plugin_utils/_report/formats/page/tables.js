// Copyright (c) 2026 bankops.fleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Tables of ten thousand rows: the page holds columns, and shows a screenful of rows at a time. What columns a table
// shows, and in which way, stands in the data-* attributes of its HTML. Texts only ever become text nodes.
"use strict";

const ROWS_A_PAGE = 50;
const ROWS_PRINTED = 1000;
const NOTHING = "—";
const numbers = new Intl.NumberFormat("en");

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function mark(marks, value) {
  if (!Object.hasOwn(marks, value)) return value;
  const [symbol, word, tone] = marks[value];
  return element("span", { class: `mark ${tone}` }, element("span", { "aria-hidden": "true" }, symbol), ` ${word}`);
}

// Sets of hosts, said by kinds of hosts: `kinds` has that of each row of the table of hosts. A set is the bits of its
// kinds, and came as a list of them or in base64.
class HostSets {
  constructor({ kinds, of }) {
    this.kinds = kinds;
    this.stored = of;
    this.decoded = new Map();
  }

  bits(number) {
    if (!this.decoded.has(number)) {
      const stored = this.stored[number];
      const packed = typeof stored === "string";
      const bits = packed ? Uint8Array.from(atob(stored), (byte) => byte.charCodeAt(0)) : this.none();
      if (!packed) for (const kind of stored) bits[kind >> 3] |= 1 << (kind & 7);
      this.decoded.set(number, bits);
    }
    return this.decoded.get(number);
  }

  none() {
    return new Uint8Array((this.kinds.length >> 3) + 1);
  }

  has(number, row) {
    return this.holds(this.bits(number), row);
  }

  holds(bits, row) {
    return (bits[this.kinds[row] >> 3] & (1 << (this.kinds[row] & 7))) !== 0;
  }

  // Tells of a row whether it is in some of these sets.
  inSome(numbers) {
    const together = this.none();
    for (const number of numbers) this.bits(number).forEach((byte, place) => { together[place] |= byte; });
    return (row) => this.holds(together, row);
  }
}

// A column of texts (each text once, in the order in which people sort them) or of numbers.
class Column {
  constructor(stored) {
    this.texts = Array.isArray(stored) ? null : stored.of;
    this.at = Array.isArray(stored) ? stored : stored.at;
    this.lowered = null;
  }

  get length() {
    return this.at.length;
  }

  value(row) {
    return this.texts ? this.texts[this.at[row]] : this.at[row];
  }

  // For each different text whether it holds the word.
  holds(word) {
    this.lowered ??= this.texts.map((text) => text.toLowerCase());
    return this.lowered.map((text) => text.includes(word));
  }

  // What is not known comes last, in whatever direction.
  compare(one, other, direction) {
    const first = this.at[one];
    const second = this.at[other];
    if (first === null || second === null) return (first === null) - (second === null);
    return (first - second) * direction;
  }
}

class Table {
  // `frame` is the element around the table; `also(word)` may tell which rows a word finds beside its own.
  constructor(frame, columns, { marks, cell, also }) {
    Object.assign(this, { frame, marks, cell, also });
    this.columns = Object.fromEntries(Object.entries(columns).map(([key, stored]) => [key, new Column(stored)]));
    this.heads = [...frame.querySelectorAll("thead th")];
    this.body = frame.querySelector("tbody");
    this.form = frame.querySelector("form");
    this.status = frame.querySelector("[role=status]");
    this.pager = frame.querySelector(".pager");
    this.searched = frame.dataset.searched.split(" ");
    this.noun = frame.dataset.noun;
    this.length = this.columns[this.searched[0]].length;
    this.page = 0;
    this.order = null;
    this.chosen = null;
    this.prepare();
    this.apply();
  }

  prepare() {
    for (const head of this.heads) {
      head.querySelector("button")?.addEventListener("click", () => this.sortBy(head));
    }
    for (const choice of this.form.querySelectorAll("select")) {
      const column = this.columns[choice.name];
      const counts = new Array(column.texts.length).fill(0);
      for (const code of column.at) counts[code] += 1;
      column.texts.forEach((text, code) => {
        const word = Object.hasOwn(this.marks, text) ? this.marks[text][1] : text || "(none)";
        const label = `${word.length > 40 ? `${word.slice(0, 40)}…` : word} (${numbers.format(counts[code])})`;
        choice.append(element("option", { value: code }, label));
      });
      // A choice of one is none.
      if (column.texts.length < 2) choice.closest("label").hidden = true;
    }
    this.form.addEventListener("input", () => this.apply());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.querySelector("button").addEventListener("click", () => {
      this.clear();
      this.apply();
    });
    this.frame.hidden = this.length === 0;
    for (const button of this.pager.querySelectorAll("button")) {
      button.addEventListener("click", () => this.turn(Number(button.dataset.turn)));
    }
  }

  clear() {
    this.form.reset();
    this.chosen = null;
  }

  // Only the rows that `holds` tells, which are those of a row of another table.
  choose(holds, name) {
    this.clear();
    this.chosen = { holds, name };
    this.apply();
  }

  // Only the rows whose `key` is `text`.
  filter(key, text) {
    this.clear();
    const control = this.form.elements[key];
    if (control.type === "checkbox") control.checked = true;
    else control.value = String(this.columns[key].texts.indexOf(text));
    this.apply();
  }

  apply() {
    this.rows = this.matching();
    this.sort();
    this.page = 0;
    this.show();
  }

  matching() {
    const conditions = [];
    for (const choice of this.form.querySelectorAll("select")) {
      const { at } = this.columns[choice.name];
      const code = Number(choice.value);
      if (choice.value !== "") conditions.push((row) => at[row] === code);
    }
    for (const box of this.form.querySelectorAll("input[type=checkbox]")) {
      const column = this.columns[box.name];
      const yes = column.texts.indexOf(box.value);
      if (box.checked) conditions.push((row) => column.at[row] === yes);
    }
    if (this.chosen) conditions.push(this.chosen.holds);
    for (const word of this.form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean)) {
      const found = this.searched.map((key) => [this.columns[key].at, this.columns[key].holds(word)]);
      const others = this.also?.(word);
      conditions.push((row) => found.some(([at, holds]) => holds[at[row]]) || others?.(row));
    }
    const rows = [];
    for (let row = 0; row < this.length; row += 1) {
      if (conditions.every((holds) => holds(row))) rows.push(row);
    }
    return rows;
  }

  sortBy(head) {
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of this.heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    this.order = { column: this.columns[head.dataset.key], direction: descending ? -1 : 1 };
    this.sort();
    this.page = 0;
    this.show();
  }

  // Rows that are equal stay in the order of the report: those that need attention first.
  sort() {
    if (!this.order) return;
    const { column, direction } = this.order;
    this.rows.sort((one, other) => column.compare(one, other, direction) || one - other);
  }

  turn(pages) {
    this.page = Math.min(Math.max(0, this.page + pages), Math.ceil(this.rows.length / ROWS_A_PAGE) - 1);
    this.show();
    this.frame.scrollIntoView({ block: "start" });
  }

  show() {
    const first = this.page * ROWS_A_PAGE;
    const shown = this.rows.slice(first, first + ROWS_A_PAGE);
    this.fill(shown);
    const total = `${numbers.format(this.length)} ${this.noun}`;
    const found = this.rows.length === this.length ? total : `${numbers.format(this.rows.length)} of ${total}`;
    const where = shown.length < this.rows.length ? `: rows ${first + 1} to ${first + shown.length}` : "";
    this.status.textContent = found + (this.chosen ? ` (${this.chosen.name})` : "") + where;
    this.pager.hidden = this.rows.length <= ROWS_A_PAGE;
    const last = first + ROWS_A_PAGE >= this.rows.length;
    for (const button of this.pager.querySelectorAll("button")) {
      button.disabled = Number(button.dataset.turn) < 0 ? first === 0 : last;
    }
  }

  // Paper has no pages to turn: all rows that are left by the filters, as far as a printer should be trusted with.
  print() {
    this.fill(this.rows.slice(0, ROWS_PRINTED));
    const more = this.rows.length - ROWS_PRINTED;
    this.status.textContent =
      `${numbers.format(this.rows.length)} of ${numbers.format(this.length)} ${this.noun}` +
      (more > 0 ? `; the first ${numbers.format(ROWS_PRINTED)} are printed here, all are in the report's CSV files` : "");
  }

  fill(rows) {
    this.body.replaceChildren(...rows.map((row) => this.line(row)));
  }

  line(row) {
    const made = element("tr", {});
    for (const head of this.heads) {
      const { key, kind: look, label } = head.dataset;
      const [kind] = look.split(" ");
      const cell = element(kind === "name" ? "th" : "td", { "data-label": label, class: look });
      if (kind === "name") cell.scope = "row";
      cell.append(this.cell?.(kind, row, this, made) ?? this.content(kind, this.columns[key].value(row)));
      made.append(cell);
    }
    return made;
  }

  content(kind, value) {
    if (value === null || value === "") return NOTHING;
    if (kind === "status") return mark(this.marks, value);
    if (kind === "span") return span(value);
    return typeof value === "number" ? numbers.format(value) : value;
  }
}
