// The domains and pages that answers of a tracker use: by share of answers, by engine, and which are new
// or gone since the time before. All of it is from GET /reports.

import { json } from "./api.js";
import { outward } from "./answer.js";
import { breakable, el, fill, scrolls } from "./dom.js";
import { percent, plural, serverNow, whole } from "./format.js";
import { live } from "./live.js";
import { badge } from "./overview_parts.js";

const DAY_MS = 86_400_000;
/** How far back, days. */
const RANGES = [7, 30, 90];
/** The most domains, and the most pages, that are listed. */
const TOP = 50;
/** The most engines that have a column. */
const ENGINES_MAX = 6;

export function trackerSources(main, { id: name, query, signal, drawn }) {
  let days = RANGES.find((range) => String(range) === query.get("days")) ?? 30;
  const ranges = el("div", { class: "segments", role: "group", "aria-label": "How far back" },
    RANGES.map((range) => el("button", { type: "button", "data-days": range, on: { click: () => { days = range; load(); } } }, `${range} days`)));
  const body = el("div", { class: "stack" });
  fill(main,
    el("a", { class: "back", href: `#/trackers/${name}` }, `← ${name}`),
    el("div", { class: "title" }, el("h1", {}, "Sources of ", breakable(name)), el("div", { class: "controls" }, ranges)),
    body);
  live.addEventListener("back", load, { signal });
  load();

  async function load() {
    for (const button of ranges.children) button.setAttribute("aria-pressed", button.dataset.days === String(days));
    const since = new Date(serverNow() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
    const report = (by) => {
      const asked = new URLSearchParams({ tracker: name, since, by, pages: "true", top: TOP });
      return json(`/reports?${asked}`, { signal }).then(({ rows }) => rows);
    };
    try {
      const [[sum], engines] = await Promise.all([report(""), report("scraper")]);
      if (!signal.aborted) draw(sum, engines);
    } catch (refused) {
      if (signal.aborted) return;
      const missing = refused.status === 404;
      fill(body, el("div", { class: "empty" }, el("p", { role: "alert" }, missing ? `There is no tracker ${name}.` : refused.message), el("a", { class: "button", href: "#/trackers" }, "Trackers")));
    }
    drawn();
  }

  function draw(sum, engines) {
    if (!sum || sum.answers === 0) {
      fill(body, el("section", { class: "card empty" }, el("h2", {}, "Nothing measured in this time"),
        el("p", {}, el("a", { href: "/docs/tracking" }, "Track a brand in ten minutes"))));
      return;
    }
    const changes = sum.since_before;
    fill(body,
      el("p", { class: "card" }, changes
        ? `Share of ${plural(sum.measured, "answer")} that use a source, cited or only consulted. New and gone are against the ${days} days before.`
        : `Share of ${plural(sum.measured, "answer")} that use a source, cited or only consulted. There was no answer in the ${days} days before, so nothing can be said to be new or gone.`),
      table("Domains", "Domain", sum, engines, "top_domains", ({ domain }) => domain, ({ domain }) => [breakable(domain)]),
      gone("Domains gone since the time before", changes?.lost_domains, (domain) => breakable(domain)),
      table("Pages", "Page", sum, engines, "top_pages", ({ url }) => url, ({ url }) => [outward(url, page(url), { dir: "auto" })]),
      gone("Pages gone since the time before", changes?.lost_pages, (url) => outward(url, page(url), { dir: "auto" })));
  }
}

/** An address without what every one begins with. */
const page = (url) => breakable(url.replace(/^https?:\/\/(www\.)?/, "")).flatMap((piece) => (typeof piece === "string" ? piece.split(/(?<=\/)/).flatMap((part, at) => (at > 0 ? [el("wbr"), part] : part)) : piece));

function table(title, first, sum, engines, list, key, shown) {
  const entries = sum[list] ?? [];
  const columns = engines.slice(0, ENGINES_MAX);
  const hidden = engines.length - columns.length;
  const uses = columns.map((row) => new Map((row[list] ?? []).map((entry) => [key(entry), entry.answers])));
  const share = (count, of) => percent(of > 0 ? Math.min(count / of, 1) : null);
  const head = [first, "Answers", "Share", "Before", "Cited", ...columns.map(({ scraper }) => scraper)];
  const before = sum.since_before?.measured;
  const row = (entry) => {
    const isNew = entry.answers_before === 0;
    const values = [
      whole(entry.answers), share(entry.answers, sum.measured), isNew ? badge("new", "good") : share(entry.answers_before, before ?? 0), share(entry.cited, sum.measured),
      // What an engine uses seldom is below the end of its own list.
      ...columns.map((engine, at) => (uses[at].has(key(entry)) ? share(uses[at].get(key(entry)), engine.measured) : uses[at].size < TOP ? "0%" : "–")),
    ];
    return el("tr", { "data-key": key(entry) }, el("th", { scope: "row" }, shown(entry)),
      values.map((value, at) => el("td", { class: "number", "data-label": head[at + 1].replaceAll("_", "_\u200b") }, value)));
  };
  return el("section", { class: "card flush" },
    el("div", { class: "card-head" }, el("h2", {}, title),
      el("span", { class: "quiet small" }, [entries.length === TOP && `the first ${TOP}`, hidden > 0 && `${plural(hidden, "more engine")} not shown`].filter(Boolean).join(", "))),
    entries.length === 0
      ? el("p", { class: "empty" }, "No answer names a source.")
      : el("div", { class: "scroll", ...scrolls(title) }, el("table", { class: "rows stacked numbers rates" },
        el("thead", {}, el("tr", {}, head.map((each, at) => el("th", { scope: "col", class: at > 0 ? "number" : null }, breakable(each))))),
        el("tbody", {}, entries.map(row)))));
}

function gone(title, names, shown) {
  if (!names || names.length === 0) return null;
  return el("section", { class: "card" }, el("h2", {}, title), el("ul", { class: "gone" }, names.map((name) => el("li", {}, shown(name)))));
}
