// What a job's attempts did with each upstream, as a table with a bar for each wait and call; and what
// a job that has not ended does or waits for now.

import { breakable, el, svg } from "./dom.js";
import { duration, moment, plural, serverNow, whole, words } from "./format.js";
import { badge } from "./overview_parts.js";
import { cost, tokens } from "./sources.js";

/** The least width of a bar, hundredths: what is short is still seen. */
const BAR_MIN = 1;

/** Why an upstream was not called. */
const PASSED_OVER = {
  paused: "paused after repeated failures",
  in_flight_max: "all calls of its in_flight_max were under way",
  requests_per_minute: "its requests_per_minute was used up",
  usd_per_day: "its usd_per_day was spent",
  kind: "not of the kind that was asked for",
  model: "does not allow the model",
  country: "does not serve the country",
  prompt_length: "does not take so long a prompt",
};
const OUTCOMES = { answered: ["answered", "good"], failed: ["failed", "bad"], passed_over: ["skipped", "idle"], running: ["running", "accent"] };

/** Every attempt with its waits and calls on one line of time, from the submission on; nothing where there is none. */
export function trace({ job, attempts: known }) {
  const attempts = timed(job, known);
  if (attempts.length === 0) return null;
  const total = Math.max(...attempts.map(({ end }) => end), 0.001);
  const head = ["Step", "Result", "When", "Took"];
  return el("section", { class: "card", id: "trace" },
    el("div", { class: "card-head" }, el("h2", {}, "Attempts"), el("span", { class: "quiet small" }, `${duration(total)} from the submission on`)),
    el("table", { class: "trace" },
      el("caption", { class: "out-of-sight" }, "What each attempt did with each upstream, in order"),
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col", class: name === "Took" ? "number" : null }, name)))),
      attempts.map((attempt) => body(attempt, total))));
}

/** The attempts with the seconds at which they were due, started and ended, from the submission on. */
function timed(job, known) {
  const running = known?.running;
  const all = [...(known?.attempts ?? []), ...(running ? [{ ...running, seconds: running.seconds ?? 0, runs: true }] : [])];
  const sinceCreated = (ms) => Math.max(0, (ms - Date.parse(job.created_at)) / 1000);
  let before = 0;
  return all.map((attempt) => {
    const { backoff_seconds: backoff = null, queue_seconds: queue = null, seconds, runs } = attempt;
    // Times of the API are whole seconds; the waits are exact, where they are known.
    const told = runs ? sinceCreated(serverNow()) - seconds : sinceCreated(Date.parse(attempt.started_at));
    const start = backoff === null || queue === null ? Math.max(before, told) : before + backoff + queue;
    const due = queue === null ? start : start - queue;
    const timed = { ...attempt, free: before, due, start, end: start + seconds };
    before = timed.end;
    return timed;
  });
}

function body(attempt, total) {
  const { attempt: number, runs, error_code: code, error, calls, free, due, start, seconds } = attempt;
  const [word, tone] = runs ? ["running", "accent"] : code ? ["failed", "bad"] : ["succeeded", "good"];
  const wait = (name, from, to) => to - from >= 0.001 && row(name, el("span", { class: "quiet" }, "waited"), bar(from, to - from, total, "idle"), to - from);
  return el("tbody", { "data-key": `attempt ${number}` },
    el("tr", { class: "of-attempt" }, el("th", { scope: "rowgroup", colspan: 3 }, `Attempt ${number} `, badge(word, tone), code && [" ", el("code", {}, code)], error && el("span", { class: "under small quiet" }, error)),
      el("td", { class: "number" }, duration(seconds))),
    // Of an attempt that runs only both waits together are known.
    wait(attempt.queue_seconds === undefined ? "Wait" : number === 1 ? "Held back" : "Backoff", free, due),
    wait("Queue", due, start),
    calls.map((call) => row(breakable(call.upstream), result(call), called(call, start, total), call.seconds)));
}

function row(name, says, bar, seconds) {
  return el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "of-result" }, says), el("td", { class: "of-bar" }, bar),
    el("td", { class: "number" }, seconds === null ? "–" : duration(seconds)));
}

function result(call) {
  const [word, tone] = OUTCOMES[call.outcome] ?? [call.outcome, "idle"];
  const why = call.passed_over && (PASSED_OVER[call.passed_over] ?? words(call.passed_over));
  const used = call.usage && [tokens(call), cost(call)].filter(Boolean).flatMap((text, at) => [at > 0 && " · ", text]);
  return [badge(word, tone), call.http_status && el("span", { class: "quiet small" }, ` HTTP ${call.http_status}`), call.error_code && [" ", el("code", {}, call.error_code)],
    why && el("span", { class: "under small quiet" }, why, call.wait_seconds !== null && `, for ${duration(call.wait_seconds)} more`),
    used?.length > 0 && el("span", { class: "under small quiet" }, used)];
}

function called({ outcome, after_seconds: after, seconds }, start, total) {
  if (after === null || outcome === "passed_over") return null;
  return bar(start + after, seconds ?? 0, total, OUTCOMES[outcome]?.[1] ?? "idle");
}

/** A bar from a second on, for so long; the table has it in numbers. */
function bar(from, seconds, total, tone) {
  const width = Math.max(BAR_MIN, (seconds / total) * 100);
  const x = Math.min((from / total) * 100, 100 - width);
  return svg("svg", { class: "span", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: tone, x: x.toFixed(2), width: width.toFixed(2), height: 8 }));
}

/** What a job that has not ended does or waits for, as sentences. */
export function progress({ job, attempts }) {
  const { running, waiting } = attempts ?? {};
  if (running) {
    const call = running.calls.find(({ outcome }) => outcome === "running");
    const since = running.seconds === null ? "is starting" : `has been running for ${elapsed(running.seconds)}`;
    return [`Attempt ${running.attempt} ${since}. `, call && ["It is waiting for ", breakable(call.upstream), "."]];
  }
  const why = job.phase === "waiting_retry" && job.error_code ? [" The latest reason: ", el("code", {}, job.error_code), "."] : "";
  if (waiting?.due_at) return ["The next attempt starts ", moment(waiting.due_at), ".", why];
  if (waiting) return [place(waiting), why];
  return { queued: "It waits for a worker.", running: "An attempt is running.", waiting_retry: "An attempt failed; another follows." }[job.phase] ?? "";
}

/** Seconds that are counted up, as whole ones. */
const elapsed = (seconds) => (seconds < 120 ? `${Math.floor(seconds)} s` : duration(seconds));

function place({ position, waiting, starts_in_seconds: seconds }) {
  const starts = seconds === null ? "" : seconds < 1 ? ", starts in a moment" : `, starts in about ${duration(Math.ceil(seconds))}`;
  if (position === null) return `Far back among about ${plural(waiting, "job")} that wait${starts}.`;
  return `Position ${whole(position)} of about ${whole(Math.max(position, waiting))}${starts}.`;
}
