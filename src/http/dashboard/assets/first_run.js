// What leads to the first real answer: which scrapers are ready, what the others lack, and the command.

import { breakable, copyButton, el, scrolls } from "./dom.js";
import { allKeys, keyOf } from "./jobs_table.js";

/** Where the command line looks for a server by itself. */
const DEFAULT_HOST = "127.0.0.1:8080";

/** The name of the scraper that a first prompt is best sent to: one with a provider, where one is ready. */
const best = (ready) => ready.find(({ name }) => name !== "practice") ?? ready[0];

/** The card of a key that has no job yet; nothing where it has one, or that is not known. */
export function firstRun({ known, hasJobs, usage }) {
  if (hasJobs !== false || known.length === 0) return null;
  const ready = known.filter(({ configured }) => configured);
  const lacking = known.filter(({ configured }) => !configured);
  const first = best(ready);
  const key = keyOf(usage);
  const elsewhere = location.host === DEFAULT_HOST ? "" : ` --url ${location.origin}`;
  const command = `answerd submit ${first?.name ?? "practice"} "How long are results kept?" --wait${elsewhere}`;
  const real = first && first.name !== "practice";
  return el("section", { class: "card first-run", id: "first-run", "aria-labelledby": "first-run-title" },
    el("h2", { id: "first-run-title" }, key ? `The key ${key} has no jobs yet` : "No jobs yet"),
    el("p", {}, real ? ["The scraper ", el("strong", {}, first.name), " is ready: its first answer is one prompt away."]
      : first ? "Only the practice engine is ready, which answers questions about answerd. For an answer of a real engine set the key of one provider, and restart answerd."
      : "No scraper is ready. Set the key of one provider, and restart answerd."),
    first && el("div", { class: "buttons" }, el("a", { class: "button primary", href: `#/new?scraper=${encodeURIComponent(first.name)}` }, `New prompt for ${first.name}`), allKeys(usage)),
    first && [el("p", { class: "quiet small" }, key ? ["Or from a terminal, with the key in ", el("code", {}, "ANSWERD_API_KEY"), ":"] : "Or from a terminal:"), el("pre", scrolls("Command"), el("code", {}, command)), el("div", { class: "buttons" }, copyButton("Copy the command", () => command))],
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scrapers and what they lack" }, el("table", { class: "readiness" },
      el("caption", { class: "out-of-sight" }, "Scrapers and what they lack"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Scraper"), el("th", { scope: "col" }, "What it needs"))),
      el("tbody", {}, [...ready, ...lacking].map(({ name, configured, missing }) => el("tr", { "data-key": name },
        el("th", { scope: "row" }, breakable(name)), el("td", { class: configured ? "good" : "quiet" }, configured ? "ready" : missing)))))),
    el("p", { class: "small" }, el("a", { href: "/docs/quick-start" }, "The quick start"), " has these steps, ", el("a", { href: "/docs/upstreams" }, "the list of upstreams"), " where each key comes from."));
}

/** What of what is shown here a restart keeps. */
export function keptOverRestarts() {
  return el("details", { class: "quiet small kept" }, el("summary", {}, "What a restart keeps"),
    el("ul", { class: "plain" },
      el("li", {}, "Kept: jobs, answers, attempts and batches until they expire; the charts of the last day and the health of the last hour; credits, costs, trackers, schedules and alerts."),
      el("li", {}, "Begins again: breakers, calls in flight, the last error of each upstream, and the counters of ", el("a", { href: "/docs/monitoring" }, "the metrics"), "."),
      el("li", {}, "A crash loses at most the latest counts of the charts, never a job.")));
}
