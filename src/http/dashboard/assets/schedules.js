// The schedules of the key: when each runs next, how its latest runs went, and what keeps it from running.

import { json } from "./api.js";
import { announce, breakable, el, fill, morph, scrolls } from "./dom.js";
import { moment, plural } from "./format.js";
import { complain, live } from "./live.js";

/** How often the schedules are fetched again, milliseconds. */
const REFRESH_MS = 15_000;
/** Runs that are shown of a schedule. */
const RUNS_SHOWN = 10;
const TONES = { submitted: "good", overlap: "warn", missed: "warn", refused: "bad" };

const badge = (word, tone) => el("span", { class: `badge ${tone}` }, word);

export function schedules(main, { signal, drawn }) {
  let known = null;
  /** The schedule whose runs are open, and those. */
  let open = null;
  // One listener for all buttons: they are changed in place when a schedule has changed.
  const body = el("div", { class: "stack", on: { click: pressed } });
  const said = el("p", { class: "error", role: "alert" });
  fill(main, el("div", { class: "title" }, el("h1", {}, "Schedules")), said, body);
  live.addEventListener("back", load, { signal });
  const timer = setInterval(load, REFRESH_MS);
  load();
  return () => clearInterval(timer);

  async function load() {
    try {
      const list = await json("/schedules", { signal });
      const runs = open && (await json(`/schedules/${open.id}/runs`, { signal }).catch(() => null));
      if (open && !runs) open = null;
      if (runs) open = { ...open, runs: runs.runs };
      known = list.schedules;
    } catch (error) {
      if (!signal.aborted && !known) complain(said, error);
      return;
    }
    if (signal.aborted) return;
    draw();
    drawn();
  }

  function draw() {
    morph(body, el("div", { class: "stack" }, known.length === 0 ? nothing() : known.map(card)));
  }

  async function act(path, options, done) {
    said.textContent = "";
    try {
      await json(path, { ...options, signal });
      announce(done);
    } catch (error) {
      if (!signal.aborted) complain(said, error);
    }
    await load();
  }

  function pressed({ target }) {
    const { act: what, of } = target.closest("button")?.dataset ?? {};
    const schedule = known?.find(({ schedule_id: id }) => id === of);
    if (!schedule) return;
    const path = `/schedules/${of}`;
    if (what === "run") act(`${path}/run`, { method: "POST" }, `${schedule.name} runs.`);
    else if (what === "pause") act(path, { method: "PATCH", body: { paused: true } }, `${schedule.name} is paused.`);
    else if (what === "resume") act(path, { method: "PATCH", body: { paused: false } }, `${schedule.name} goes on.`);
    else if (what === "runs") {
      open = open?.id === of ? null : { id: of, runs: null };
      load();
    }
  }

  function card(schedule) {
    const { schedule_id: id, name, last_run: last } = schedule;
    const paused = schedule.status === "paused";
    const isOpen = open?.id === id;
    const button = (label, what, more = {}) => el("button", { type: "button", class: "button small", "aria-label": `${label}: ${name}`, "data-act": what, "data-of": id, ...more }, label);
    return el("section", { class: "card", "data-key": id, "aria-label": name },
      el("div", { class: "card-head" }, el("h2", {}, breakable(name)), status(schedule)),
      el("p", { class: "quiet" }, when(schedule)),
      el("dl", { class: "facts" },
        fact("Next run", schedule.next_at ? moment(schedule.next_at) : paused ? "none while it is paused" : "none any more"),
        fact("Latest run", last ? [outcome(last), " ", moment(last.slot_at ?? last.at)] : "none yet"),
        fact("Slots that ran", schedule.max_runs ? `${schedule.runs} of ${schedule.max_runs}` : `${schedule.runs}`)),
      schedule.refused_in_row > 0 && el("p", { class: "bad" }, `${plural(schedule.refused_in_row, "slot")} in a row refused: ${last?.reason ?? ""}`),
      el("div", { class: "buttons" },
        button("Run now", "run"),
        schedule.status !== "ended" && (paused ? button("Resume", "resume") : button("Pause", "pause")),
        last?.outcome === "submitted" && el("a", { class: "button small", href: `#/prompts?batch=${last.batch_id}`, "aria-label": `Prompts: ${name}` }, "Prompts"),
        button(isOpen ? "Hide runs" : "Show runs", "runs", { "aria-expanded": String(isOpen) })),
      isOpen && open.runs && runsTable(name, open.runs));
  }
}

/** What to do where there is none. */
function nothing() {
  return el("section", { class: "card empty" }, el("h2", {}, "No schedule yet"),
    el("p", {}, "A schedule submits the same prompts again and again, every morning say. Make one from the terminal:"),
    el("pre", scrolls("Command"), el("code", {}, 'answerd schedule add daily --cron "0 6 * * *" --prompt "best running shoes" --scraper chatgpt')),
    el("a", { class: "button", href: "/docs/schedules" }, "Read about schedules"));
}

function status({ status, refused_in_row: refused }) {
  if (status === "active" && refused > 0) return badge("refused", "bad");
  return badge(status, status === "active" ? "good" : "idle");
}

function when({ cron, timezone, every, jitter_seconds: jitter, ends_at: ends }) {
  return [cron ? `${cron} (${timezone})` : `every ${every}`, jitter > 0 && `, up to ${plural(jitter, "second")} later by chance`, ends && [", until ", moment(ends)]];
}

const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
const outcome = (run) => badge(run.outcome, TONES[run.outcome] ?? "idle");

function runsTable(name, runs) {
  if (runs.length === 0) return el("p", { class: "quiet" }, "It has not run yet.");
  const cell = (label, ...content) => el("td", { "data-label": label }, content);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Runs of ${name}` }, el("table", { class: "rows stacked" },
    el("thead", {}, el("tr", {}, ["Slot", "Outcome", "Why"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, runs.slice(0, RUNS_SHOWN).map((run) => el("tr", { "data-key": String(run.number) },
      el("th", { scope: "row" }, run.slot_at ? moment(run.slot_at) : ["asked for ", moment(run.at)]),
      cell("Outcome", outcome(run)),
      cell("Why", why(run)))))));
}

function why(run) {
  const notes = [];
  if (run.reason) notes.push(run.reason);
  if (run.outcome === "overlap") notes.push("The run before had not ended.");
  if (run.outcome === "missed") notes.push("The service was down.");
  if (run.refused_items > 0) notes.push(`${plural(run.refused_items, "item")} refused.`);
  if (run.missed > 0) notes.push(`${plural(run.missed, "slot")} missed before.`);
  return [run.outcome === "submitted" && el("a", { href: `#/jobs?batch=${run.batch_id}` }, "Jobs"), notes.length > 0 && [" ", notes.join(" ")]];
}
