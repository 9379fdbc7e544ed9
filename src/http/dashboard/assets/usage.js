// What the key has spent and has left, in credits, dollars and tokens, and what it used day by day; for an operator,
// the credits of every key.

import { json } from "./api.js";
import { Chart } from "./chart.js";
import { breakable, el, fill, gauge, morph } from "./dom.js";
import { day as dayName, dollars, moment, percent, plural, serverNow, short, whole } from "./format.js";
import { live } from "./live.js";
import { tile } from "./overview_parts.js";

const DAYS = 30;
const DAY_MS = 86_400_000;

export function usage(main, { usage: known, signal, drawn }) {
  const when = (ms) => dayName(dateOf(ms));
  const open = (ms) => (location.hash = `#/jobs?since=${dateOf(ms)}&until=${dateOf(ms)}`);
  const credits = new Chart({ title: "Credits by day", kind: "bars", series: [{ name: "credits", tone: "accent" }], format: short, when, open });
  const cost = new Chart({ title: "Cost by day", kind: "bars", series: [{ name: "cost", tone: "second" }], format: dollars, when, open });
  const charts = el("section", { class: "pair", "aria-label": "Charts", hidden: true }, credits.figure, cost.figure);
  const month = el("div", { class: "stack" });
  const body = el("div", { class: "stack" });
  fill(main, el("div", { class: "title" }, el("h1", {}, "Usage")), month, charts, body);
  live.addEventListener("back", load, { signal });
  load();
  return () => [credits, cost].forEach((chart) => chart.close());

  async function load() {
    try {
      known = await json(`/usage?days=${DAYS}`, { signal });
    } catch {
      return;
    }
    if (signal.aborted) return;
    morph(month, el("div", { class: "stack" }, meter(known), spent(known)));
    drawCharts(known.days);
    morph(body, el("div", { class: "stack" }, everyKey(known), days(known), perScraper(known), spentBy("Upstream", known.upstreams), spentBy("Label", known.labels)));
    drawn();
  }

  /** A bar for each of the last days, also for those on which nothing was used. */
  function drawCharts(used) {
    charts.hidden = used.length === 0;
    const byDate = new Map(used.map((day) => [day.date, day]));
    const today = Math.floor(serverNow() / DAY_MS) * DAY_MS;
    const times = Array.from({ length: DAYS }, (_, at) => today - (DAYS - 1 - at) * DAY_MS);
    const values = (of) => times.map((ms) => (byDate.has(dateOf(ms)) ? of(byDate.get(dateOf(ms))) : 0));
    const draw = (chart, list, says) => chart.update({ times, values: [list], now: list.some(Boolean) ? says(list.reduce((sum, value) => sum + value, 0)) : "", empty: `None in the last ${DAYS} days` });
    draw(credits, values((day) => total(day, "credits")), (sum) => `${whole(sum)} in ${DAYS} days`);
    draw(cost, values((day) => day.spent.cost_usd), (sum) => `${dollars(sum)} in ${DAYS} days`);
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

/** What the calls of upstreams have cost and taken; nothing where none is known. */
function spent({ spent: { calls, calls_without_cost: unknown, input_tokens: input, output_tokens: output, reasoning_tokens: reasoning, searches, cost_usd: usd }, usd_per_day: cap, usd_spent_today: today }) {
  if (calls === 0 && !cap) return null;
  const time = `in ${DAYS} days`;
  return el("section", { "aria-labelledby": "spent-title" },
    el("h2", { id: "spent-title", class: "out-of-sight" }, "Cost of upstream calls"),
    el("dl", { class: "tiles" },
      tile("Cost", dollars(usd), unknown > 0 ? `${time}, without ${plural(unknown, "call")} of unknown cost` : time),
      tile("Cost today", dollars(today), cap ? `of ${dollars(cap)} a day` : "UTC", { tone: cap && today >= cap * 0.9 ? "bad" : "" }),
      tile("Calls", short(calls), time),
      tile("Tokens in", short(input), time),
      tile("Tokens out", short(output), reasoning > 0 ? `${short(reasoning)} of reasoning` : time),
      tile("Searches", short(searches), time)));
}

/** The same by upstream or by label, the dearest first; nothing where none is known. */
function spentBy(kind, named) {
  const names = Object.keys(named).sort((a, b) => named[b].cost_usd - named[a].cost_usd || named[b].calls - named[a].calls);
  if (names.length === 0) return null;
  const number = (label, value) => el("td", { class: "number", "data-label": label }, value);
  return table(`By ${kind.toLowerCase()}`, `the last ${DAYS} days`, [kind, "Calls", "Tokens in", "Tokens out", "Searches", "Cost"], names.map((name) => {
    const { calls, input_tokens: input, output_tokens: output, searches, cost_usd: usd } = named[name];
    return el("tr", { "data-key": name },
      el("th", { scope: "row", dir: "auto" }, breakable(name)),
      number("Calls", short(calls)), number("Tokens in", short(input)), number("Tokens out", short(output)), number("Searches", short(searches)), number("Cost", dollars(usd)));
  }));
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
  return table("Day by day", "the last 30 days, UTC", ["Day", "Jobs", "Done", "Failed", "Cached", "Credits", "Cost", ""], rows.map((day) => el("tr", { "data-key": day.date },
    el("th", { scope: "row" }, dayName(day.date)),
    FIELDS.map((field) => cell(field, total(day, field))),
    el("td", { class: "number", "data-label": "Cost" }, dollars(day.spent.cost_usd)),
    el("td", { class: "bar-cell", "aria-hidden": "true" }, gauge(total(day, "credits") / most)))));
}

function perScraper({ scrapers }) {
  const names = Object.keys(scrapers).sort((a, b) => scrapers[b].credits - scrapers[a].credits);
  if (names.length === 0) return null;
  return table("By scraper", "the last 30 days", ["Scraper", "Jobs", "Done", "Failed", "Cached", "Credits"], names.map((name) => el("tr", { "data-key": name },
    el("th", { scope: "row" }, breakable(name)),
    FIELDS.map((field) => cell(field, scrapers[name][field])))));
}

/** The date of a day, in UTC. */
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);

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
