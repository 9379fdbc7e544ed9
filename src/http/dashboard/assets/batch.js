// A batch: how far it is, its prompts by scraper and country, and what can be done with all of it.

import { ApiError, json, text } from "./api.js";
import { batchBadge, failedOf, summary } from "./batches.js";
import { ACTIONS, question, save } from "./bulk.js";
import { announce, breakable, copyButton, el, fill, gauge, keepingFocus } from "./dom.js";
import { duration, moment, plural, serverNow, whole, words } from "./format.js";
import { webhook } from "./job_parts.js";
import { statusOf } from "./jobs_table.js";
import { complain, follow, live } from "./live.js";
import { newId } from "./session.js";

/** Prompts that are drawn at once; the others by a button. */
const ROWS_STEP = 100;
const PROMPT_CHARS_SHOWN = 200;
const PAGE_JOBS = 200;
const REFUSED_SHOWN = 20;
/** The least time between two readings while jobs end, milliseconds. */
const REFRESH_MS = 1000;
/** How often a delivery that is under way is looked at, milliseconds. */
const WEBHOOK_MS = 2000;

export function batch(main, { id, signal, drawn }) {
  const title = el("div", { class: "title" }, el("h1", {}, "Batch"));
  const error = el("p", { class: "error", role: "alert" });
  const asked = el("div", { class: "bulk" });
  const status = el("section", { class: "card", "aria-label": "Progress" });
  const failures = el("div", { class: "stack" });
  const delivery = el("div", {});
  const matrix = el("section", { class: "card flush", "aria-labelledby": "matrix-title" });
  const more = el("p", { class: "paging" });
  fill(main, el("a", { class: "back", href: "#/batches" }, "← Batches"), title, asked, error, status, failures, matrix, more, delivery);
  /** The prompts by job, as far as the key may read them. */
  const prompts = new Map();
  /** The element of every item that is drawn. */
  const marks = new Map();
  let latest = null;
  /** The prompts with their items, the columns, and how many of the prompts are drawn. */
  let grid = { rows: [], columns: [] };
  let rowsShown = ROWS_STEP;
  let busy = false;
  let watch = null;
  const lookNow = follow(look, signal);
  live.addEventListener("back", load, { signal });
  load();
  return () => clearTimeout(watch);

  async function load() {
    try {
      const [found] = await Promise.all([json(`/batches/${id}`, { signal }), readPrompts()]);
      if (signal.aborted) return;
      latest = found;
      drawMatrix();
      draw();
      drawn();
      lookNow();
      readWebhook();
    } catch (failed) {
      if (signal.aborted || latest) return;
      const gone = failed instanceof ApiError && failed.status === 404;
      fill(status, el("div", { class: "empty" }, el("h2", {}, gone ? "Batch not found" : "The batch could not be loaded"),
        el("p", {}, gone ? "It has expired, or its address is incomplete." : failed.message)));
      fill(matrix);
    }
  }

  /** A batch is read with its id alone; its prompts with the key that made it. */
  async function readPrompts() {
    let cursor = "";
    do {
      const page = await json(`/jobs?batch=${id}&limit=${PAGE_JOBS}${cursor && `&cursor=${cursor}`}`, { signal });
      for (const job of page.jobs) prompts.set(job.job_id, job.prompt);
      cursor = page.next_cursor;
    } while (cursor && !signal.aborted);
  }

  /** Something has changed at the server: perhaps a job of these. */
  async function look() {
    if (!latest || latest.status !== "pending") return;
    await new Promise((done) => setTimeout(done, REFRESH_MS));
    if (signal.aborted || document.hidden) return;
    const found = await json(`/batches/${id}`, { signal });
    const ended = found.status !== "pending" && latest.status === "pending";
    latest = found;
    draw();
    if (!ended) return;
    announce(`The batch has finished: ${summary(found.counts)}.`);
    readWebhook();
  }

  /** The webhook is only shown to the key that made the batch. There are no events for deliveries. */
  async function readWebhook() {
    clearTimeout(watch);
    if (!latest.has_webhook || signal.aborted) return;
    const path = `/batches/${id}/webhook`;
    const found = await json(path, { signal }).catch(() => null);
    if (signal.aborted || !found) return;
    keepingFocus(delivery, () => fill(delivery, webhook(path, found, readWebhook)));
    if (found.state === "pending") watch = setTimeout(readWebhook, WEBHOOK_MS);
  }

  function draw() {
    const { label, counts, items } = latest;
    drawTitle(label, counts);
    fill(status, state(latest));
    for (const item of items) {
      const mark = marks.get(item.index);
      if (mark && mark.dataset.state !== statusOf(item)) show(mark, item);
    }
    fill(failures, failedCodes(id, items), refusedItems(items));
  }

  function drawTitle(label, counts) {
    const pending = latest.status === "pending";
    const failed = failedOf(counts);
    const focused = document.activeElement?.dataset?.action;
    fill(title, el("h1", { dir: "auto" }, label ? breakable(label) : "Batch"), batchBadge(latest.status, counts),
      el("div", { class: "controls" },
        failed > 0 && button("retry", ACTIONS.retry.name, () => ask("retry", failed, retry), "primary"),
        counts.canceled > 0 && button("retryCanceled", ACTIONS.retryCanceled.name, () => ask("retryCanceled", counts.canceled, retry)),
        pending && button("cancel", ACTIONS.cancel.name, () => ask("cancel", counts.pending, cancel), "danger"),
        counts.done > 0 && button("csv", "Download CSV", () => act(() => download("csv", "text/csv"))),
        counts.done > 0 && button("ndjson", "Download NDJSON", () => act(() => download("ndjson", "application/x-ndjson"))),
        el("a", { class: "button", href: `#/compare/${id}` }, "Side by side"),
        copyButton("Copy id", () => id)));
    if (focused) title.querySelector(`[data-action="${focused}"]`)?.focus({ preventScroll: true });
  }

  function button(action, name, click, tone = "") {
    return el("button", { type: "button", class: `button ${tone}`, "data-action": action, disabled: busy, on: { click } }, name);
  }

  /** Asks before something is done to all jobs of a kind. */
  function ask(action, count, run) {
    const jobs = plural(count, "job");
    const { ask: words, yes, tone } = ACTIONS[action];
    const no = () => {
      fill(asked);
      title.querySelector(`[data-action="${action}"]`)?.focus();
    };
    const go = () => {
      fill(asked);
      act(() => run(ACTIONS[action]));
    };
    question(asked, words(jobs), { yes: yes(jobs), tone, act: go, no });
  }

  async function act(run) {
    busy = true;
    error.textContent = "";
    draw();
    try {
      await run();
    } catch (failed) {
      if (!signal.aborted) complain(error, failed);
    } finally {
      busy = false;
      if (!signal.aborted && latest) draw();
    }
  }

  async function retry({ path, canceled, none }) {
    const done = await json(`${path}?batch=${id}&canceled=${canceled}`, { method: "POST", headers: { "Idempotency-Key": newId() } });
    if (done.batch_id) location.hash = `#/batches/${done.batch_id}`;
    else announce(none);
  }

  async function cancel() {
    latest = await json(`/batches/${id}`, { method: "DELETE" });
    announce("All unfinished jobs were canceled.");
  }

  async function download(format, type) {
    const rows = await text(`/results?rows=answers&batch=${id}&format=${format}`, { signal });
    save(`batch-${id.slice(0, 8)}.${format}`, rows, type);
  }

  /** Prompts as rows; scrapers and countries as columns; a mark for each sample. */
  function drawMatrix() {
    const jobs = latest.items.filter((item) => item.job_id);
    const columns = [...new Map(jobs.map((item) => [columnOf(item), item])).entries()];
    const rows = [...Map.groupBy(jobs, (item) => prompts.get(item.job_id) ?? "").entries()];
    grid = { rows, columns };
    const several = new Set(jobs.map(({ country }) => country)).size > 1;
    marks.clear();
    fill(matrix, jobs.length > 0 && [
      el("div", { class: "card-head" }, el("h2", { id: "matrix-title" }, "Answers"),
        el("span", { class: "quiet small" }, `${plural(rows.length, "prompt")}, ${plural(columns.length, several ? "scraper and country" : "scraper", several ? "scrapers and countries" : "scrapers")}`), legend()),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the answers" },
        el("table", { class: "rows matrix" },
          el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Prompt"),
            columns.map(([, { scraper, country }]) => el("th", { scope: "col" }, breakable(scraper), el("span", { class: "under" }, country))))),
          el("tbody", {}, drawnRows(0)))),
    ]);
    drawMore();
  }

  /** The rows of a step, from one on. */
  function drawnRows(from) {
    return grid.rows.slice(from, rowsShown).map(([prompt, items]) => row(prompt, items, grid.columns));
  }

  function drawMore() {
    const left = grid.rows.length - rowsShown;
    fill(more, left > 0 && el("button", { type: "button", class: "button", on: { click: showMore } }, `Show ${Math.min(left, ROWS_STEP)} more of ${plural(left, "prompt")}`));
  }

  function showMore() {
    const from = rowsShown;
    rowsShown += ROWS_STEP;
    matrix.querySelector("tbody").append(...drawnRows(from));
    drawMore();
    more.querySelector("button")?.focus();
  }

  function row(prompt, items, columns) {
    const cells = Map.groupBy(items, columnOf);
    const short = prompt.length > PROMPT_CHARS_SHOWN ? `${prompt.slice(0, PROMPT_CHARS_SHOWN)} …` : prompt;
    return el("tr", {},
      el("th", { scope: "row", dir: "auto" }, short ? el("span", { class: "clamped", title: prompt }, short) : el("span", { class: "quiet" }, "Only the key that made the batch sees its prompts.")),
      columns.map(([column]) => el("td", {}, el("span", { class: "marks" }, (cells.get(column) ?? []).map(markOf)))));
  }

  function markOf(item) {
    const mark = el("a", { class: "job-mark", href: `#/jobs/${item.job_id}` });
    show(mark, item);
    marks.set(item.index, mark);
    return mark;
  }
}

const columnOf = ({ scraper, country }) => `${scraper} ${country}`;

function show(mark, item) {
  const state = statusOf(item);
  const says = `${item.scraper}, ${item.country}: ${state}${item.error_code && state !== "canceled" ? `, ${words(item.error_code)}` : ""}`;
  mark.dataset.state = state;
  mark.title = says;
  mark.setAttribute("aria-label", says);
  mark.textContent = { done: "✓", failed: "✕", canceled: "–", pending: "…" }[state];
}

const legend = () => el("ul", { class: "legend" }, [["done", "✓"], ["failed", "✕"], ["canceled", "–"], ["pending", "…"]].map(([state, sign]) =>
  el("li", {}, el("span", { class: "job-mark", "data-state": state, "aria-hidden": "true" }, sign), ` ${state}`)));

function state({ status, counts, credits_used: credits, created_at: created, completed_at: completed, expires_at: expires }) {
  const ended = counts.items - counts.pending;
  const part = counts.items > 0 ? ended / counts.items : 1;
  const seconds = ((completed ? Date.parse(completed) : serverNow()) - Date.parse(created)) / 1000;
  // What the jobs that have ended took on the whole, for those that have not.
  const own = ended - counts.refused;
  const left = status === "pending" && own > 0 ? `, about ${duration((seconds / own) * counts.pending)} left` : "";
  return [
    el("p", {}, el("strong", {}, `${whole(ended)} of ${plural(counts.items, "item")} ended`), `: ${summary(counts)}${left}`),
    gauge(part, `${Math.floor(part * 100)}%`, "long"),
    el("p", { class: "quiet small" }, "Submitted ", moment(created), completed ? [", finished after ", seconds < 1 ? "less than 1 s" : duration(seconds)] : "", ". The answers expire ", moment(expires), ". ", `${plural(credits, "credit")} used.`),
  ];
}

/** Why jobs failed, each reason with how often and a way to them. */
function failedCodes(batch, items) {
  const failed = items.filter((item) => statusOf(item) === "failed");
  if (failed.length === 0) return null;
  const codes = [...Map.groupBy(failed, ({ error_code: code }) => code).entries()].sort(([, a], [, b]) => b.length - a.length);
  return el("section", { class: "card failure", "aria-labelledby": "failed-title" }, el("h2", { id: "failed-title" }, "Why jobs failed"),
    el("ul", { class: "plain" }, codes.map(([code, all]) => el("li", {}, `${whole(all.length)} × `, el("a", { href: `#/jobs?batch=${batch}&error_code=${code}` }, words(code)),
      el("span", { class: "quiet" }, ` ${[...new Set(all.map(({ scraper }) => scraper))].join(", ")}`)))));
}

function refusedItems(items) {
  const refused = items.filter(({ error }) => error);
  if (refused.length === 0) return null;
  return el("section", { class: "card failure", "aria-labelledby": "refused-title" }, el("h2", { id: "refused-title" }, `${plural(refused.length, "item")} refused`),
    el("ul", { class: "plain" }, refused.slice(0, REFUSED_SHOWN).map(({ index, error }) => el("li", {}, `Item ${index + 1}: `, error.detail, " ", el("code", {}, error.code)))),
    refused.length > REFUSED_SHOWN && el("p", { class: "quiet small" }, `and ${whole(refused.length - REFUSED_SHOWN)} more`));
}
