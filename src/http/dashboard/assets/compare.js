// The jobs of a batch side by side: what each answers, and which sites they cite.

import { Refusal, json } from "./api.js";
import { answer } from "./answer.js";
import { announce, copyButton, el, fill } from "./dom.js";
import { duration, host, plural } from "./format.js";
import { changed, read } from "./job.js";
import { statusBadge } from "./jobs.js";
import { follow, live } from "./live.js";

/** The most jobs that are shown side by side. */
const COLUMNS_MAX = 20;
const CITING = ["sources", "citations", "web_sources", "search_results", "links"];

export function compare(main, { id, signal }) {
  const controls = el("div", { class: "controls" });
  const question = el("div", {});
  const columns = el("div", { class: "columns" });
  const rest = el("p", { class: "quiet" });
  const sites = el("div", { class: "sites" });
  fill(main, el("a", { class: "back", href: "#/new" }, "← New prompt"), el("div", { class: "title" }, el("h1", {}, "Side by side"), controls), question, columns, rest, sites);
  /** What is known of each job, by its id. */
  const found = new Map();
  const lookNow = follow(look, signal);
  live.addEventListener("back", load, { signal });
  load();

  async function load() {
    try {
      const batch = await json(`/batches/${id}`, { signal });
      if (signal.aborted) return;
      draw(batch);
    } catch (error) {
      if (signal.aborted || columns.children.length > 0) return;
      const gone = error instanceof Refusal && error.status === 404;
      fill(columns, el("div", { class: "card empty" }, el("h2", {}, gone ? "This comparison is not there" : "It could not be loaded"), el("p", {}, error.message)));
    }
  }

  function draw(batch) {
    const items = batch.items.slice(0, COLUMNS_MAX);
    const pending = batch.status === "pending";
    fill(controls, pending && el("button", { type: "button", class: "button danger", on: { click: cancel } }, "Cancel all"));
    const more = batch.items.length - items.length;
    fill(columns, items.map((item) => (item.job_id ? column(item) : refused(item))));
    fill(rest, more > 0 && `${plural(more, "more job")} of this batch are in the list of jobs.`);
    // What changes between the reading and its end is seen by the look after it.
    Promise.allSettled(items.filter(({ job_id }) => job_id).map(show)).then(lookNow);
  }

  async function cancel({ currentTarget }) {
    currentTarget.disabled = true;
    try {
      await json(`/batches/${id}`, { method: "DELETE" });
      announce("All that had not ended was canceled.");
    } catch (error) {
      announce(error.message);
    }
    load();
  }

  function refused({ error }) {
    return el("section", { class: "card column failure" }, el("h2", {}, "Refused"), el("p", {}, error.detail), el("p", { class: "small" }, el("code", {}, error.code)));
  }

  function column(item) {
    return el("section", { class: "card column", "aria-label": item.scraper, "data-job": item.job_id }, el("h2", {}, item.scraper));
  }

  /** Something has changed at the server: perhaps a job of these. One after the other, so that few connections do. */
  async function look() {
    for (const { job } of [...found.values()].filter((known) => known.job.status === "pending")) {
      const now = await json(`/jobs/${job.job_id}?fields=status`, { signal });
      if (!changed(job, now)) continue;
      await show(now);
      if (now.status !== "pending") announce(`${now.scraper}: ${now.status}.`);
    }
  }

  async function show(item) {
    const known = await read(item.job_id, signal);
    const card = columns.querySelector(`[data-job="${item.job_id}"]`);
    if (signal.aborted || !card) return;
    found.set(item.job_id, known);
    const { job, tokens } = known;
    fill(question, el("section", { class: "card prompt-card" }, el("p", { class: "prompt", tabindex: "0" }, job.prompt)));
    fill(card,
      el("div", { class: "card-head" }, el("h2", {}, item.scraper, " ", el("span", { class: "quiet small" }, item.country)), statusBadge(job)),
      el("p", { class: "quiet small" }, job.result ? [job.result.llm_model, job.result.llm_model && " · ", duration(job.result.elapsed_ms / 1000), job.result.cached && " · cached", ` · ${plural(cited(job.result).size, "site")} cited`] : job.phase === "running" ? "Running …" : job.status === "pending" ? "Waiting …" : ""),
      job.error ? el("p", { class: "error" }, job.error) : tokens && el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Answer of ${item.scraper}` }, answer(tokens)),
      el("div", { class: "buttons" }, el("a", { class: "button small", href: `#/jobs/${job.job_id}` }, "Whole job"), tokens && copyButton("Copy Markdown", () => job.result.result_markdown)));
    if (job.status !== "pending") ended();
    // In the order of the columns, whichever came first.
    const inOrder = [...columns.querySelectorAll("[data-job]")].map(({ dataset }) => found.get(dataset.job));
    fill(sites, siteTable(inOrder.filter((each) => each?.job.result)));
  }

  function ended() {
    const open = [...found.values()].some(({ job }) => job.status === "pending");
    if (!open) fill(controls);
  }
}

/** The sites that a result names, with how often. */
function cited(result) {
  const sites = new Map();
  const pages = new Set(CITING.flatMap((name) => (result[name] ?? []).map(({ url }) => url)));
  for (const page of pages) {
    const site = host(page);
    if (site) sites.set(site, (sites.get(site) ?? 0) + 1);
  }
  return sites;
}

/** Which sites are cited by whom: those of most answers first. */
function siteTable(all) {
  if (all.length < 2) return null;
  const columns = all.map(({ job }) => ({ name: job.scraper, sites: cited(job.result) }));
  const names = [...new Set(columns.flatMap(({ sites }) => [...sites.keys()]))];
  if (names.length === 0) return null;
  const spread = (site) => columns.filter(({ sites }) => sites.has(site)).length;
  const sum = (site) => columns.reduce((pages, { sites }) => pages + (sites.get(site) ?? 0), 0);
  names.sort((a, b) => spread(b) - spread(a) || sum(b) - sum(a) || a.localeCompare(b));
  return el("section", { class: "card flush" },
    el("div", { class: "card-head" }, el("h2", {}, "Cited sites"), el("span", { class: "quiet small" }, "pages of each")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the cited sites" }, el("table", { class: "rows" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Site"), columns.map(({ name }) => el("th", { scope: "col", class: "number" }, name)))),
      el("tbody", {}, names.slice(0, 50).map((site) => el("tr", {}, el("th", { scope: "row" }, site), columns.map(({ sites }) => el("td", { class: "number" }, sites.get(site) ?? "–"))))))));
}
