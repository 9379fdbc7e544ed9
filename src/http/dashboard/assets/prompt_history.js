// The answers to one prompt over time, by engine, each with what has changed since the one before.

import { ApiError, json } from "./api.js";
import { diff, marked, wordsOf } from "./diff.js";
import { breakable, el, fill, scrolls } from "./dom.js";
import { fullTime, moment, plural } from "./format.js";
import { complain, live } from "./live.js";
import { badge } from "./overview_parts.js";
import { from } from "./sources.js";

/** Jobs that one look finds at most. */
const PAGE = 200;
/** Answers of an engine that are shown, and how many more at each step. */
const SHOWN = 5;
/** The most engines, each in each country, that are shown. */
const ENGINES_MAX = 12;

export function promptHistory(main, { id, signal, drawn }) {
  const title = el("div", { class: "title" }, el("h1", {}, "Answers over time"));
  const asked = el("div", {});
  const said = el("p", { class: "error", role: "alert" });
  const engines = el("div", { class: "stack" });
  const rest = el("div", { class: "stack" });
  fill(main, el("a", { class: "back", href: `#/jobs/${id}` }, "← Job"), title, asked, said, engines, rest);
  /** The jobs of each engine, newest first, and how many of them are shown. */
  let groups = new Map();
  /** Results that were read, by job. */
  const results = new Map();
  let cursor = null;
  /** Counts the looks: what an overtaken one finds is of no use. */
  let looks = 0;
  const again = () => load(null).then(drawn);
  live.addEventListener("back", again, { signal });
  again();

  /** Looks for answers from a place of the list on, at its beginning if that is null. */
  async function load(from) {
    const look = (looks += 1);
    said.textContent = "";
    try {
      const query = new URLSearchParams({ prompt_of: id, status: "done", limit: PAGE });
      if (from) query.set("cursor", from);
      const [own, found] = await Promise.all([json(`/jobs/${id}`, { signal }), json(`/jobs?${query}`, { signal })]);
      if (look !== looks) return;
      if (!from) groups = new Map();
      cursor = found.next_cursor;
      found.jobs.forEach(note);
      fill(asked, el("section", { class: "card prompt-card" }, el("h2", {}, "Prompt"), el("p", { class: "prompt", dir: "auto", ...scrolls("Prompt") }, own.prompt)));
      await draw();
    } catch (error) {
      if (signal.aborted || look !== looks) return;
      if (error instanceof ApiError && error.status === 404) {
        fill(engines, el("section", { class: "card empty" }, el("h2", {}, "This prompt is not there"), el("p", {}, error.message), el("a", { class: "button", href: "#/prompts" }, "All prompts")));
      } else complain(said, error);
    }
  }

  function note(job) {
    const name = `${job.scraper} ${job.country}`;
    const group = groups.get(name) ?? { scraper: job.scraper, country: job.country, jobs: [], shown: SHOWN, section: el("section", { class: "card" }) };
    group.jobs.push(job);
    groups.set(name, group);
  }

  async function draw() {
    const all = [...groups.values()];
    const hidden = all.length - ENGINES_MAX;
    fill(engines, all.slice(0, ENGINES_MAX).map(({ section }) => section));
    fill(rest,
      all.length === 0 && el("section", { class: "card empty" }, el("h2", {}, "No answers yet"), el("p", {}, "No job with this prompt is done.")),
      hidden > 0 && el("p", { class: "quiet small" }, `${plural(hidden, "more engine")} not shown.`),
      cursor && el("div", { class: "buttons" }, el("button", { type: "button", class: "button", on: { click: () => load(cursor) } }, "Look further back")));
    for (const group of all.slice(0, ENGINES_MAX)) await show(group);
  }

  /** The result of a job; null where it is gone meanwhile. */
  async function resultOf(job) {
    try {
      return (await json(`/jobs/${job}`, { signal })).result ?? null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  /** Draws the answers of an engine; one more is read, to compare the last one with. */
  async function show(group) {
    for (const job of group.jobs.slice(0, group.shown + 1)) {
      if (!results.has(job.job_id)) results.set(job.job_id, await resultOf(job.job_id));
    }
    if (signal.aborted) return;
    const more = group.jobs.length - group.shown;
    const button = more > 0 && el("button", { type: "button", class: "button small", on: { click: further } }, `Show ${Math.min(SHOWN, more)} more`);
    async function further() {
      button.disabled = true;
      group.shown += SHOWN;
      await show(group).catch((error) => !signal.aborted && complain(said, error));
    }
    fill(group.section,
      el("div", { class: "card-head" }, el("h2", {}, breakable(group.scraper), " ", el("span", { class: "quiet small" }, group.country)),
        el("span", { class: "quiet small" }, plural(group.jobs.length, "answer"))),
      el("ol", { class: "answers-over-time" }, group.jobs.slice(0, group.shown).filter(({ job_id: job }) => results.get(job)).map((job, at) => entry(job, results.get(job.job_id), results.get(group.jobs[at + 1]?.job_id), at === 0))),
      button);
  }
}

/** One answer, and what has changed since the one before it. */
function entry(job, result, before, open) {
  const steps = before && diff(before.result, result.result);
  const same = steps && steps.every(([kind]) => kind === "same");
  const says = !steps ? "oldest one found" : same ? "word for word as before" : `${plural(wordsOf(steps, "new"), "word")} new, ${plural(wordsOf(steps, "gone"), "word")} gone`;
  const named = (result.mentions ?? []).filter(({ mentioned }) => mentioned).map(({ brand }) => brand);
  return el("li", {},
    el("div", { class: "card-head" }, el("h3", {}, el("a", { href: `#/jobs/${job.job_id}` }, fullTime(Date.parse(job.completed_at)))), from(result), badge(says, same ? "idle" : steps ? "accent" : "idle")),
    el("p", { class: "quiet small" }, [moment(job.completed_at), result.llm_model && `, ${result.llm_model}`, named.length > 0 && `, names ${named.join(", ")}`]),
    el("details", { open }, el("summary", {}, !steps || same ? "The answer" : "What has changed"),
      el("p", { class: "diff", dir: "auto", ...scrolls("Text of the answer") }, steps ? marked(steps) : result.result)));
}
