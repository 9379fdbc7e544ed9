// The prompts that were asked, each once: of a tracker, of a batch, or the newest of all.

import { json } from "./api.js";
import { breakable, el, fill, scrolls } from "./dom.js";
import { moment, plural, whole } from "./format.js";
import { complain, live } from "./live.js";

/** Jobs that one look reads: pages of this size, and how many of them. */
const PAGE = 200;
const PAGES_MAX = 5;

export function prompts(main, { query, signal, drawn }) {
  const tracker = query.get("tracker");
  const batch = query.get("batch");
  const body = el("div", { class: "stack" });
  const said = el("p", { class: "error", role: "alert" });
  const back = tracker ? [`#/trackers/${tracker}`, `← ${tracker}`] : batch ? ["#/schedules", "← Schedules"] : ["#/jobs", "← Jobs"];
  fill(main, el("a", { class: "back", href: back[0] }, back[1]), el("div", { class: "title" }, el("h1", {}, "Prompts")), said, body);
  /** What is known of each prompt, newest first. */
  let known = new Map();
  let jobs = 0;
  let cursor = null;
  /** Counts the looks: what an overtaken one finds is of no use. */
  let looks = 0;
  live.addEventListener("back", () => load(null), { signal });
  load(null);

  /** Reads pages of the list from a place on, from its beginning if that is null. */
  async function load(from) {
    const look = (looks += 1);
    const found = [];
    let next = from;
    try {
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const asked = new URLSearchParams({ status: "done", limit: PAGE });
        for (const [name, value] of [["tracker", tracker], ["batch", batch], ["cursor", next]]) if (value) asked.set(name, value);
        const read = await json(`/jobs?${asked}`, { signal });
        found.push(...read.jobs);
        next = read.next_cursor;
        if (!next) break;
      }
    } catch (error) {
      if (!signal.aborted && look === looks) complain(said, error);
      return;
    }
    if (signal.aborted || look !== looks) return;
    if (!from) [known, jobs] = [new Map(), 0];
    cursor = next;
    found.forEach(note);
    said.textContent = "";
    draw();
    drawn();
  }

  function note(job) {
    jobs += 1;
    const prompt = known.get(job.prompt) ?? { newest: job, answers: 0, engines: new Set() };
    prompt.answers += 1;
    prompt.engines.add(job.scraper);
    known.set(job.prompt, prompt);
  }

  function draw() {
    const more = cursor && el("div", { class: "buttons" }, el("button", { type: "button", class: "button", on: { click: () => load(cursor) } }, "Look further back"));
    if (known.size === 0) {
      fill(body, el("section", { class: "card empty" }, el("h2", {}, "No answers here"),
        el("p", {}, "Prompts are listed as long as their answers are kept."), more));
      return;
    }
    fill(body, el("p", { class: "quiet small" }, `${plural(known.size, "prompt")} in ${plural(jobs, "answer")}${cursor ? ", the newest ones" : ""}`), table(), more);
  }

  function table() {
    const head = ["Prompt", "Answers", "Engines", "Newest"];
    const cell = (at, content, number) => el("td", { "data-label": head[at], class: number ? "number" : null }, content);
    return el("section", { class: "card flush" }, el("div", { class: "scroll", ...scrolls("Prompts") }, el("table", { class: "rows stacked" },
      el("thead", {}, el("tr", {}, head.map((name, at) => el("th", { scope: "col", class: at === 1 ? "number" : null }, name)))),
      el("tbody", {}, [...known].map(([prompt, { newest, answers, engines }]) => el("tr", {},
        el("th", { scope: "row", class: "of-prompt-text" }, el("a", { href: `#/prompts/${newest.job_id}`, dir: "auto", "data-step": "" }, prompt.slice(0, 300))),
        cell(1, whole(answers), true),
        cell(2, [...engines].flatMap((name, at) => [at > 0 && ", ", ...breakable(name)])),
        cell(3, moment(newest.completed_at))))))));
  }
}
