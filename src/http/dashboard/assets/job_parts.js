// The parts of one job's view that have data of their own: timeline, evidence, webhook, raw JSON.

import { json, picture, text } from "./api.js";
import { announce, copyButton, el, fill, scrolls } from "./dom.js";
import { bytes, duration, moment, plural, words } from "./format.js";
import { complain } from "./live.js";
import { badge } from "./overview_parts.js";

/** What happened to the job, in the order in which it did; its attempts have a table of their own. */
export function timeline({ job, attempts }) {
  const known = attempts?.attempts ?? [];
  const entry = (tone, what, at, more) => el("li", { class: tone }, el("span", { class: "what" }, what), el("span", { class: "quiet small" }, at), more);
  const ended = { done: ["good", "Done"], failed: ["bad", job.error_code === "canceled" ? "Canceled" : "Failed"] }[job.status];
  const missing = job.attempts - known.length - (job.phase === "running" ? 1 : 0);
  return el("section", { class: "card" }, el("h2", {}, "Timeline"), el("ol", { class: "timeline" },
    entry("", "Submitted", moment(job.created_at)),
    missing > 0 && entry("idle", `${plural(missing, "attempt")} cut off by the end of the service`, moment(job.started_at)),
    job.phase === "running" && entry("accent", `Attempt ${job.attempts} is running`, job.attempts === 1 ? ["since ", moment(job.started_at)] : ""),
    job.phase === "waiting_retry" && entry("warn", "Waits for the next attempt", job.error_code ? words(job.error_code) : ""),
    job.phase === "queued" && entry("accent", "Waits for a worker", ""),
    ended && entry(ended[0], job.result?.cached ? "Done, answered from the cache" : ended[1], moment(job.completed_at))));
}

/** What attempts at web pages have left; nothing where there is none. */
export function evidence({ evidence: found }) {
  if (!found || found.attempts.length === 0) return null;
  return el("section", { class: "card" }, el("h2", {}, "Evidence"), found.attempts.map((attempt, number) =>
    el("details", { class: "evidence", open: number === found.attempts.length - 1 },
      el("summary", {}, `Attempt ${attempt.attempt} at ${attempt.upstream}`),
      attempt.steps && el("ol", { class: "small" }, attempt.steps.map(step)),
      el("ul", { class: "plain" }, (attempt.files ?? []).map(file)))));
}

/** What was done on the page, and what came of it. */
function step({ name, took_ms, matched, alternative, note, nearest = [] }) {
  return el("li", {}, name, el("span", { class: "quiet" }, ` ${duration(took_ms / 1000)}`), note && [": ", note],
    matched && [" ", el("code", {}, matched), alternative && el("span", { class: "quiet" }, ` ${alternative}`)],
    nearest.length > 0 && el("span", { class: "quiet under" }, "near it: ", nearest.join(", ")));
}

function file({ name, type, bytes: size, path }) {
  const shown = el("div", {});
  const button = el("button", { type: "button", class: "button small", on: { click: open } }, `Show ${name}`);
  async function open() {
    button.disabled = true;
    try {
      if (type === "image/png") fill(shown, el("img", { class: "screenshot", alt: `Screenshot ${name}`, src: await picture(path) }));
      else fill(shown, el("pre", scrolls(name), await text(path)));
    } catch (error) {
      button.disabled = false;
      const said = el("p", { class: "error" });
      fill(shown, said);
      complain(said, error);
    }
  }
  return el("li", {}, button, " ", el("span", { class: "quiet small" }, bytes(size)), shown);
}

/** The state of the delivery of a webhook, which `path` sends again; nothing where there is none. */
export function webhook(path, found, reload) {
  if (!found) return null;
  const tone = { waiting: "idle", pending: "warn", delivered: "good", failed: "bad" }[found.state];
  const again = el("button", { type: "button", class: "button small", on: { click: send } }, "Send again");
  const said = el("p", { class: "error" });
  async function send() {
    again.disabled = true;
    try {
      await json(path, { method: "POST" });
      announce("The webhook is sent again.");
      await reload();
    } catch (error) {
      again.disabled = false;
      complain(said, error);
    }
  }
  return el("section", { class: "card" }, el("div", { class: "card-head" }, el("h2", {}, "Webhook"), badge(found.state, tone)),
    el("p", { class: "small url" }, found.url), found.reason && el("p", { class: "small" }, words(found.reason)),
    found.next_attempt_at && el("p", { class: "quiet small" }, "Next try ", moment(found.next_attempt_at)),
    el("ol", { class: "timeline" }, found.log.map(({ at, took_ms, status, error }) => el("li", { class: status >= 200 && status < 300 ? "good" : "bad" },
      el("span", { class: "what" }, status ? `Status ${status}` : words(error ?? "no answer")), el("span", { class: "quiet small" }, moment(at), `, took ${duration(took_ms / 1000)}`)))),
    found.state !== "waiting" && again, said);
}

/** The job object as the API gives it. */
export function rawJson(job) {
  const raw = JSON.stringify(job, null, 2);
  return el("section", { class: "card raw" }, el("details", {}, el("summary", {}, el("h2", {}, "JSON")), copyButton("Copy JSON", () => raw), el("pre", scrolls("JSON"), el("code", {}, raw))));
}
