// The table of jobs, and what a list without jobs says.

import { breakable, copyButton, el, scrolls } from "./dom.js";
import { duration, moment, quoted, words } from "./format.js";
import { badge } from "./overview_parts.js";
import { currentKey } from "./session.js";

/** The name of the key that is signed in with; empty where none is needed. */
export const keyOf = ({ account }) => (account === "anonymous" ? "" : account);

/** What a list without jobs says: a key sees its own jobs, on a server that may have many. */
export function firstStep(usage) {
  const key = keyOf(usage);
  const curl = `curl -X POST ${quoted(`${location.origin}/scrapers/practice/jobs?prompt=How+long+are+results+kept%3F`)}${currentKey() ? ' -H "X-API-Key: $ANSWERD_API_KEY"' : ""}`;
  return el("div", { class: "empty" }, el("h2", {}, key ? `The key ${key} has no jobs` : "No jobs yet"),
    key && el("p", {}, usage.accounts ? "An operator's key sees the credits of all keys, but only the jobs that it has submitted itself, unless the settings allow it to read those of all keys. " : "A key sees only the jobs that it has submitted itself. ",
      "To see the jobs of another key, sign out and sign in with that key, or paste the id of a job into the search."),
    el("p", {}, `A job is one prompt for one scraper. Submit ${key ? "one" : "the first one"} here, or from a terminal:`),
    el("pre", scrolls("Command"), el("code", {}, curl)),
    el("div", { class: "buttons" }, el("a", { class: "button primary", href: "#/new" }, "Submit a prompt"), copyButton("Copy the command", () => curl)));
}

/** The address of the list with these filters. */
export function addressOf(filter) {
  const set = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  return `#/jobs${set.size ? `?${set}` : ""}`;
}

/** Jobs as a table, in an order of the caller's; `sort` is the direction in which they are sorted by "Took". */
export function table(found, filter, sort) {
  const head = ["Status", "Prompt", "Scraper", "Country", "Took", "Submitted"];
  const arrow = { descending: " ↓", ascending: " ↑" }[sort] ?? "";
  const column = (name) => (name === "Took" ? el("th", { scope: "col", class: "number", "aria-sort": sort || null }, `Took${arrow}`) : el("th", { scope: "col" }, name));
  return el("table", { class: "rows jobs" },
    el("caption", { class: "out-of-sight" }, `Jobs, ${sort ? "sorted by how long they took" : "newest first"}`),
    el("thead", {}, el("tr", {}, head.map(column))),
    el("tbody", {}, found.map((job) => row(job, (name) => addressOf({ ...filter, [name]: job[name] })))));
}

/** How long a job took from its submission to its end, seconds; null before that. */
export const took = (job) => job.seconds ?? (job.completed_at ? (Date.parse(job.completed_at) - Date.parse(job.created_at)) / 1000 : null);

/** A row; `narrowed(name)` is the address of the list that has this job's value of a filter too. */
function row(job, narrowed) {
  const value = (name, text, attributes) => el("a", { class: "value", href: narrowed(name), ...attributes }, text);
  return el("tr", { "data-key": job.job_id },
    el("td", { class: "of-status" }, statusBadge(job)),
    el("th", { scope: "row", class: "of-prompt" },
      el("a", { href: `#/jobs/${job.job_id}`, "data-step": "", dir: "auto" }, job.prompt.slice(0, 300)),
      job.label && value("label", job.label, { class: "value label", dir: "auto" }),
      job.error_code && value("error_code", words(job.error_code), { class: "value small" })),
    el("td", { class: "of-scraper" }, job.account && value("account", `Key ${job.account}`, { class: "value small under account-name" }), value("scraper", breakable(job.scraper))),
    el("td", { class: "of-country" }, value("country", job.country)),
    el("td", { class: "number of-took" }, job.seconds === undefined && took(job) === 0 ? "< 1 s" : duration(took(job)), job.attempts > 1 && el("span", { class: "quiet small under" }, `${job.attempts} attempts`)),
    el("td", { class: "of-submitted" }, moment(job.created_at)));
}

/** How a job stands, in a word with a color. */
export function statusBadge(job) {
  if (job.status === "done") return badge("done", "good");
  if (job.error_code === "canceled" && job.status === "failed") return badge("canceled", "idle");
  if (job.status === "failed") return badge("failed", "bad");
  const [word, tone] = { queued: ["queued", "idle"], running: ["running", "accent"], waiting_retry: ["retrying", "warn"] }[job.phase] ?? [job.phase, "idle"];
  return badge(word, tone);
}
