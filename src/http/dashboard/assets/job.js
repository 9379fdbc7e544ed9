// One job: its answer, where it came from, what happened to it, and what can be done with it.

import { ApiError, json } from "./api.js";
import { answer } from "./answer.js";
import { announce, breakable, copyButton, el, fill, keepingFocus, morph, scrolls } from "./dom.js";
import { duration, moment, plural, quoted, whole, words } from "./format.js";
import { evidence, rawJson, timeline, webhook } from "./job_parts.js";
import { around, backToList } from "./jobs.js";
import { statusBadge, statusOf } from "./jobs_table.js";
import { complain, follow, live, scrapers } from "./live.js";
import { badge, meaning } from "./overview_parts.js";
import { currentKey } from "./session.js";
import { cost, from, lists, searched, sources, tokens } from "./sources.js";
import { progress, trace } from "./trace.js";

/** How often a delivery that is under way is looked at, milliseconds. */
const WEBHOOK_MS = 2000;
/** How often a pending job's attempts and its place in the queue are looked at, milliseconds. */
const PROGRESS_MS = 1000;
/** The longest prompt that the heading has room for, characters: a longer one has a card of its own. */
const HEADING_CHARS_MAX = 140;

export function job(main, { id, usage, signal, drawn: settled }) {
  const title = el("div", { class: "title of-job" }, el("h1", {}, "Job"));
  const steps = el("nav", { class: "steps", "aria-label": "Jobs beside this one" }, backToList());
  const body = el("div", {}, el("p", { class: "quiet loading" }, "Loading …"));
  fill(main, steps, title, body);
  live.addEventListener("back", load, { signal });
  const lookNow = follow(look, signal);
  let shown = null;
  let drawn = "";
  let again = null;
  let watch = null;
  /** Whether what is submitted again also calls the webhook of this job. */
  let withWebhook = false;
  /** The scrapers with their prices. */
  let known = [];
  load();
  return () => {
    clearTimeout(again);
    clearTimeout(watch);
  };

  async function load() {
    try {
      const [found, all] = await Promise.all([read(id, signal, usage), scrapers().catch(() => [])]);
      known = all;
      if (signal.aborted) return;
      const text = JSON.stringify(found);
      // What somebody reads, has selected or has opened stays as it is unless it is another.
      if (text !== drawn) keepingFocus(main, () => draw(found));
      drawn = text;
      settled();
      // What has changed between the reading and now.
      if (found.job.status === "pending") lookNow();
      // There are no events for deliveries.
      clearTimeout(again);
      if (found.webhook?.state === "pending") again = setTimeout(load, WEBHOOK_MS);
      watchProgress(found);
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  }

  function failed(error) {
    const gone = error instanceof ApiError && error.status === 404;
    if (!gone && body.querySelector(".job")) return;
    fill(body, el("div", { class: "card empty" }, el("h2", {}, gone ? "Job not found" : "The job could not be loaded"), el("p", {}, error.message), el("a", { class: "button", href: "#/jobs" }, "All jobs")));
  }

  /** Keeps what a pending job does or waits for up to date: there are no events for that. */
  function watchProgress(found) {
    clearTimeout(watch);
    if (found.job.status !== "pending" || !found.attempts) return;
    watch = setTimeout(async () => {
      const attempts = document.hidden ? found.attempts : await json(`/jobs/${id}/attempts`, { signal }).catch(() => found.attempts);
      if (signal.aborted || shown !== found.job) return;
      if (!attempts.running && !attempts.waiting) return void load();
      const now = { ...found, attempts };
      const [said, known] = [body.querySelector("#progress"), body.querySelector("#trace")];
      if (said) morph(said, progressLine(now));
      const table = trace(now);
      if (known && table) morph(known, table);
      else if (table) body.querySelector("#traces")?.append(table);
      watchProgress(now);
    }, PROGRESS_MS);
  }

  /** Something has changed at the server: perhaps this job. */
  async function look() {
    if (shown?.status !== "pending") return;
    const now = await json(`/jobs/${id}?fields=status`, { signal });
    if (!changed(shown, now)) return;
    announce(`The job is now ${words(now.phase === "finished" ? statusOf(now) : now.phase)}.`);
    await load();
  }

  function draw(found) {
    const { job: now, asked } = found;
    shown = now;
    const busy = now.status === "pending";
    const cancel = busy && found.own && action("Cancel", "danger", cancelJob);
    const edit = el("a", { class: `button ${busy ? "" : "primary"}`, href: `#/new?from=${id}` }, "Edit and run");
    const again = asked && action("Run again", "", runAgain);
    const fits = now.prompt.length <= HEADING_CHARS_MAX && !now.prompt.includes("\n");
    fill(steps, backToList(), beside(found));
    fill(title, el("h1", { dir: "auto" }, fits ? now.prompt : `${now.prompt.slice(0, HEADING_CHARS_MAX)} …`), statusBadge(now), el("div", { class: "controls" }, cancel, edit, again,
      copyButton("Copy as curl", () => curl(now, parameters(asked)))), webhookChoice(asked), asked && price(now));
    const { card, lead } = sources(now.result);
    document.title = `${now.prompt.slice(0, 60)} · answerd`;
    fill(body, el("div", { class: "job" },
      el("div", { class: "main-column" },
        !fits && el("section", { class: "card prompt-card" }, el("h2", {}, "Prompt"), el("p", { class: "prompt", dir: "auto", ...scrolls("Prompt") }, now.prompt)),
        result(found, lead),
        el("div", { id: "traces" }, trace(found)),
        card,
        lists(now.result)),
      el("div", { class: "side-column" },
        details(found),
        timeline(found),
        evidence(found),
        webhook(`/jobs/${id}/webhook`, found.webhook, load)),
      rawJson(now)));
  }

  function action(name, kind, run) {
    const button = el("button", { type: "button", class: `button ${kind}`, on: { click: once } }, name);
    async function once() {
      button.disabled = true;
      try {
        await run();
      } catch (error) {
        if (signal.aborted) return;
        announce(error.message);
        title.querySelector(".error")?.remove();
        const said = el("p", { class: "error" });
        title.append(said);
        complain(said, error);
        button.disabled = false;
      }
    }
    return button;
  }

  async function cancelJob() {
    await json(`/jobs/${id}`, { method: "DELETE" });
    announce("The job was canceled.");
    await load();
  }

  /** What is submitted again would call a webhook that may be in production: only where that is asked for. */
  function webhookChoice(asked) {
    if (!asked?.webhook_url) return null;
    const box = el("input", { type: "checkbox", checked: withWebhook, on: { change: () => (withWebhook = box.checked) } });
    return el("label", { class: "check small webhook-choice" }, box,
      el("span", {}, "Run again and Copy as curl also call the webhook ", el("span", { class: "quiet" }, asked.webhook_url)));
  }

  /** What one more job like this one costs, before it is submitted. */
  function price({ scraper }) {
    const credits = known.find(({ name }) => name === scraper)?.credits;
    return credits !== undefined && el("p", { class: "quiet small price" }, `Run again costs at most ${plural(credits, "credit")}.`);
  }

  function parameters(asked) {
    if (!asked || withWebhook) return asked;
    const { webhook_url, ...rest } = asked;
    return rest;
  }

  /** The same prompt once more; never from the cache, or it would bring the same answer. */
  async function runAgain() {
    const { job: now, asked } = await read(id, signal, usage);
    const again = await json(`/scrapers/${now.scraper}/jobs`, { method: "POST", body: { ...parameters(asked), bypass_cache: true, interactive: true } });
    location.hash = `/jobs/${again.job_id}`;
  }
}

/** Whether a job is another than it was; a result does not come with events. */
export const changed = (before, now) => before?.phase !== now.phase || before?.attempts !== now.attempts;

/** The jobs before and after this one in the list as it was seen last, else in its batch. */
function beside({ job: { job_id: id }, items }) {
  const ids = items?.map((item) => item.job_id).filter(Boolean) ?? [];
  const at = ids.indexOf(id);
  const { before, after } = around(id) ?? { before: ids[at - 1], after: at < 0 ? null : ids[at + 1] };
  const step = (to, name, key) => to && el("a", { class: "small", href: `#/jobs/${to}`, rel: key }, name);
  return [step(before, "Previous job", "prev"), step(after, "Next job", "next")];
}

/** The items of batches that were looked at, by id: they never change their jobs. */
const batches = new Map();

/** The items of a batch; nothing where they cannot be read. */
async function itemsOf(id, signal) {
  if (!batches.has(id)) {
    const batch = await json(`/batches/${id}`, { signal }).catch(() => null);
    batches.clear();
    batches.set(id, batch?.items ?? null);
  }
  return batches.get(id);
}

/** All that is known of a job. What only its own key may see is missing where the key is another. */
export async function read(id, signal, usage) {
  const own = (path) => json(`/jobs/${id}/${path}`, { signal }).catch((error) => {
    if (error instanceof ApiError && (error.status === 404 || error.status === 401)) return null;
    throw error;
  });
  const [now, attempts] = await Promise.all([json(`/jobs/${id}`, { signal }), own("attempts")]);
  const asked = attempts?.parameters;
  const [tokens, evidence, webhook, items] = await Promise.all([
    now.status === "done" ? json(`/md/${id}.json`, { signal }).then((answered) => answered.tokens) : null,
    attempts && own("evidence"),
    asked?.webhook_url ? own("webhook") : null,
    attempts && now.batch_id ? itemsOf(now.batch_id, signal) : null,
  ]);
  return { job: now, tokens, attempts, evidence, webhook, items, own: attempts?.account === usage?.account, asked };
}

const progressLine = (found) => el("p", { id: "progress" }, progress(found));

function result(found, lead) {
  const { job: now, tokens: read } = found;
  if (now.status === "failed") {
    return el("section", { class: "card failure" }, el("h2", {}, now.error_code === "canceled" ? "Canceled" : "Failed"),
      el("p", {}, now.error), el("p", { class: "small" }, el("code", {}, now.error_code), " ", el("a", { href: meaning(now.error_code) }, "What it means")));
  }
  if (now.status === "pending") {
    return el("section", { class: "card waiting" }, el("h2", {}, "No answer yet"), progressLine(found), el("p", { class: "quiet small" }, "This page shows the answer when it is there."));
  }
  const markdown = () => now.result.result_markdown;
  const { search } = now.result;
  return el("section", { class: "card" },
    el("div", { class: "card-head" }, el("h2", {}, "Answer"), from(now.result), search?.asked && search.made === false && badge("no search", "warn"), copyButton("Copy Markdown", markdown)),
    answer(read, 2, lead));
}

/** The place of a job in its batch, with links to both forms of that. */
function ofBatch({ job: { job_id: id, batch_id: batch }, items }) {
  const at = items?.findIndex((item) => item.job_id === id) ?? -1;
  const place = at < 0 ? "the batch" : `${whole(at + 1)} of ${whole(items.length)}`;
  return [el("a", { href: `#/batches/${batch}` }, place), ", ", el("a", { href: `#/compare/${batch}` }, "side by side")];
}

function details(read) {
  const { job: now, asked, own } = read;
  const { result: found } = now;
  const pair = (name, value) => (value || value === 0) && [el("dt", {}, name), el("dd", {}, value)];
  const provenance = found?.provenance;
  // Of all attempts where that is known; failed ones are paid for too.
  const spent = now.usage ? now : found ?? {};
  return el("section", { class: "card" }, el("h2", {}, "Details"), el("dl", { class: "details" },
    pair("Scraper", breakable(now.scraper)),
    pair("Upstream", provenance && [breakable(provenance.upstream), ` (${provenance.kind})`]),
    pair("Model", found?.llm_model),
    pair("Country", now.country),
    pair("Key", read.attempts && !own && read.attempts.account),
    pair("Label", now.label && el("span", { dir: "auto" }, now.label)),
    pair("Attempts", whole(now.attempts)),
    pair("Attempt took", found && !found.cached && duration(found.elapsed_ms / 1000)),
    pair("Search", found && searched(found)),
    pair("Tokens", tokens(spent)),
    pair("Cost", cost(spent)),
    pair("Credits", found && whole(found.credits_used)),
    pair("Cached", found?.cached && ["yes, from ", moment(found.cached_at)]),
    pair("Web search", asked && !asked.web_search && "off"),
    pair("Mode", asked?.mode),
    pair("Timeout", asked && duration(asked.timeout)),
    pair("Batch", now.batch_id && ofBatch(read)),
    pair("History", own && el("a", { href: `#/prompts/${now.job_id}` }, "Earlier answers to this prompt")),
    pair("Expires", moment(now.expires_at)),
    pair("Id", [el("code", { class: "id" }, now.job_id), " ", copyButton("Copy id", () => now.job_id)])));
}

/** The command that submits the same job. */
export function curl(now, asked) {
  const body = JSON.stringify(asked ?? { prompt: now.prompt, country: now.country });
  const key = currentKey() ? ` \\\n  -H "X-API-Key: $ANSWERD_API_KEY"` : "";
  return `curl -X POST ${quoted(`${location.origin}/scrapers/${now.scraper}/jobs`)}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(body)}`;
}
