// The list of the key's jobs: filters in the address, pages by cursor, and kept up to date.

import { json } from "./api.js";
import { bulkActions } from "./bulk.js";
import { announce, el, fill, morph } from "./dom.js";
import { fullTime, plural, whole, words } from "./format.js";
import { addressOf, firstStep, noMatch, others, parametersOf, table, took } from "./jobs_table.js";
import { live, scrapers } from "./live.js";
import { timeRange } from "./time_range.js";

const PAGE_JOBS = 50;
/** The most jobs of a page of the server's, and the most that are counted for a filter. */
const READ_JOBS = 200;
const COUNT_MAX = 1000;
/** The most new jobs that are counted while somebody reads. */
const NEW_JOBS_MAX = 200;
/** An id of a job or a batch, alone or in an address. */
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/i;
/** The wait after a key press before the search begins, milliseconds. */
const TYPING_MS = 250;
/** The least time between two looks at the first page while jobs come and go, milliseconds. */
const REFRESH_MS = 2000;
/** What the list can be filtered by; those behind the third are shown with a button that takes them away. */
const FILTERS = ["search", "status", "scraper", "label", "country", "error_code", "batch", "tracker", "prompt_of", "since", "until", "account"];
/** The orders of a page, as values of `aria-sort` of the time that jobs took. */
const ORDERS = [["", "Newest first"], ["descending", "Longest first"], ["ascending", "Shortest first"]];
/** The account that stands for all keys. */
const ALL = "*";
const STATUSES = [["", "All"], ["pending", "Pending"], ["done", "Done"], ["failed", "Failed"], ["canceled", "Canceled"]];

/** The address of the list as it was shown last, with its filters. */
let address = "#/jobs";
/** The ids of the jobs that it showed. */
let seen = [];

/** The jobs before and after a job in the list as it was shown last; nothing where it was not there. */
export function around(id) {
  const at = seen.indexOf(id);
  return at < 0 ? null : { before: seen[at - 1], after: seen[at + 1] };
}

export function jobs(main, { query, usage, signal, kept, drawn }) {
  address = location.hash;
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  /** The cursors of the pages before this one; that of the first page is null. */
  let pages = kept?.pages ?? [null];
  let next = kept?.next ?? null;
  /** The jobs of the page, and when the newest job of the list was submitted. */
  let shown = [];
  let newest = kept?.newest ?? "";
  let loading = Promise.resolve();
  let asked = 0;
  let seenMs = 0;
  let refresh = null;
  /** How the jobs of the page are sorted by how long they took: "" as they came, else a value of `aria-sort`. */
  let sort = kept?.sort ?? "";

  const search = el("input", { id: "search", type: "search", placeholder: "Label, prompt or id", maxlength: 200, dir: "auto", value: filter.search, autocomplete: "off", on: { input: typed } });
  const status = el("div", { class: "segments", role: "group", "aria-label": "Status" },
    STATUSES.map(([value, name]) => el("button", { type: "button", "aria-pressed": String(value === filter.status), on: { click: (event) => pickStatus(event, value) } }, name)));
  const scraper = el("select", { id: "scraper", on: { change: () => change({ scraper: scraper.value }) } }, el("option", { value: "" }, "All scrapers"));
  const keys = el("select", { id: "whose", on: { change: () => change({ account: keys.value }) } },
    [["", "Own jobs"], [ALL, "All keys"], ...others(usage).map((name) => [name, `Key ${name}`])].map(([value, name]) => el("option", { value, selected: value === filter.account }, name)));
  const orders = el("select", { id: "order", title: "The order of the jobs of this page", on: { change: pickOrder } },
    ORDERS.map(([value, name]) => el("option", { value, selected: value === sort }, name)));
  const times = timeRange(change);
  const newJobs = el("button", { type: "button", class: "button new-jobs", hidden: true, on: { click: showNew } });
  const chosen = el("ul", { class: "chips", "aria-label": "Filters" });
  const actions = bulkActions(() => load({ announced: true }), () => loading.then(() => newest), signal);
  const total = el("p", { class: "quiet small", id: "total" });
  const ofBatch = el("p", { class: "quiet", id: "of-batch" });
  const list = el("div", { class: "card flush", id: "jobs", tabindex: "-1", "aria-busy": "true" }, el("p", { class: "quiet loading" }, "Loading …"));
  const older = el("button", { type: "button", class: "button", disabled: true, on: { click: goOlder } }, "Older");
  const newer = el("button", { type: "button", class: "button", disabled: true, on: { click: goNewer } }, "Newer");
  const where = el("span", { class: "quiet small", id: "where" });
  const paging = el("nav", { class: "paging", "aria-label": "Pages of the list", hidden: true }, newer, where, older);
  fill(main,
    el("div", { class: "title" }, el("h1", {}, "Jobs"), el("a", { class: "button primary", href: "#/new" }, "New prompt")),
    el("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
      el("label", { class: "out-of-sight", for: "search" }, "Search for a label, a prompt or an id"), search, status,
      el("label", { class: "out-of-sight", for: "scraper" }, "Scraper"), scraper,
      times.elements,
      el("label", { class: "out-of-sight", for: "order" }, "Order of the jobs of this page"), orders,
      usage.reads_all_jobs && [el("label", { class: "out-of-sight", for: "whose" }, "Whose jobs"), keys]),
    chosen, actions.element, total, ofBatch, newJobs, list, paging);

  drawChosen();
  if (query.get("focus") === "search") search.focus();
  scrapers().then(fillScrapers, () => {});
  live.addEventListener("overview", scheduleRefresh, { signal });
  live.addEventListener("back", () => {
    scrapers().then(fillScrapers, () => {});
    load();
  }, { signal });
  let typing = null;
  if (kept?.shown.length) {
    draw({ jobs: kept.shown, next_cursor: next });
    drawn();
  }
  load();
  return () => {
    clearTimeout(typing);
    clearTimeout(refresh);
    return { pages, next, shown, newest, sort };
  };

  function fillScrapers(all) {
    if (scraper.options.length > 1) return;
    for (const { name } of all.filter((each) => each.configured || each.name === filter.scraper)) {
      scraper.append(el("option", { value: name }, name));
    }
    scraper.value = filter.scraper;
  }

  function typed() {
    clearTimeout(typing);
    typing = setTimeout(() => {
      // Another view may be in the address already, and this one not left yet.
      if (!/^#\/jobs(\?|$)/.test(location.hash)) return;
      const text = search.value.trim();
      // An id names jobs by itself, not among those of a batch that was named before.
      change(ID.test(text) ? { search: text, batch: "" } : { search: text });
    }, TYPING_MS);
  }

  function pickStatus({ currentTarget }, value) {
    for (const button of status.children) button.setAttribute("aria-pressed", String(button === currentTarget));
    change({ status: value });
  }

  function change(changed) {
    setFilter(changed);
    load({ announced: true });
  }

  function setFilter(changed) {
    Object.assign(filter, changed);
    address = addressOf(filter);
    history.replaceState(history.state, "", address);
    pages = [null];
    newest = "";
    total.textContent = "";
    drawChosen();
  }

  /** Says how many jobs match; those that are not on the page are counted. */
  async function drawTotal(number) {
    const wanted = () => number === asked && !signal.aborted;
    const says = (text) => {
      if (wanted()) total.textContent = text;
    };
    const before = (pages.length - 1) * PAGE_JOBS + shown.length;
    if (!Object.values(filter).some(Boolean) || ID.test(filter.search)) says("");
    else if (!next) says(plural(before, "job"));
    else if (!total.textContent) {
      try {
        let count = before;
        for (let cursor = next; cursor && count < COUNT_MAX;) {
          const page = await readMatching(filter, cursor, READ_JOBS, wanted);
          if (!page) return;
          count += page.jobs.length;
          cursor = page.next_cursor;
        }
        says(count >= COUNT_MAX ? `${whole(COUNT_MAX)} jobs or more` : plural(count, "job"));
      } catch {
        says("");
      }
    }
  }

  /** The filters that have no field of their own, each with a button that takes it away. */
  function drawChosen() {
    const set = FILTERS.slice(3).filter((name) => filter[name] && name !== "account");
    keys.value = filter.account;
    times.draw(filter);
    fill(chosen, set.map((name) => el("li", { dir: "auto" }, `${words(name)}: ${readable(filter[name])} `,
      el("button", { type: "button", class: "remove", "aria-label": `Remove the filter ${words(name)}`, on: { click: () => change({ [name]: "" }) } }, "×"))));
    chosen.hidden = set.length === 0;
    actions.draw(ID.test(filter.search) ? {} : filter);
  }

  function goOlder() {
    pages.push(next);
    load({ announced: true, top: true });
  }

  function goNewer() {
    pages.pop();
    load({ announced: true, top: true });
  }

  /** Something has changed at the server: the first page may be another, soon. */
  function scheduleRefresh() {
    if (pages.length > 1 || refresh) return;
    const wait = Math.max(0, seenMs + REFRESH_MS - Date.now());
    refresh = setTimeout(() => {
      refresh = null;
      if (!document.hidden) load();
    }, wait);
  }

  /** Whether somebody is in the list, who must not find another job where this one was. */
  function reading() {
    const focused = list.contains(document.activeElement) && document.activeElement !== list;
    const selection = getSelection();
    return scrollY > 0 || focused || list.matches(":hover") || (!selection.isCollapsed && selection.containsNode(list, true));
  }

  function load(options = {}) {
    loading = reload(options);
  }

  async function reload({ announced = false, top = false }) {
    const number = ++asked;
    const wanted = () => number === asked && !signal.aborted;
    const held = () => !announced && pages.length === 1 && shown.length > 0 && reading();
    list.setAttribute("aria-busy", "true");
    try {
      const page = await read(pages.at(-1), held() ? NEW_JOBS_MAX : PAGE_JOBS, wanted);
      if (!page) return;
      seenMs = Date.now();
      if (held()) await hold(page.jobs);
      else draw(page);
      if (top) scrollTo(0, 0);
      if (announced) announce(page.jobs.length ? `${plural(page.jobs.length, "job")} on page ${pages.length}.` : "No job matches.");
      drawn();
      drawTotal(number);
    } catch (error) {
      if (!wanted()) return;
      if (!list.querySelector("table")) fill(list, el("p", { class: "error", role: "alert" }, error.message));
    } finally {
      if (number === asked) list.setAttribute("aria-busy", "false");
    }
  }

  /** A page; one of the server's may hold fewer jobs than it can, and so be followed by another. */
  async function read(cursor, jobs, wanted) {
    const id = filter.search.match(ID)?.[0];
    const named = id && (await readNamed(id, jobs, wanted));
    return named || (wanted() ? readMatching(filter, cursor, jobs, wanted) : null);
  }

  async function readMatching(matching, cursor, jobs, wanted) {
    const found = [];
    for (;;) {
      const asks = new URLSearchParams([["limit", jobs - found.length], ...parametersOf({ ...matching, cursor })]);
      const page = await json(`/jobs?${asks}`, { signal });
      if (!wanted()) return null;
      found.push(...page.jobs);
      cursor = page.next_cursor;
      if (!cursor || found.length >= jobs) return { jobs: found, next_cursor: cursor };
    }
  }

  /** The jobs of the batch, which becomes the filter, or the job that an id names; nothing where it names neither. */
  async function readNamed(id, jobs, wanted) {
    const look = (path) => json(path, { signal }).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    });
    const ofBatch = { ...filter, search: "", batch: id };
    const page = await readMatching(ofBatch, null, jobs, wanted);
    if (!page) return null;
    const job = page.jobs.length === 0 && (await look(`/jobs/${id}?fields=status`));
    if (job) return { jobs: [job], next_cursor: null };
    if (page.jobs.length === 0 && !(await look(`/batches/${id}?fields=status`))) return null;
    if (!wanted()) return null;
    setFilter(ofBatch);
    search.value = "";
    return page;
  }

  /** Brings the jobs that are shown up to date, and only counts those that are new. */
  async function hold(found) {
    const latest = new Map(found.map((job) => [job.job_id, job]));
    const known = new Set(shown.map(({ job_id }) => job_id));
    // Those that end may no longer match, and those behind many new ones are not in what was found.
    const missing = shown.filter(({ job_id, status }) => status === "pending" && !latest.has(job_id));
    await Promise.all(missing.map(async ({ job_id }) => {
      const now = await json(`/jobs/${job_id}?fields=status`, { signal }).catch(() => null);
      if (now) latest.set(job_id, now);
    }));
    if (signal.aborted) return;
    shown = shown.map((job) => latest.get(job.job_id) ?? job);
    drawTable();
    const first = found.findIndex(({ job_id }) => known.has(job_id));
    const count = first >= 0 ? first : found.filter(({ created_at }) => created_at > shown[0].created_at).length;
    if (count === 0) return;
    if (newJobs.hidden) announce("There are new jobs.");
    newJobs.textContent = count >= NEW_JOBS_MAX ? `More than ${NEW_JOBS_MAX} new jobs` : plural(count, "new job");
    newJobs.hidden = false;
  }

  async function showNew() {
    load({ announced: true, top: true });
    await loading;
    list.focus({ preventScroll: true });
  }

  function draw(page) {
    const found = page.jobs;
    next = page.next_cursor;
    shown = found;
    seen = sorted(found).map(({ job_id }) => job_id);
    if (pages.length === 1) newest = found[0]?.created_at ?? "";
    newJobs.hidden = true;
    newer.disabled = pages.length === 1;
    older.disabled = !next;
    paging.hidden = newer.disabled && older.disabled;
    where.textContent = found.length ? `Page ${pages.length}` : "";
    fill(ofBatch, filter.batch && ["Jobs of one batch. ", el("a", { href: `#/batches/${filter.batch}` }, "Show the batch")]);
    const filtered = Object.values(filter).some(Boolean);
    if (found.length === 0) fill(list, filtered ? noMatch(usage, filter) : firstStep(usage));
    else drawTable();
  }

  function drawTable() {
    const wanted = table(sorted(shown), filter, sort);
    const drawn = list.querySelector("table");
    if (drawn) morph(drawn, wanted);
    else fill(list, wanted);
  }

  function sorted(found) {
    if (!sort) return found;
    const sign = sort === "descending" ? -1 : 1;
    return [...found].sort((a, b) => sign * ((took(a) ?? -1) - (took(b) ?? -1)));
  }

  function pickOrder() {
    sort = orders.value;
    seen = sorted(shown).map(({ job_id }) => job_id);
    if (shown.length > 0) drawTable();
  }
}

/** The link back to the list, as it was left. */
export function backToList() {
  return el("a", { class: "back", href: address, on: { click } }, "← Jobs");
  function click(event) {
    const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!plain || history.state?.from !== address) return;
    // The entry of the history before this one is the list: with its scroll and its focus.
    event.preventDefault();
    history.back();
  }
}

/** A value of a filter as people read it: a whole time in their own time zone. */
const readable = (value) => (/^\d{4}-\d\d-\d\dT/.test(value) && Date.parse(value) ? fullTime(Date.parse(value)) : value);
