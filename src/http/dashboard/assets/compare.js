// The jobs of a batch side by side: what each answers, and which sites they cite.

import { ApiError, json } from "./api.js";
import { answer } from "./answer.js";
import { batchBadge, summary } from "./batches.js";
import { differences } from "./differences.js";
import { announce, breakable, copyButton, el, fill, keepingFocus, order, scrolls } from "./dom.js";
import { duration, host, plural } from "./format.js";
import { changed, read } from "./job.js";
import { statusBadge, statusOf } from "./jobs_table.js";
import { follow, live } from "./live.js";
import { from, marks, mixed, pages, searched } from "./sources.js";

/** The most jobs that are shown side by side. */
const COLUMNS_MAX = 20;

export function compare(main, { id, signal, drawn }) {
  const controls = el("div", { class: "controls" });
  const title = el("div", { class: "title" }, el("h1", {}, "Side by side"), controls);
  const counted = el("p", { class: "quiet", id: "counts" });
  const groups = el("div", { class: "stack" });
  const rest = el("p", { class: "quiet" });
  fill(main, el("a", { class: "back", href: `#/batches/${id}` }, "← Batch"), title, counted, groups, rest);
  /** Every item's card, and what is known of its job, in the order of the batch; by job, or by place where it was refused. */
  const cells = new Map();
  /** The group of every prompt; of those whose prompt is not known, under the empty one. */
  const known = new Map();
  const lookNow = follow(look, signal);
  live.addEventListener("back", load, { signal });
  load();

  async function load() {
    try {
      const batch = await json(`/batches/${id}`, { signal });
      if (signal.aborted) return;
      draw(batch);
    } catch (error) {
      if (signal.aborted || cells.size > 0) return;
      const gone = error instanceof ApiError && error.status === 404;
      fill(groups, el("div", { class: "card empty" }, el("h2", {}, gone ? "Batch not found" : "The batch could not be loaded"), el("p", {}, error.message)));
    }
  }

  function draw(batch) {
    drawHead(batch);
    fill(controls, batch.status === "pending" && el("button", { type: "button", class: "button danger", on: { click: cancel } }, "Cancel all"));
    for (const item of batch.items.slice(0, COLUMNS_MAX)) {
      const key = item.job_id ?? item.index;
      if (!cells.has(key)) cells.set(key, { item, card: item.job_id ? column(item) : refused(item), found: null });
    }
    arrange();
    const more = batch.items.length - cells.size;
    fill(rest, more > 0 && el("a", { href: `#/batches/${id}` }, `${plural(more, "more job")} of this batch`));
    // What changes between the reading and its end is seen by the look after it.
    Promise.allSettled([...cells.values()].filter(({ item }) => item.job_id).map(show)).then(() => {
      drawn();
      lookNow();
    });
  }

  function drawHead({ status, label, counts }) {
    fill(title, el("h1", {}, "Side by side"), label && el("span", { class: "label", dir: "auto" }, label), batchBadge(status, counts), controls);
    const pending = counts.pending > 0 ? `, ${plural(counts.pending, "job")} pending` : "";
    counted.textContent = `${plural(counts.items, "item")}: ${summary(counts)}${pending}`;
  }

  /** Puts every card under its prompt. */
  function arrange() {
    const members = Map.groupBy(cells.values(), ({ found }) => found?.job.prompt ?? "");
    for (const prompt of members.keys()) if (!known.has(prompt)) known.set(prompt, group(prompt));
    order(groups, [...members.keys()].map((prompt) => known.get(prompt).section));
    for (const [prompt, own] of members) order(known.get(prompt).columns, own.map(({ card }) => card));
  }

  function group(prompt) {
    const columns = el("div", { class: "columns" });
    const kinds = el("div", {});
    const sites = el("div", { class: "sites" });
    const texts = differences();
    const heading = prompt && el("div", { class: "card prompt-card" }, el("div", { class: "prompt", ...scrolls("Prompt") }, el("h2", { dir: "auto" }, prompt)));
    return { section: el("section", { class: "stack" }, heading, kinds, columns, texts.element, sites), columns, kinds, texts, sites };
  }

  async function cancel({ currentTarget }) {
    currentTarget.disabled = true;
    try {
      await json(`/batches/${id}`, { method: "DELETE" });
      announce("All unfinished jobs were canceled.");
    } catch (error) {
      announce(error.message);
    }
    load();
  }

  function refused({ error }) {
    return el("section", { class: "card column failure" }, el("h3", {}, "Refused"), el("p", {}, error.detail), el("p", { class: "small" }, el("code", {}, error.code)));
  }

  function column(item) {
    return el("section", { class: "card column", "aria-label": name(item) }, el("h3", {}, breakable(item.scraper)));
  }

  /** Something has changed at the server: perhaps a job of these. One after the other, so that few connections do. */
  async function look() {
    for (const cell of [...cells.values()].filter(({ found }) => found?.job.status === "pending")) {
      const { job } = cell.found;
      const now = await json(`/jobs/${job.job_id}?fields=status`, { signal });
      if (!changed(job, now)) continue;
      await show(cell);
      if (now.status !== "pending") announce(`${now.scraper}: ${statusOf(now)}.`);
    }
    if (!controls.hasChildNodes()) return;
    const batch = await json(`/batches/${id}`, { signal });
    drawHead(batch);
    if (batch.status !== "pending") fill(controls);
  }

  async function show(cell) {
    const { item, card } = cell;
    const found = await read(item.job_id, signal);
    if (signal.aborted) return;
    const same = JSON.stringify(found) === JSON.stringify(cell.found);
    cell.found = found;
    arrange();
    if (same) return;
    keepingFocus(card, () => fill(card, content(item, found)));
    // In the order of the columns, whichever came first.
    const { prompt } = found.job;
    const answered = [...cells.values()].filter((each) => each.found?.job.result && each.found.job.prompt === prompt);
    const done = answered.map((each) => each.found);
    known.get(prompt).texts.update(answered.map((each) => ({ id: each.item.job_id, name: name(each.item), text: each.found.job.result.result })));
    fill(known.get(prompt).kinds, mixedKinds(done));
    fill(known.get(prompt).sites, siteTable(done));
  }

  function content(item, { job, tokens }) {
    const { result } = job;
    const took = result && (result.cached ? "cached" : duration(result.elapsed_ms / 1000));
    const search = typeof result?.search?.made === "boolean" && searched(result);
    const state = result ? [result.llm_model, took, search && `search ${search}`, cited(result).says].filter(Boolean).join(" · ") : job.phase === "running" ? "Running …" : job.status === "pending" ? "Waiting …" : "";
    return [
      el("div", { class: "card-head" }, el("h3", {}, breakable(item.scraper), " ", el("span", { class: "quiet small" }, item.country)), statusBadge(job)),
      result && from(result),
      el("p", { class: "quiet small" }, state),
      job.error ? el("p", { class: "error" }, job.error) : tokens && el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Answer of ${name(item)}` }, answer(tokens, 3, marks(result))),
      el("div", { class: "buttons" }, el("a", { class: "button small", href: `#/jobs/${job.job_id}` }, "Open job"), tokens && copyButton("Copy Markdown", () => result.result_markdown)),
    ];
  }
}

/** What tells an item of a batch from the others, for who hears it. */
const name = ({ scraper, country, index }) => [scraper, country, `item ${index + 1}`].filter(Boolean).join(", ");

/** The sites that the text of a result cites, with how often; those that it may cite where that is not told. */
function cited(result) {
  const all = pages(result);
  const sure = all.filter(({ role }) => role === "cited" || role === "linked");
  const named = sure.length > 0 ? sure : all.filter(({ role }) => role === "untold");
  const sites = new Map();
  for (const { url } of named) {
    const site = host(url);
    if (site) sites.set(site, (sites.get(site) ?? 0) + 1);
  }
  return { sites, says: `${plural(sites.size, "site")} ${sure.length > 0 || named.length === 0 ? "cited" : "cited or consulted"}` };
}

/** What to know before answers of several kinds of upstreams are compared. */
function mixedKinds(all) {
  const kinds = [...new Set(all.map(({ job }) => job.result.provenance?.kind).filter(Boolean))].sort();
  return kinds.length > 1 && el("p", { class: "card" }, mixed(kinds, "answers"));
}

/** Which sites are cited by whom: those of most answers first. */
function siteTable(all) {
  if (all.length < 2) return null;
  const columns = all.map(({ job }) => ({ name: job.scraper, country: job.country, sites: cited(job.result).sites }));
  const names = [...new Set(columns.flatMap(({ sites }) => [...sites.keys()]))];
  if (names.length === 0) return null;
  const spread = (site) => columns.filter(({ sites }) => sites.has(site)).length;
  const sum = (site) => columns.reduce((pages, { sites }) => pages + (sites.get(site) ?? 0), 0);
  names.sort((a, b) => spread(b) - spread(a) || sum(b) - sum(a) || a.localeCompare(b));
  return el("section", { class: "card flush" },
    el("div", { class: "card-head" }, el("h3", {}, "Cited sites"), el("span", { class: "quiet small" }, "pages of each")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the cited sites" }, el("table", { class: "rows" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Site"), columns.map(({ name, country }) => el("th", { scope: "col", class: "number" }, breakable(name), " ", el("span", { class: "quiet" }, country))))),
      el("tbody", {}, names.slice(0, 50).map((site) => el("tr", {}, el("th", { scope: "row" }, site), columns.map(({ sites }) => el("td", { class: "number" }, sites.get(site) ?? "–"))))))));
}
