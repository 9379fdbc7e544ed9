// What the key has spent and has left, and what it used day by day; for an operator, what every key has spent.

import { json } from "./api.js";
import { breakable, el, fill, gauge, morph } from "./dom.js";
import { day as dayName, moment, percent, plural, short, whole } from "./format.js";
import { live } from "./live.js";

const DAYS = 30;

export function usage(main, { usage: known, signal, drawn }) {
  const body = el("div", { class: "stack" });
  fill(main, el("div", { class: "title" }, el("h1", {}, "Usage")), body);
  live.addEventListener("back", load, { signal });
  load();

  async function load() {
    try {
      known = await json(`/usage?days=${DAYS}`, { signal });
    } catch {
      return;
    }
    if (signal.aborted) return;
    morph(body, el("div", { class: "stack" }, meter(known), everyKey(known), days(known), perScraper(known)));
    drawn();
  }
}

/** The credits of the month. */
export function meter(usage) {
  const { account, monthly_credits: allowance, used, reserved, left, resets_at } = usage;
  const who = account === "anonymous" ? "All requests (no API keys set up)" : `Key: ${account}`;
  const part = allowance ? (used + reserved) / allowance : 0;
  return el("section", { class: "card", "aria-labelledby": "credits-title" },
    el("div", { class: "card-head" }, el("h2", { id: "credits-title" }, "Credits this month"), el("span", { class: "quiet small" }, who)),
    el("p", { class: "big" }, whole(used), allowance === null ? " used" : ` of ${whole(allowance)} used`),
    allowance !== null && gauge(part, `${percent(Math.min(part, 1))} used or reserved`, part > 0.9 ? "long full" : "long"),
    el("p", { class: "quiet" },
      reserved > 0 && `${plural(reserved, "credit")} reserved for jobs that have not ended. `,
      allowance === null ? "No monthly limit. " : [el("strong", { class: part > 0.9 ? "bad" : null }, `${whole(left)} left`), ". "],
      "The month ends ", moment(resets_at), " (UTC)."));
}

/** The same of every key, for an operator; nothing for other keys. */
export function everyKey({ accounts }) {
  if (!accounts) return null;
  const name = (allowance) => (allowance === null ? el("span", { class: "quiet" }, "no limit") : short(allowance));
  return table("Credits of every key", "this month, UTC", ["Key", "Used", "Reserved", "Left", "Allowance", ""], accounts.map(({ account, monthly_credits: allowance, used, reserved, left }) => {
    const part = allowance ? (used + reserved) / allowance : 0;
    const tight = allowance !== null && part > 0.9;
    return el("tr", { "data-key": account },
      el("th", { scope: "row", class: "account-name" }, breakable(account)),
      cell("Used", used),
      cell("Reserved", reserved),
      el("td", { class: "number", "data-label": "Left" }, left === null ? "–" : el("strong", { class: tight ? "bad" : null }, short(left))),
      el("td", { class: "number", "data-label": "Allowance" }, name(allowance)),
      el("td", { class: "bar-cell", "aria-hidden": "true" }, allowance !== null && gauge(part, "", tight ? "full" : "")));
  }));
}

function days({ days }) {
  const most = Math.max(1, ...days.map((day) => total(day, "credits")));
  const rows = [...days].reverse();
  if (rows.length === 0) {
    return el("section", { class: "card empty" }, el("h2", {}, "Nothing used yet"),
      el("p", {}, "Daily usage appears here after this key's first job."),
      el("a", { class: "button primary", href: "#/new" }, "Submit a prompt"));
  }
  return table("Day by day", "the last 30 days, UTC", ["Day", "Jobs", "Done", "Failed", "Cached", "Credits", ""], rows.map((day) => el("tr", { "data-key": day.date },
    el("th", { scope: "row" }, dayName(day.date)),
    FIELDS.map((field) => cell(field, total(day, field))),
    el("td", { class: "bar-cell", "aria-hidden": "true" }, gauge(total(day, "credits") / most)))));
}

function perScraper({ scrapers }) {
  const names = Object.keys(scrapers).sort((a, b) => scrapers[b].credits - scrapers[a].credits);
  if (names.length === 0) return null;
  return table("By scraper", "the last 30 days", ["Scraper", "Jobs", "Done", "Failed", "Cached", "Credits"], names.map((name) => el("tr", { "data-key": name },
    el("th", { scope: "row" }, breakable(name)),
    FIELDS.map((field) => cell(field, scrapers[name][field])))));
}

const FIELDS = ["jobs", "done", "failed", "cached", "credits"];
const cell = (field, value) => el("td", { class: "number", "data-label": field.replace(/^./, (first) => first.toUpperCase()) }, short(value));
const total = (day, field) => Object.values(day.scrapers).reduce((sum, used) => sum + used[field], 0);

function table(title, note, head, rows) {
  return el("section", { class: "card flush" },
    el("div", { class: "card-head" }, el("h2", {}, title), el("span", { class: "quiet small" }, note)),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${title}` }, el("table", { class: "rows stacked numbers" },
      el("thead", {}, el("tr", {}, head.map((name, at) => (name ? el("th", { scope: "col", class: at > 0 ? "number" : null }, name) : el("td", { class: "bar-cell" }))))),
      el("tbody", {}, rows))));
}
