// The batches of the key, newest first: how far each is.

import { json } from "./api.js";
import { announce, breakable, el, fill, gauge, morph, scrolls } from "./dom.js";
import { moment, plural, whole } from "./format.js";
import { live } from "./live.js";
import { badge } from "./overview_parts.js";

const PAGE_BATCHES = 50;
/** The least time between two looks at the first page while jobs come and go, milliseconds. */
const REFRESH_MS = 2000;
/** A list of batches does not tell the two apart. */
const FAILED = "Failed or canceled";
const STATUSES = [["", "All"], ["pending", "Running"], ["done", "Finished"]];

export function batches(main, { query, signal, drawn }) {
  let status = query.get("status") ?? "";
  /** The cursors of the pages before this one; that of the first page is null. */
  let pages = [null];
  let next = null;
  let asked = 0;
  let seenMs = 0;
  let refresh = null;
  const choice = el("div", { class: "segments", role: "group", "aria-label": "Status" },
    STATUSES.map(([value, name]) => el("button", { type: "button", "aria-pressed": String(value === status), on: { click: (event) => pick(event, value) } }, name)));
  const list = el("div", { class: "card flush", id: "batches" }, el("p", { class: "quiet loading" }, "Loading …"));
  const older = el("button", { type: "button", class: "button", on: { click: () => go(() => pages.push(next)) } }, "Older");
  const newer = el("button", { type: "button", class: "button", on: { click: () => go(() => pages.pop()) } }, "Newer");
  const paging = el("nav", { class: "paging", "aria-label": "Pages of the list", hidden: true }, newer, older);
  fill(main,
    el("div", { class: "title" }, el("h1", {}, "Batches"), el("a", { class: "button primary", href: "#/new" }, "New prompt")),
    el("div", { class: "filters" }, choice), list, paging);
  live.addEventListener("overview", scheduleRefresh, { signal });
  live.addEventListener("back", () => load(), { signal });
  load();
  return () => clearTimeout(refresh);

  function pick({ currentTarget }, value) {
    for (const button of choice.children) button.setAttribute("aria-pressed", String(button === currentTarget));
    status = value;
    history.replaceState(history.state, "", value ? `#/batches?status=${value}` : "#/batches");
    pages = [null];
    load({ announced: true });
  }

  function go(step) {
    step();
    load({ announced: true });
    scrollTo(0, 0);
  }

  /** Something has changed at the server: the first page may be another, soon. */
  function scheduleRefresh() {
    if (pages.length > 1 || refresh) return;
    refresh = setTimeout(() => {
      refresh = null;
      if (!document.hidden) load();
    }, Math.max(0, seenMs + REFRESH_MS - Date.now()));
  }

  async function load({ announced = false } = {}) {
    const number = ++asked;
    const wanted = () => number === asked && !signal.aborted;
    try {
      const found = [];
      let cursor = pages.at(-1);
      // A page of the server's may hold fewer than it can, and so be followed by another.
      do {
        const asks = new URLSearchParams({ limit: PAGE_BATCHES - found.length });
        for (const [name, value] of Object.entries({ status, cursor })) if (value) asks.set(name, value);
        const page = await json(`/batches?${asks}`, { signal });
        if (!wanted()) return;
        found.push(...page.batches);
        cursor = page.next_cursor;
      } while (cursor && found.length < PAGE_BATCHES);
      next = cursor;
      seenMs = Date.now();
      draw(found);
      if (announced) announce(found.length ? plural(found.length, "batch", "batches") : "No batch matches.");
      drawn();
    } catch (error) {
      if (wanted() && !list.querySelector("table")) fill(list, el("p", { class: "error", role: "alert" }, error.message));
    }
  }

  function draw(found) {
    newer.disabled = pages.length === 1;
    older.disabled = !next;
    paging.hidden = newer.disabled && older.disabled;
    if (found.length === 0) fill(list, status ? el("div", { class: "empty" }, el("h2", {}, "No batch matches")) : none());
    else if (list.querySelector("table")) morph(list.querySelector("table"), table(found));
    else fill(list, table(found));
  }
}

function none() {
  return el("div", { class: "empty" }, el("h2", {}, "No batches yet"),
    el("p", {}, "A batch is many prompts, scrapers and countries in one request. Choose several under New prompt, or send a file from a terminal:"),
    el("pre", scrolls("Command"), el("code", {}, "answerd batch prompts.csv --scraper chatgpt")),
    el("p", {}, el("a", { href: "/docs/batches" }, "How batches work")));
}

function table(found) {
  return el("div", { class: "scroll", ...scrolls("Batches") }, el("table", { class: "rows stacked" },
    el("caption", { class: "out-of-sight" }, "Batches, newest first"),
    el("thead", {}, el("tr", {}, ["Batch", "Status", "Progress", "Done", FAILED, "Submitted"].map((name) => el("th", { scope: "col", class: name === "Done" || name === FAILED ? "number" : null }, name)))),
    el("tbody", {}, found.map(row))));
}

function row({ batch_id: id, label, status, counts, created_at: created }) {
  return el("tr", { "data-key": id },
    el("th", { scope: "row" }, el("a", { href: `#/batches/${id}`, "data-step": "", dir: "auto" }, label ? breakable(label) : `Batch ${id.slice(0, 8)}`),
      el("span", { class: "quiet small under" }, plural(counts.items, "item"), counts.refused > 0 && `, ${counts.refused} refused`)),
    el("td", { "data-label": "Status" }, batchBadge(status, counts)),
    el("td", { "data-label": "Progress" }, progress(counts)),
    el("td", { class: "number", "data-label": "Done" }, whole(counts.done)),
    el("td", { class: counts.failed > 0 ? "number bad" : "number", "data-label": FAILED }, whole(counts.failed)),
    el("td", { "data-label": "Submitted" }, moment(created)));
}

/** How a batch stands, in a word with a color. */
export function batchBadge(status, { items, refused, failed, canceled }) {
  if (status === "pending") return badge("running", "accent");
  if (items > 0 && canceled === items) return badge("canceled", "idle");
  if (items > 0 && failed + refused === items) return badge("no answers", "bad");
  return failed + refused > 0 ? badge("finished", "warn") : badge("done", "good");
}

/** How many jobs have failed and were not canceled: the API counts these with them. */
export const failedOf = ({ failed, canceled = 0 }) => failed - canceled;

/** The counts of a batch in words. */
export const summary = ({ done, failed, canceled = 0, refused }) => [`${whole(done)} done`, failed > canceled && `${whole(failed - canceled)} failed`, canceled > 0 && `${whole(canceled)} canceled`, refused > 0 && `${whole(refused)} refused`].filter(Boolean).join(", ");

/** How much of a batch has ended. */
export function progress({ items, pending }) {
  const ended = items - pending;
  const part = items > 0 ? ended / items : 1;
  return [gauge(part, `${whole(ended)} of ${whole(items)} ended`), el("span", { class: "quiet small" }, ` ${whole(ended)} / ${whole(items)}`)];
}
