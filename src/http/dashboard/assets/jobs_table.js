// The table of jobs, and what a list without jobs says.

import { breakable, copyButton, el, scrolls } from "./dom.js";
import { duration, moment, quoted, words } from "./format.js";
import { badge } from "./overview_parts.js";
import { currentKey } from "./session.js";

/** The name of the key that is signed in with; empty where none is needed. */
export const keyOf = ({ account }) => (account === "anonymous" ? "" : account);

/** The names of the other keys, where an operator may read their jobs. */
export const others = ({ account, accounts, reads_all_jobs: all }) => (all ? accounts.map((each) => each.account).filter((name) => name !== account) : []);

/** The list of the jobs of all keys, for an operator who may read them; nothing for other keys. */
export const allKeys = ({ reads_all_jobs: all }) => all && el("a", { class: "button", href: "#/jobs?account=*" }, "Show the jobs of all keys");

/** Whose jobs a list without jobs would have, and how others are found. */
function whoseJobs({ accounts, reads_all_jobs: all }) {
  if (all) return "This list has the jobs that the key has submitted itself. The key may also read those of all other keys.";
  if (accounts) return ["This list has the jobs that the key has submitted itself. An operator's key may read those of all keys where ", el("code", {}, "operators_read_jobs"), " is set. A job of any key is found by its id: paste it into the search."];
  return "A key sees only the jobs that it has submitted itself. To see the jobs of another key, sign out and sign in with that key, or paste the id of a job into the search.";
}

/** What a list without jobs says: a key sees its own jobs, on a server that may have many. */
export function firstStep(usage) {
  const key = keyOf(usage);
  const curl = `curl -X POST ${quoted(`${location.origin}/scrapers/practice/jobs?prompt=How+long+are+results+kept%3F`)}${currentKey() ? ' -H "X-API-Key: $ANSWERD_API_KEY"' : ""}`;
  return el("div", { class: "empty" }, el("h2", {}, key ? `The key ${key} has no jobs` : "No jobs yet"),
    key && el("p", {}, whoseJobs(usage)), allKeys(usage),
    el("p", {}, `A job is one prompt for one scraper. Submit ${key ? "one" : "the first one"} here, or from a terminal:`),
    el("pre", scrolls("Command"), el("code", {}, curl)),
    el("div", { class: "buttons" }, el("a", { class: "button primary", href: "#/new" }, "Submit a prompt"), copyButton("Copy the command", () => curl)));
}

/** What a list says that is empty because of its filters. */
export function noMatch(usage, { account }) {
  const reset = el("button", { type: "button", class: "button", on: { click: () => (location.hash = "/jobs?all") } }, "Show all jobs");
  return el("div", { class: "empty" }, el("h2", {}, "No job matches"), el("p", { class: "quiet" }, keyOf(usage) && !account ? `Only jobs of the key ${keyOf(usage)} that have not expired are searched.` : "Jobs that have expired can't be found."), reset);
}

/** The address of the list with these filters. */
export function addressOf(filter) {
  const set = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  return `#/jobs${set.size ? `?${set}` : ""}`;
}

/** The parameters of the API for these filters: a canceled job has the status `failed` there. */
export function parametersOf({ status = "", ...rest }) {
  const [word, canceled] = { failed: ["failed", "false"], canceled: ["failed", "true"] }[status] ?? [status, rest.canceled];
  return Object.entries({ ...rest, status: word, canceled }).filter(([, value]) => value);
}

/** The status of a job as people read it. */
export const statusOf = ({ status, error_code: code }) => (status === "failed" && code === "canceled" ? "canceled" : status);

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
  const known = { done: "good", canceled: "idle", failed: "bad" }[statusOf(job)];
  if (known) return badge(statusOf(job), known);
  const [word, tone] = { queued: ["queued", "idle"], running: ["running", "accent"], waiting_retry: ["retrying", "warn"] }[job.phase] ?? [job.phase, "idle"];
  return badge(word, tone);
}
