// The list of the key's jobs: filters in the address, pages by cursor, and kept up to date.

import { currentKey, json } from "./api.js";
import { announce, become, copyButton, el, fill } from "./dom.js";
import { duration, moment, plural, quoted, words } from "./format.js";
import { live, scrapers } from "./live.js";
import { badge } from "./overview_parts.js";

const PAGE_JOBS = 50;
/** The wait after a key press before the search begins, milliseconds. */
const TYPING_MS = 250;
/** The least time between two looks at the first page while jobs come and go, milliseconds. */
const REFRESH_MS = 2000;
const STATUSES = [["", "All"], ["pending", "Pending"], ["done", "Done"], ["failed", "Failed"]];

export function jobs(main, { query, signal }) {
  const filter = { search: query.get("search") ?? "", status: query.get("status") ?? "", scraper: query.get("scraper") ?? "" };
  /** The cursors of the pages before this one; that of the first page is null. */
  let pages = [null];
  let next = null;
  let asked = 0;
  let seenMs = 0;
  let refresh = null;

  const search = el("input", { id: "search", type: "search", placeholder: "Label or prompt", maxlength: 200, value: filter.search, autocomplete: "off", on: { input: typed } });
  const status = el("div", { class: "segments", role: "group", "aria-label": "Status" },
    STATUSES.map(([value, name]) => el("button", { type: "button", "aria-pressed": String(value === filter.status), on: { click: (event) => pickStatus(event, value) } }, name)));
  const scraper = el("select", { id: "scraper", on: { change: () => change({ scraper: scraper.value }) } }, el("option", { value: "" }, "All scrapers"));
  const list = el("div", { class: "card flush", id: "jobs", "aria-busy": "true" }, el("p", { class: "quiet loading" }, "Loading …"));
  const older = el("button", { type: "button", class: "button", disabled: true, on: { click: goOlder } }, "Older");
  const newer = el("button", { type: "button", class: "button", disabled: true, on: { click: goNewer } }, "Newer");
  const where = el("span", { class: "quiet small", id: "where" });
  const paging = el("nav", { class: "paging", "aria-label": "Pages of the list", hidden: true }, newer, where, older);
  fill(main,
    el("div", { class: "title" }, el("h1", {}, "Jobs"), el("a", { class: "button primary", href: "#/new" }, "New prompt")),
    el("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
      el("label", { class: "out-of-sight", for: "search" }, "Search in labels and prompts"), search, status,
      el("label", { class: "out-of-sight", for: "scraper" }, "Scraper"), scraper),
    list, paging);

  if (query.get("focus") === "search") search.focus();
  scrapers().then(fillScrapers, () => {});
  live.addEventListener("overview", stir, { signal });
  live.addEventListener("back", () => load(), { signal });
  let typing = null;
  load();
  return () => {
    clearTimeout(typing);
    clearTimeout(refresh);
  };

  function fillScrapers(all) {
    for (const { name } of all.filter((each) => each.configured || each.name === filter.scraper)) {
      scraper.append(el("option", { value: name }, name));
    }
    scraper.value = filter.scraper;
  }

  function typed() {
    clearTimeout(typing);
    typing = setTimeout(() => change({ search: search.value.trim() }), TYPING_MS);
  }

  function pickStatus({ currentTarget }, value) {
    for (const button of status.children) button.setAttribute("aria-pressed", String(button === currentTarget));
    change({ status: value });
  }

  function change(changed) {
    Object.assign(filter, changed);
    const kept = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
    history.replaceState(null, "", `#/jobs${kept.size ? `?${kept}` : ""}`);
    pages = [null];
    load({ told: true });
  }

  function goOlder() {
    pages.push(next);
    load({ told: true, top: true });
  }

  function goNewer() {
    pages.pop();
    load({ told: true, top: true });
  }

  /** Something has changed at the server: the first page may be another, soon. */
  function stir() {
    if (pages.length > 1 || refresh) return;
    const wait = Math.max(0, seenMs + REFRESH_MS - Date.now());
    refresh = setTimeout(() => {
      refresh = null;
      if (!document.hidden) load();
    }, wait);
  }

  async function load({ told = false, top = false } = {}) {
    const number = ++asked;
    list.setAttribute("aria-busy", "true");
    try {
      const page = await read(pages.at(-1), () => number === asked && !signal.aborted);
      if (!page) return;
      seenMs = Date.now();
      next = page.next_cursor;
      draw(page.jobs);
      if (top) scrollTo(0, 0);
      if (told) announce(page.jobs.length ? `${plural(page.jobs.length, "job")} on page ${pages.length}.` : "No job matches.");
    } catch (error) {
      if (signal.aborted || number !== asked) return;
      if (!list.querySelector("table")) fill(list, el("p", { class: "error", role: "alert" }, error.message));
    } finally {
      if (number === asked) list.setAttribute("aria-busy", "false");
    }
  }

  /** A page; one of the server's may hold fewer jobs than it can, and so be followed by another. */
  async function read(cursor, wanted) {
    const found = [];
    for (;;) {
      const asks = new URLSearchParams({ limit: PAGE_JOBS - found.length });
      for (const [name, value] of Object.entries({ ...filter, cursor })) if (value) asks.set(name, value);
      const page = await json(`/jobs?${asks}`, { signal });
      if (!wanted()) return null;
      found.push(...page.jobs);
      cursor = page.next_cursor;
      if (!cursor || found.length >= PAGE_JOBS) return { jobs: found, next_cursor: cursor };
    }
  }

  function draw(found) {
    newer.disabled = pages.length === 1;
    older.disabled = !next;
    paging.hidden = newer.disabled && older.disabled;
    where.textContent = found.length ? `Page ${pages.length}` : "";
    const filtered = Object.values(filter).some(Boolean);
    if (found.length === 0) fill(list, filtered ? noMatch() : firstStep());
    else if (list.querySelector("table")) become(list.querySelector("table"), table(found));
    else fill(list, table(found));
  }

  function noMatch() {
    const reset = el("button", { type: "button", class: "button", on: { click: () => (location.hash = "/jobs?all") } }, "Show all jobs");
    return el("div", { class: "empty" }, el("h2", {}, "No job matches"), el("p", { class: "quiet" }, "Jobs are searched as long as the server keeps them."), reset);
  }
}

function firstStep() {
  const curl = `curl -X POST ${quoted(`${location.origin}/scrapers/practice/jobs?prompt=How+long+are+results+kept%3F`)}${currentKey() ? ' -H "X-API-Key: $ANSWERD_API_KEY"' : ""}`;
  return el("div", { class: "empty" }, el("h2", {}, "No jobs yet"),
    el("p", {}, "A job is one prompt for one scraper. Submit the first one here, or from a terminal:"),
    el("pre", {}, el("code", {}, curl)),
    el("div", { class: "buttons" }, el("a", { class: "button primary", href: "#/new" }, "Submit a prompt"), copyButton("Copy the command", () => curl)));
}

function table(found) {
  const head = ["Status", "Prompt", "Scraper", "Country", "Took", "Submitted"];
  return el("table", { class: "rows jobs" },
    el("caption", { class: "out-of-sight" }, "Jobs, newest first"),
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col", class: name === "Took" ? "number" : null }, name)))),
    el("tbody", {}, found.map(row)));
}

function row(job) {
  const seconds = job.completed_at && (Date.parse(job.completed_at) - Date.parse(job.created_at)) / 1000;
  return el("tr", {},
    el("td", { class: "of-status" }, statusBadge(job)),
    el("th", { scope: "row", class: "of-prompt" },
      el("a", { href: `#/jobs/${job.job_id}`, "data-step": "" }, job.prompt.slice(0, 300)),
      job.label && el("span", { class: "label" }, job.label),
      job.error_code && el("span", { class: "quiet small" }, words(job.error_code))),
    el("td", { class: "of-scraper" }, job.scraper),
    el("td", { class: "of-country" }, job.country),
    el("td", { class: "number of-took" }, job.completed_at ? seconds < 1 ? "< 1 s" : duration(seconds) : "–", job.attempts > 1 && el("span", { class: "quiet small under" }, `${job.attempts} attempts`)),
    el("td", { class: "of-submitted" }, moment(job.created_at)));
}

/** How a job stands, in a word with a color. */
export function statusBadge(job) {
  if (job.status === "done") return badge("done", "good");
  if (job.error_code === "canceled" && job.status === "failed") return badge("canceled", "idle");
  if (job.status === "failed") return badge("failed", "bad");
  const [word, tone] = { queued: ["queued", "idle"], running: ["running", "accent"], waiting_retry: ["waits to retry", "warn"] }[job.phase] ?? [job.phase, "idle"];
  return badge(word, tone);
}
