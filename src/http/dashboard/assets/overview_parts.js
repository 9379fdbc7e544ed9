// The parts of the overview that are tables and lists: rebuilt at every event, without listeners.

import { breakable, el, gauge } from "./dom.js";
import { duration, moment, percent, plural, short, words } from "./format.js";

/** Attempts of the last hour from which on their failing says something: more than two jobs make with their retries. */
const TELLING_ATTEMPTS = 9;

/** Whether most attempts of the last hour failed. */
const failing = ({ attempts, success_rate }) => attempts >= TELLING_ATTEMPTS && success_rate < 0.5;

/** A number with its name; `href` leads to what it counts. */
export function tile(name, value, more, { tone = "", href } = {}) {
  const shown = href ? el("a", { class: `whole-tile ${tone}`, href, "aria-label": `${name}: ${value}. Show these jobs` }, value) : value;
  return el("div", { class: "card tile" }, el("dt", {}, name), el("dd", { class: `value ${tone}` }, shown), el("dd", { class: "quiet small" }, more));
}

/** A word with a color that says how it is meant. */
export const badge = (text, tone) => el("span", { class: `badge ${tone}` }, text);

/** Where the guide explains an error code. */
export const meaning = (code) => `/docs/errors-and-retries#${code}`;

const codeLink = (code) => el("a", { href: meaning(code), title: "What it means" }, el("code", {}, code));

/**
 * What is wrong now, each with its reason and where to read on; nothing where all is well. `failed` counts the jobs
 * of a scraper that have failed, and `jobsOf` gives the address of a list.
 */
export function problems(now, known, { failed, jobsOf }) {
  const found = [];
  /** A sentence that leads to the failed jobs of a scraper; to all where another upstream has answered them. */
  const ofJobs = (scraper, says) => el("a", { href: jobsOf(failed(scraper) > 0 ? { scraper, status: "failed" } : { scraper }) }, says);
  const answered = (scraper) => failed(scraper) === 0 && " No job of the last day has failed.";
  for (const scraper of now) {
    for (const upstream of scraper.upstreams) {
      if (upstream.breaker !== "open" && upstream.breaker !== "half_open") continue;
      found.push(el("li", { "data-key": `${scraper.name} ${upstream.name}` }, ofJobs(scraper.name, `${scraper.name}: ${upstream.name} is paused after repeated failures`),
        upstream.last_error ? [". ", upstream.last_error.error, " (", codeLink(upstream.last_error.code), ", ", moment(upstream.last_error.at), ")."] : ".",
        upstream.breaker === "half_open" ? " One request tries it now." : upstream.probe_in_seconds ? ` Next attempt in ${upstream.probe_in_seconds} s.` : " The next request tries it.", answered(scraper.name)));
    }
    const { health } = scraper;
    const open = scraper.upstreams.some(({ breaker }) => breaker === "open" || breaker === "half_open");
    if (!open && failing(health)) {
      const last = scraper.upstreams.map((upstream) => upstream.last_error).find(Boolean);
      found.push(el("li", { "data-key": scraper.name }, ofJobs(scraper.name, `${scraper.name}: ${percent(1 - health.success_rate)} of the attempts of the last hour failed`),
        last ? [". The latest reason: ", last.error, " (", codeLink(last.code), ")."] : ".", answered(scraper.name)));
    }
  }
  if (found.length === 0) {
    const own = known.filter(({ configured, name }) => configured && name !== "practice");
    if (own.length > 0 || known.length === 0) return null;
    return el("div", { class: "note" }, el("strong", {}, "Only the practice engine is ready."),
      " It answers questions about answerd, so you can try everything now. For the others set the key of a provider: ",
      el("a", { href: "/docs/scrapers" }, "what each scraper needs"), ".");
  }
  return el("div", { class: "note bad" }, el("h2", {}, `${plural(found.length, "issue needs", "issues need")} attention`), el("ul", {}, found));
}

/** How every scraper stands. */
export function scraperTable(now) {
  const head = ["Scraper", "Waiting", "Running", "Success", "p50", "p95", "Fields returned"];
  return el("section", { class: "card flush", "aria-labelledby": "scrapers-title" },
    el("div", { class: "card-head" }, el("h2", { id: "scrapers-title" }, "Scrapers"), el("span", { class: "quiet small" }, "health of the last hour")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the scrapers" }, el("table", { class: "rows stacked" },
      el("thead", {}, el("tr", {}, head.map((name, at) => el("th", { scope: "col", class: at > 0 && at < 6 ? "number" : null }, name)))),
      el("tbody", {}, now.map(scraperRow)))));
}

function scraperRow(scraper) {
  const { name, queue, workers, health, upstreams } = scraper;
  const open = upstreams.filter(({ breaker }) => breaker === "open").length;
  const bad = open > 0 || failing(health);
  const tone = bad ? "bad" : health.attempts === 0 ? "idle" : health.success_rate < 0.9 ? "warn" : "good";
  const says = { bad: "in trouble", idle: "nothing in the last hour", warn: "some attempts fail", good: "well" }[tone];
  const cell = (label, value, more) => el("td", { class: "number", "data-label": label }, value, more);
  return el("tr", { "data-key": name },
    el("th", { scope: "row" }, el("span", { class: `dot ${tone}`, role: "img", "aria-label": says, title: says }), el("a", { href: `#/jobs?scraper=${encodeURIComponent(name)}` }, breakable(name))),
    cell("Waiting", short(queue.waiting)),
    cell("Running", short(queue.running), el("span", { class: "quiet" }, ` / ${workers}`)),
    cell("Success", percent(health.success_rate), health.attempts > 0 && el("span", { class: "quiet" }, ` of ${short(health.attempts)}`)),
    cell("p50", duration(health.p50_seconds)),
    cell("p95", duration(health.p95_seconds)),
    el("td", { "data-label": "Fields returned", class: "full" }, health.succeeded ? el("ul", { class: "fills" }, Object.entries(health.non_empty).map(fillRate)) : el("span", { class: "quiet" }, "–")));
}

function fillRate([array, rate]) {
  return el("li", {}, el("span", { class: "fill-name" }, words(array)), gauge(rate), el("span", { class: "number" }, percent(rate)));
}

/** How every upstream stands; one that several scrapers share stands once. */
export function upstreamTable(now) {
  const upstreams = new Map();
  for (const scraper of now) {
    for (const upstream of scraper.upstreams.filter(({ configured }) => configured)) {
      const known = upstreams.get(upstream.name);
      if (known) known.scrapers.push(scraper.name);
      else upstreams.set(upstream.name, { ...upstream, scrapers: [scraper.name] });
    }
  }
  const head = ["Upstream", "Kind", "Breaker", "In flight", "Last error"];
  return el("section", { class: "card flush", "aria-labelledby": "upstreams-title" },
    el("div", { class: "card-head" }, el("h2", { id: "upstreams-title" }, "Upstreams"), el("a", { class: "small", href: "/docs/upstreams" }, "What a breaker does")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the upstreams" }, el("table", { class: "rows stacked" },
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col", class: name === "In flight" ? "number" : null }, name)))),
      el("tbody", {}, [...upstreams.values()].map(upstreamRow)))));
}

function upstreamRow({ name, kind, breaker, probe_in_seconds, in_flight, in_flight_max, last_error, recipe, scrapers }) {
  const [word, tone] = { closed: ["healthy", "good"], open: ["paused", "bad"], half_open: ["probing", "warn"] }[breaker] ?? ["–", ""];
  return el("tr", { "data-key": name },
    el("th", { scope: "row" }, breakable(name), el("span", { class: "quiet small under" }, "for ", scrapers.flatMap((scraper, at) => [at > 0 && ", ", breakable(scraper)]))),
    el("td", { "data-label": "Kind" }, kind, recipe && el("span", { class: "quiet small under" }, `recipe ${recipe.name} ${recipe.version}`)),
    el("td", { "data-label": "Breaker" }, badge(word, tone), breaker === "open" && el("span", { class: "quiet small" }, probe_in_seconds ? ` probe in ${probe_in_seconds} s` : " probe at the next request")),
    el("td", { class: "number", "data-label": "In flight" }, short(in_flight ?? 0), in_flight_max !== null && el("span", { class: "quiet" }, ` / ${short(in_flight_max)}`)),
    el("td", { "data-label": "Last error", class: "wide full" }, last_error ? [last_error.error, el("span", { class: "quiet small under" }, el("code", {}, last_error.code), " ", moment(last_error.at))] : el("span", { class: "quiet" }, "none")));
}

/** The processes that share the store, where there is more than one. */
export function nodeTable(nodes) {
  if (!nodes || nodes.length < 2) return null;
  const head = ["Process", "Release", "Started", "Workers", "Running", "Heartbeat", "Settings"];
  return el("section", { class: "card flush", "aria-labelledby": "nodes-title" },
    el("div", { class: "card-head" }, el("h2", { id: "nodes-title" }, "Processes"), el("a", { class: "small", href: "/docs/scale-out" }, "How they share the store")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the processes" }, el("table", { class: "rows stacked" },
      el("thead", {}, el("tr", {}, head.map((name, at) => el("th", { scope: "col", class: at > 2 && at < 6 ? "number" : null }, name)))),
      el("tbody", {}, nodes.map(nodeRow)))));
}

function nodeRow({ name, number, version, started_at, workers, running, beat_seconds, leader, settings_differ, is_self }) {
  const roles = [leader && "leads", is_self && "answers you"].filter(Boolean).join(", ");
  const cell = (label, value) => el("td", { class: "number", "data-label": label }, value);
  return el("tr", { "data-key": String(number) },
    el("th", { scope: "row" }, breakable(name), roles && el("span", { class: "quiet small under" }, roles)),
    el("td", { "data-label": "Release" }, version),
    el("td", { "data-label": "Started" }, moment(started_at)),
    cell("Workers", short(workers)),
    cell("Running", short(running)),
    cell("Heartbeat", duration(beat_seconds)),
    el("td", { "data-label": "Settings" }, settings_differ.length ? badge(`${settings_differ.join(", ")} differ`, "warn") : "the same"));
}

/** The scrapers that lack something, and what. */
export function lacking(known) {
  const rest = known.filter(({ configured }) => !configured);
  if (rest.length === 0) return null;
  return el("details", { class: "lacking" },
    el("summary", {}, plural(rest.length, "scraper is", "scrapers are"), " not configured"),
    el("ul", { class: "plain" }, rest.map(({ name, missing }) => el("li", { "data-key": name }, el("strong", {}, breakable(name)), el("span", { class: "quiet small under" }, missing)))));
}

/** The same as a card of its own. */
export function unready(known) {
  const rest = lacking(known);
  return rest && el("section", { class: "card" }, rest);
}
