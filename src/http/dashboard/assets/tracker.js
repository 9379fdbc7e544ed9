// What a tracker has measured: rates with their intervals over time, by brand and by engine, and the
// domains that answers use. All of it is from GET /reports.

import { json } from "./api.js";
import { Chart } from "./chart.js";
import { breakable, el, fill, scrolls } from "./dom.js";
import { day as dayName, percent, plural, serverNow, whole } from "./format.js";
import { live } from "./live.js";
import { tile } from "./overview_parts.js";
import { mixed } from "./sources.js";
import { trackerForm } from "./trackers.js";

const DAY_MS = 86_400_000;
/** How far back, days. */
const RANGES = [7, 30, 90];
/** With fewer answers a rate is little more than chance. */
const ANSWERS_MIN = 30;

export function tracker(main, { id: name, query, signal, drawn }) {
  let days = RANGES.find((range) => String(range) === query.get("days")) ?? 30;
  let scraper = query.get("scraper") ?? "";
  const rates = { kind: "lines", format: percent, max: 1, when: (time) => dayName(time) };
  const charts = {
    mentions: new Chart({ ...rates, title: "Mention rate", series: [{ name: "of answers name your brands", tone: "accent" }] }),
    citations: new Chart({ ...rates, title: "Citation rate", series: [{ name: "of answers that could cite you do", tone: "good" }] }),
  };
  const choice = el("select", { id: "tracker-scraper", on: { change: () => { scraper = choice.value; load(); } } });
  const ranges = el("div", { class: "segments", role: "group", "aria-label": "How far back" },
    RANGES.map((range) => el("button", { type: "button", "data-days": range, on: { click: () => { days = range; load(); } } }, `${range} days`)));
  const parts = { notes: el("div", { class: "stack" }), tiles: el("dl", { class: "tiles" }), tables: el("div", { class: "stack" }), edit: el("div", {}) };
  const lines = el("section", { class: "pair", "aria-label": "Charts" }, Object.values(charts).map((chart) => chart.figure));
  fill(main,
    el("div", { class: "title" }, el("h1", {}, breakable(name)),
      el("div", { class: "controls" }, el("a", { class: "button", href: `#/trackers/${name}/sources` }, "Sources"), el("a", { class: "button", href: `#/prompts?tracker=${name}` }, "Prompts"), el("a", { class: "button", href: `#/jobs?tracker=${name}` }, "Jobs"),
        el("label", { class: "out-of-sight", for: "tracker-scraper" }, "Engine"), choice, ranges)),
    parts.notes, parts.tiles, lines, parts.tables, parts.edit);
  live.addEventListener("back", load, { signal });
  load();
  return () => Object.values(charts).forEach((chart) => chart.close());

  async function load() {
    for (const button of ranges.children) button.setAttribute("aria-pressed", button.dataset.days === String(days));
    const since = new Date(serverNow() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
    const report = (by, all) => {
      const asked = new URLSearchParams({ tracker: name, since, by });
      if (scraper && !all) asked.set("scraper", scraper);
      return json(`/reports?${asked}`, { signal }).then(({ rows }) => rows);
    };
    try {
      const [known, [sum], byDay, brands, engines] = await Promise.all([
        json(`/trackers/${encodeURIComponent(name)}`, { signal }), report(""), report("day"), report("brand"), report("scraper", true),
      ]);
      if (!signal.aborted) draw(known, sum, byDay, brands, engines);
    } catch (refused) {
      if (signal.aborted) return;
      const missing = refused.status === 404;
      fill(parts.notes, el("div", { class: "empty" }, el("p", { role: "alert" }, missing ? `There is no tracker ${name}.` : refused.message), el("a", { class: "button", href: "#/trackers" }, "Trackers")));
      for (const part of [parts.tiles, parts.tables, parts.edit, lines]) part.hidden = missing;
    }
    drawn();
  }

  function draw(known, sum, byDay, brands, engines) {
    fill(choice, el("option", { value: "" }, "All engines"), engines.map((row) => el("option", { value: row.scraper, selected: row.scraper === scraper }, row.scraper)));
    const some = sum && sum.answers > 0;
    fill(parts.notes, notes(known, sum));
    fill(parts.tiles, some && tiles(sum));
    lines.hidden = !some;
    if (some) {
      plot(charts.mentions, byDay, "mention");
      plot(charts.citations, byDay, "citation");
    }
    fill(parts.tables, some && [
      rateTable("Brands", "Brand", brands, (row) => row.brand),
      rateTable("Engines", "Engine", engines, (row) => row.scraper),
      sources(sum),
    ]);
    fill(parts.edit, el("details", { class: "card" }, el("summary", {}, `Brands of version ${known.version}`), trackerForm(known, load)));
  }

  function plot(chart, rows, rate) {
    const of = new Map(rows.map((row) => [row.day, row]));
    const first = serverNow() - (days - 1) * DAY_MS;
    const times = Array.from({ length: days }, (_, at) => new Date(first + at * DAY_MS).toISOString().slice(0, 10));
    const list = (field) => times.map((time) => of.get(time)?.[field] ?? null);
    chart.update({ times, values: [list(`${rate}_rate`)], bands: [[list(`${rate}_low`), list(`${rate}_high`)]], now: plural(rows.length, "day"), empty: "No answers that could" });
  }
}

/** What one has to know before believing the numbers. */
function notes(known, sum) {
  const said = known.warnings.map((warning) => el("p", { class: "card" }, warning));
  if (!sum || sum.answers === 0) {
    said.push(el("section", { class: "card empty" }, el("h2", {}, "Nothing measured in this time"),
      el("p", {}, "Answers are measured when their job names the tracker: ", el("code", {}, `answerd submit chatgpt "…" --track ${known.name}`), "."),
      el("p", {}, el("a", { href: "/docs/tracking" }, "Track a brand in ten minutes"))));
    return said;
  }
  if (sum.kinds.length > 1) said.push(el("p", { class: "card" }, mixed(sum.kinds, "rates")));
  if (sum.measured < ANSWERS_MIN) said.push(el("p", { class: "card" }, `Only ${plural(sum.measured, "answer")}: see how wide the intervals are before you compare anything.`));
  return said;
}

const interval = (low, high) => (low === null ? "no answers to count" : `${percent(low)} to ${percent(high)}, 95% interval`);
const decimal = (value) => (value === null ? "–" : value.toFixed(1));

function tiles(sum) {
  return [
    tile("Answers", whole(sum.answers), sum.absent > 0 ? `${whole(sum.absent)} without an overview` : `${whole(sum.measured)} measured`),
    tile("Mention rate", percent(sum.mention_rate), interval(sum.mention_low, sum.mention_high)),
    tile("Citation rate", percent(sum.citation_rate), interval(sum.citation_low, sum.citation_high)),
    tile("Share of voice", percent(sum.share), "of all brands named"),
    tile("Mean rank", decimal(sum.mean_rank), "among the brands named"),
    tile("Searched", percent(sum.searched + sum.unsearched > 0 ? sum.searched / (sum.searched + sum.unsearched) : null), `of ${plural(sum.searched + sum.unsearched, "answer")} that say`),
  ];
}

function rateTable(title, first, rows, named) {
  const head = [first, "Answers", "Mention rate", "Interval", "Citation rate", "Interval", "Share", "Mean rank"];
  const range = (low, high) => (low === null ? "–" : `${percent(low)}–${percent(high)}`);
  return el("section", { class: "card flush" },
    el("div", { class: "card-head" }, el("h2", {}, title)),
    el("div", { class: "scroll", ...scrolls(title) }, el("table", { class: "rows stacked numbers rates" },
      el("thead", {}, el("tr", {}, head.map((name, at) => el("th", { scope: "col", class: at > 0 ? "number" : null }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", { "data-key": named(row) },
        el("th", { scope: "row", dir: "auto" }, breakable(named(row))),
        [whole(row.measured), percent(row.mention_rate), range(row.mention_low, row.mention_high), percent(row.citation_rate), range(row.citation_low, row.citation_high), percent(row.share), decimal(row.mean_rank)]
          .map((value, at) => el("td", { class: "number", "data-label": head[at + 1] }, value))))))));
}

/** The domains that answers use, and which came and went. */
function sources(sum) {
  const domains = sum.top_domains;
  const changes = sum.since_before;
  const list = (title, names) => names.length > 0 && [el("h3", {}, title), el("p", {}, names.join(", "))];
  return el("section", { class: "card flush" },
    el("div", { class: "card-head" }, el("h2", {}, "Sources"), el("span", { class: "quiet small" }, "domains by the share of answers that use them")),
    domains.length === 0
      ? el("p", { class: "empty" }, "No answer names a source.")
      : el("div", { class: "scroll", ...scrolls("Sources") }, el("table", { class: "rows stacked numbers rates" },
        el("thead", {}, el("tr", {}, ["Domain", "Answers", "Share", "Cited"].map((name, at) => el("th", { scope: "col", class: at > 0 ? "number" : null }, name)))),
        el("tbody", {}, domains.map(({ domain, answers, cited }) => el("tr", { "data-key": domain },
          el("th", { scope: "row" }, breakable(domain)),
          el("td", { class: "number", "data-label": "Answers" }, whole(answers)),
          el("td", { class: "number", "data-label": "Share" }, percent(sum.measured > 0 ? Math.min(answers / sum.measured, 1) : null)),
          el("td", { class: "number", "data-label": "Cited" }, whole(cited))))))),
    changes && el("div", { class: "changes" }, list("New since the time before", changes.new_domains), list("Gone since the time before", changes.lost_domains)));
}
