// One job: its answer, where it came from, what happened to it, and what can be done with it.

import { ApiError, json } from "./api.js";
import { answer } from "./answer.js";
import { announce, breakable, copyButton, el, fill, keepingFocus, scrolls } from "./dom.js";
import { duration, moment, quoted, whole, words } from "./format.js";
import { evidence, rawJson, timeline, webhook } from "./job_parts.js";
import { backToList, statusBadge } from "./jobs.js";
import { complain, follow, live } from "./live.js";
import { badge } from "./overview_parts.js";
import { currentKey } from "./session.js";
import { cost, from, lists, searched, sources, tokens } from "./sources.js";

/** How often a delivery that is under way is looked at, milliseconds. */
const WEBHOOK_MS = 2000;

export function job(main, { id, signal, drawn: settled }) {
  const title = el("div", { class: "title" }, el("h1", {}, "Job"));
  const body = el("div", {}, el("p", { class: "quiet loading" }, "Loading …"));
  fill(main, backToList(), title, body);
  live.addEventListener("back", load, { signal });
  const lookNow = follow(look, signal);
  let shown = null;
  let drawn = "";
  let again = null;
  /** Whether what is submitted again also calls the webhook of this job. */
  let withWebhook = false;
  load();
  return () => clearTimeout(again);

  async function load() {
    try {
      const found = await read(id, signal);
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
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  }

  function failed(error) {
    const gone = error instanceof ApiError && error.status === 404;
    if (!gone && body.querySelector(".job")) return;
    fill(body, el("div", { class: "card empty" }, el("h2", {}, gone ? "Job not found" : "The job could not be loaded"), el("p", {}, error.message), el("a", { class: "button", href: "#/jobs" }, "All jobs")));
  }

  /** Something has changed at the server: perhaps this job. */
  async function look() {
    if (shown?.status !== "pending") return;
    const now = await json(`/jobs/${id}?fields=status`, { signal });
    if (!changed(shown, now)) return;
    announce(`The job is now ${words(now.phase === "finished" ? now.status : now.phase)}.`);
    await load();
  }

  function draw(found) {
    const { job: now, asked } = found;
    shown = now;
    const busy = now.status === "pending";
    const cancel = busy && found.own && action("Cancel", "danger", cancelJob);
    const again = asked && action("Run again", busy ? "" : "primary", runAgain);
    fill(title, el("h1", {}, "Job"), statusBadge(now), el("div", { class: "controls" }, cancel, again,
      copyButton("Copy as curl", () => curl(now, parameters(asked)))), webhookChoice(asked));
    const { card, lead } = sources(now.result);
    document.title = `${now.prompt.slice(0, 60)} · answerd`;
    fill(body, el("div", { class: "job" },
      el("div", { class: "main-column" },
        el("section", { class: "card prompt-card" }, el("h2", {}, "Prompt"), el("p", { class: "prompt", dir: "auto", ...scrolls("Prompt") }, now.prompt),
          found.own && el("p", { class: "small" }, el("a", { href: `#/prompts/${id}` }, "Earlier answers to this prompt"))),
        result(found, lead),
        card,
        lists(now.result)),
      el("div", { class: "side-column" },
        details(now, asked),
        timeline(found),
        evidence(found),
        webhook(found, load)),
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

  function parameters(asked) {
    if (!asked || withWebhook) return asked;
    const { webhook_url, ...rest } = asked;
    return rest;
  }

  /** The same prompt once more; never from the cache, or it would bring the same answer. */
  async function runAgain() {
    const { job: now, asked } = await read(id, signal);
    const again = await json(`/scrapers/${now.scraper}/jobs`, { method: "POST", body: { ...parameters(asked), bypass_cache: true, interactive: true } });
    location.hash = `/jobs/${again.job_id}`;
  }
}

/** Whether a job is another than it was; a result does not come with events. */
export const changed = (before, now) => before?.phase !== now.phase || before?.attempts !== now.attempts;

/** All that is known of a job. What only its own key may see is missing where the key is another. */
export async function read(id, signal) {
  const own = (path) => json(`/jobs/${id}/${path}`, { signal }).catch((error) => {
    if (error instanceof ApiError && (error.status === 404 || error.status === 401)) return null;
    throw error;
  });
  const [now, attempts] = await Promise.all([json(`/jobs/${id}`, { signal }), own("attempts")]);
  const asked = attempts?.parameters;
  const [tokens, evidence, webhook] = await Promise.all([
    now.status === "done" ? json(`/md/${id}.json`, { signal }).then((answered) => answered.tokens) : null,
    attempts && own("evidence"),
    asked?.webhook_url ? own("webhook") : null,
  ]);
  return { job: now, tokens, attempts, evidence, webhook, own: Boolean(attempts), asked };
}

function result({ job: now, tokens: read }, lead) {
  if (now.status === "failed") {
    return el("section", { class: "card failure" }, el("h2", {}, now.error_code === "canceled" ? "Canceled" : "Failed"),
      el("p", {}, now.error), el("p", { class: "small" }, el("code", {}, now.error_code), " ", el("a", { href: "/docs/errors-and-retries" }, "What it means")));
  }
  if (now.status === "pending") {
    const says = { queued: "It waits for a worker.", running: "An attempt is running.", waiting_retry: "An attempt failed; another follows." }[now.phase];
    return el("section", { class: "card waiting" }, el("h2", {}, "No answer yet"), el("p", {}, says ?? "", " This page shows it when it is there."));
  }
  const markdown = () => now.result.result_markdown;
  const { search } = now.result;
  return el("section", { class: "card" },
    el("div", { class: "card-head" }, el("h2", {}, "Answer"), from(now.result), search?.asked && search.made === false && badge("no search", "warn"), copyButton("Copy Markdown", markdown)),
    answer(read, 2, lead));
}

function details(now, asked) {
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
    pair("Batch", now.batch_id && el("a", { href: `#/compare/${now.batch_id}` }, "side by side")),
    pair("Expires", moment(now.expires_at)),
    pair("Id", el("code", { class: "id" }, now.job_id))));
}

/** The command that submits the same job. */
export function curl(now, asked) {
  const body = JSON.stringify(asked ?? { prompt: now.prompt, country: now.country });
  const key = currentKey() ? ` \\\n  -H "X-API-Key: $ANSWERD_API_KEY"` : "";
  return `curl -X POST ${quoted(`${location.origin}/scrapers/${now.scraper}/jobs`)}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(body)}`;
}
