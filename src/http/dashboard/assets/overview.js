// What the service does now and did over the last day.

import { json } from "./api.js";
import { Chart } from "./chart.js";
import { el, fill, morph } from "./dom.js";
import { duration, fullTime, learnTime, percent, serverNow, short, whole } from "./format.js";
import { firstRun, keptOverRestarts } from "./first_run.js";
import { live, scrapers } from "./live.js";
import { nodeTable, problems, scraperTable, tile, unready, upstreamTable } from "./overview_parts.js";
import { everyKey, meter } from "./usage.js";

/** Name, how far back, and how long a bucket of the charts is. Milliseconds. */
const RANGES = [
  ["1 h", 3_600_000, 300_000],
  ["6 h", 21_600_000, 300_000],
  ["24 h", 86_400_000, 900_000],
];
const HOUR_MS = 3_600_000;
/** How often the day is fetched again, milliseconds; between, the stream has the latest bucket. */
const REFRESH_MS = 60_000;

export function overview(main, { usage, signal, drawn }) {
  let day = null;
  let known = [];
  /** The processes that share the store, for an operator. */
  let nodes = null;
  let range = RANGES[2];
  let picked = false;
  /** Whether the key has a job; null until that is known. */
  let hasJobs = null;
  let looking = false;
  let chosen = "";
  const charts = {
    throughput: new Chart({ title: "Throughput", kind: "bars", series: [{ name: "done", tone: "good" }, { name: "failed", tone: "bad" }], format: short, open }),
    success: new Chart({ title: "Success of attempts", kind: "lines", series: [{ name: "succeeded", tone: "good", filled: true }], format: percent, max: 1, open }),
    latency: new Chart({ title: "Latency of attempts", kind: "lines", series: [{ name: "p50", tone: "accent", filled: true }, { name: "p95", tone: "second" }], format: duration, open }),
  };
  const choice = el("select", { id: "chart-scraper", on: { change: () => { chosen = choice.value; draw(); } } });
  const ranges = el("div", { class: "segments", role: "group", "aria-label": "How far back" },
    RANGES.map((each) => el("button", { type: "button", on: { click: () => { picked = true; pick(each); } } }, each[0])));
  const parts = {
    firstRun: el("div", {}),
    problems: el("div", {}),
    tiles: el("dl", { class: "tiles" }),
    scrapers: el("div", {}),
    upstreams: el("div", {}),
    nodes: el("div", {}),
    unready: el("div", {}),
    credits: el("div", { class: "stack" }),
    since: el("p", { class: "quiet small since" }),
  };
  fill(main,
    el("div", { class: "title" }, el("h1", {}, "Overview"),
      el("div", { class: "controls" }, el("label", { class: "out-of-sight", for: "chart-scraper" }, "Scraper of the charts"), choice, ranges)),
    parts.firstRun, parts.problems, parts.tiles,
    el("section", { class: "charts", "aria-label": "Charts" }, Object.values(charts).map((chart) => chart.figure)),
    parts.since, keptOverRestarts(), parts.scrapers, parts.upstreams, parts.nodes,
    el("div", { class: "pair" }, parts.credits, parts.unready));

  live.addEventListener("overview", merge, { signal });
  live.addEventListener("back", load, { signal });
  const timer = setInterval(load, REFRESH_MS);
  load();
  return () => {
    clearInterval(timer);
    for (const chart of Object.values(charts)) chart.close();
  };

  function pick(each) {
    range = each;
    RANGES.forEach((known, at) => ranges.children[at].setAttribute("aria-pressed", String(known === each)));
    draw();
  }

  async function load() {
    try {
      // One that has a job keeps it for hours: it is not looked for again.
      [day, known, usage, hasJobs] = await Promise.all([json("/stats", { signal }), scrapers(), json("/usage", { signal }), hasJobs || someJob()]);
      if (usage.accounts) ({ nodes } = await json("/nodes", { signal }));
    } catch {
      // The banner shows it, and `back` comes when it is over.
      return;
    }
    if (signal.aborted) return;
    learnTime(day.now);
    // A service that has just started has no day to show.
    const upMs = serverNow() - Date.parse(day.since);
    if (!picked) pick(RANGES.find(([, back]) => upMs < back) ?? RANGES.at(-1));
    merge();
    drawn();
  }

  async function someJob() {
    const page = await json("/jobs?limit=1", { signal });
    return page.jobs.length > 0 || Boolean(page.next_cursor);
  }

  /** Something has happened: perhaps the first job of the key. */
  function lookForJobs() {
    if (hasJobs !== false || looking) return;
    looking = true;
    someJob().then((found) => {
      hasJobs = found;
      looking = false;
      if (found && !signal.aborted) draw();
    }, () => (looking = false));
  }

  /** Puts the bucket that the stream has sent into the day. */
  function merge() {
    if (!day) return;
    lookForJobs();
    for (const now of live.overview?.scrapers ?? []) {
      const scraper = day.scrapers.find(({ name }) => name === now.name);
      if (!scraper || !now.bucket) continue;
      const at = scraper.buckets.findIndex((bucket) => bucket.at === now.bucket.at);
      if (at >= 0) scraper.buckets[at] = now.bucket;
      else scraper.buckets.push(now.bucket);
    }
    draw();
  }

  function draw() {
    if (!day) return;
    const now = (live.overview?.scrapers ?? known).filter((scraper) => scraper.configured);
    // With listeners, so it is drawn once.
    const isFirst = hasJobs === false;
    if (isFirst !== Boolean(parts.firstRun.firstChild)) fill(parts.firstRun, firstRun({ known, hasJobs, usage }));
    morph(parts.problems, el("div", {}, problems(now, isFirst ? [] : known, { failed: failedJobs, jobsOf })));
    morph(parts.scrapers, el("div", {}, scraperTable(now)));
    morph(parts.upstreams, el("div", {}, upstreamTable(now)));
    morph(parts.nodes, el("div", {}, nodeTable(nodes)));
    morph(parts.unready, el("div", {}, !isFirst && unready(known)));
    morph(parts.credits, el("div", { class: "stack" }, meter(usage), everyKey(usage)));
    drawChoice(now);
    drawCharts(now);
  }

  /** Lists the jobs that were submitted in the hour of a time of the charts. */
  function open(ms) {
    const since = Math.floor(ms / HOUR_MS) * HOUR_MS;
    const text = (moment) => new Date(moment).toISOString().replace(".000", "");
    const hour = { since: text(since), until: text(since + HOUR_MS - 1000) };
    location.hash = jobsOf(chosen ? { ...hour, scraper: chosen } : hour);
  }

  /** The jobs of a scraper that have failed in the last day. */
  function failedJobs(name) {
    return (day.scrapers.find((scraper) => scraper.name === name)?.buckets ?? []).reduce((sum, { failed }) => sum + failed, 0);
  }

  /** The address of a list of jobs, of all keys where these may be read: the numbers count those of all. */
  function jobsOf(filter) {
    return `#/jobs?${new URLSearchParams(usage.reads_all_jobs ? { ...filter, account: "*" } : filter)}`;
  }

  function drawChoice(now) {
    const names = ["", ...now.map(({ name }) => name)];
    if (names.length === choice.options.length) return;
    fill(choice, names.map((name) => el("option", { value: name }, name || "All scrapers")));
    choice.value = chosen;
  }

  function drawCharts(now) {
    const [title, back, step] = range;
    const end = Math.floor(serverNow() / step) * step;
    const times = Array.from({ length: back / step }, (_, at) => end - back + step * (at + 1));
    const bins = times.map(() => ({ done: 0, failed: 0, submitted: 0, succeeded: 0, wrong: 0, p50: 0, p95: null }));
    for (const scraper of day.scrapers) {
      if (chosen && scraper.name !== chosen) continue;
      for (const bucket of scraper.buckets) {
        const bin = bins[Math.floor((Date.parse(bucket.at) - times[0]) / step)];
        if (bin) add(bin, bucket);
      }
    }
    const sum = (field) => bins.reduce((total, bin) => total + bin[field], 0);
    const [attempts, succeeded] = [sum("succeeded") + sum("wrong"), sum("succeeded")];
    const p95 = Math.max(...bins.map((bin) => bin.p95 ?? 0));
    const empty = `No jobs finished in the last ${title.replace(/^1 h$/, "hour")}`;
    charts.throughput.update({ times, values: [bins.map((bin) => bin.done), bins.map((bin) => bin.failed)], now: sum("done") + sum("failed") ? `${whole(sum("done"))} done, ${whole(sum("failed"))} failed; a bar is ${duration(step / 1000)}` : "", empty });
    charts.success.update({ times, values: [bins.map(({ succeeded: good, wrong }) => (good + wrong ? good / (good + wrong) : null))], now: attempts ? `${percent(succeeded / attempts)} of ${whole(attempts)}` : "", empty });
    charts.latency.update({ times, values: [bins.map((bin) => (bin.succeeded ? bin.p50 / bin.succeeded : null)), bins.map((bin) => bin.p95)], now: p95 ? `p95 up to ${duration(p95)}` : "", empty });
    const since = new Date(end - back).toISOString().replace(".000", "");
    const ofChosen = (filter) => jobsOf(chosen ? { ...filter, scraper: chosen } : filter);
    const running = now.filter(({ name }) => !chosen || name === chosen);
    const total = (field) => running.reduce((all, scraper) => all + scraper.queue[field], 0);
    morph(parts.tiles, el("dl", { class: "tiles" },
      tile("Waiting", short(total("waiting")), "jobs, now", { href: ofChosen({ status: "pending" }) }),
      tile("Running", short(total("running")), `of ${short(running.reduce((all, { workers }) => all + workers, 0))} workers`),
      tile("Submitted", short(sum("submitted")), `in ${title}`),
      tile("Done", short(sum("done")), `in ${title}`, { tone: sum("done") ? "good" : "", href: ofChosen({ status: "done", since }) }),
      tile("Failed", short(sum("failed")), `in ${title}`, { tone: sum("failed") ? "bad" : "", href: ofChosen({ status: "failed", since }) }),
      tile("Success", attempts ? percent(succeeded / attempts) : "–", "of attempts", { tone: attempts && succeeded / attempts < 0.9 ? "bad" : "" })));
    const begin = Date.parse(day.since);
    parts.since.textContent = serverNow() - begin < back ? `Data since ${fullTime(begin)}.` : "";
  }
}

/** Adds five minutes of a scraper to a bin: medians weigh by answers, the p95 is the slowest's. */
function add(bin, bucket) {
  bin.submitted += bucket.submitted;
  bin.done += bucket.done;
  bin.failed += bucket.failed;
  bin.succeeded += bucket.attempts_succeeded;
  bin.wrong += bucket.attempts_failed;
  bin.p50 += (bucket.p50_seconds ?? 0) * bucket.attempts_succeeded;
  if (bucket.p95_seconds !== null) bin.p95 = Math.max(bin.p95 ?? 0, bucket.p95_seconds);
}
