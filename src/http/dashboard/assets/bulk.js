// Retrying, canceling, deleting and exporting all jobs that the filters of the list match.

import { json, text } from "./api.js";
import { announce, el, fill } from "./dom.js";
import { plural } from "./format.js";
import { complain } from "./live.js";
import { newId } from "./session.js";

/** The most jobs that a call names by their ids, and those of a page of the list. */
const IDS_MAX = 1000;
const PAGE_JOBS = 200;

export const ACTIONS = {
  retry: {
    name: "Retry failed", fits: ["failed"], none: "No failed job matches.",
    ask: (jobs) => `Submit ${jobs} again as a new batch? Their webhooks are not called.`,
    yes: (jobs) => `Retry ${jobs}`,
  },
  cancel: {
    name: "Cancel unfinished", fits: ["pending"], none: "No unfinished job matches.",
    ask: (jobs) => `Cancel ${jobs}? This cannot be undone.`,
    yes: (jobs) => `Cancel ${jobs}`, tone: "danger",
  },
  delete: {
    name: "Delete finished", fits: ["done", "failed"], none: "No finished job matches.",
    ask: (jobs) => `Delete ${jobs} with their answers? This cannot be undone.`,
    yes: (jobs) => `Delete ${jobs}`, tone: "danger",
  },
};

/** Asks in a place before something is done to many jobs. Escape is a no. */
export function question(place, words, { yes, tone = "primary", act, no }, ...below) {
  const button = (name, click, look) => el("button", { type: "button", class: `button small ${look}`, on: { click } }, name);
  const go = button(yes, act, tone);
  const escape = (event) => {
    if (event.key === "Escape") no();
  };
  const asked = el("div", { class: "stack", on: { keydown: escape } }, el("p", {}, words), el("div", { class: "buttons" }, go, button("Keep as it is", no, "")));
  fill(place, asked, ...below);
  announce(words);
  go.focus();
}

/** The parameters of the filters that are set, without the status; null where they name no jobs in particular. */
function chosen(filter) {
  const asks = new URLSearchParams(Object.entries(filter).filter(([name, value]) => value && name !== "status"));
  return asks.size > 0 ? asks : null;
}

/** The buttons, and the question before a change. `draw(filter)` shows what fits the filters; `changed` is called after one. */
export function bulkActions(changed, signal) {
  const element = el("div", { class: "stack bulk", hidden: true });
  let shown = "";
  return { element, draw };

  function draw(filter) {
    const asks = chosen(filter);
    const now = `${asks} ${filter.status}`;
    // What is another key's is only read.
    element.hidden = !asks || Boolean(filter.account);
    if (filter.account) return;
    // A question that stands there is about these filters.
    if (now === shown || !asks) return;
    shown = now;
    const fits = (action) => !filter.status || action.fits.includes(filter.status);
    const error = el("p", { class: "error", role: "alert" });
    const run = (act) => async ({ currentTarget }) => {
      currentTarget.disabled = true;
      error.textContent = "";
      try {
        await act();
      } catch (refused) {
        if (!signal.aborted) complain(error, refused);
      } finally {
        currentTarget.disabled = false;
      }
    };
    const button = (name, act) => el("button", { type: "button", class: "button small", on: { click: run(act) } }, name);
    buttons();

    function buttons(focus = "") {
      fill(element, el("div", { class: "buttons" },
        Object.entries(ACTIONS).filter(([, action]) => fits(action)).map(([path, action]) => button(action.name, () => ask(path, action))),
        button("Export CSV", () => exported())), error);
      if (focus) [...element.querySelectorAll("button")].find(({ textContent }) => textContent === focus)?.focus();
    }

    /** The ids of the newest finished jobs, and whether there are more. */
    async function finished() {
      const ids = [];
      let cursor = "";
      do {
        const page = new URLSearchParams([...asks, ["limit", PAGE_JOBS], ...(cursor ? [["cursor", cursor]] : []), ...(filter.status ? [["status", filter.status]] : [])]);
        const { jobs, next_cursor: next } = await json(`/jobs?${page}`, { signal });
        ids.push(...jobs.filter(({ status }) => status !== "pending").map(({ job_id: id }) => id));
        cursor = next;
      } while (cursor && ids.length < IDS_MAX);
      return { ids: ids.slice(0, IDS_MAX), matched: Math.min(ids.length, IDS_MAX), next_cursor: cursor };
    }

    async function ask(path, action) {
      const counted = path === "delete" ? finished() : json(`/jobs/${path}?${asks}&dry_run=true`, { method: "POST", signal });
      const { ids, matched, next_cursor: more } = await counted;
      if (matched === 0) {
        error.textContent = action.none;
        return;
      }
      const jobs = more ? `the newest ${plural(matched, "job")}` : plural(matched, "job");
      const key = newId();
      const yes = run(() => (ids ? remove(ids) : act(path, key)));
      question(element, action.ask(jobs), { yes: action.yes(jobs), tone: action.tone, act: yes, no: () => buttons(action.name) }, error);
    }

    async function act(path, key) {
      // A repeated press, or a reply that got lost, submits nothing twice.
      const done = await json(`/jobs/${path}?${asks}`, { method: "POST", headers: path === "retry" ? { "Idempotency-Key": key } : {} });
      if (done.batch_id) {
        location.hash = `#/batches/${done.batch_id}`;
        return;
      }
      announce(`${plural(done.changed, "job")} canceled.`);
      buttons(ACTIONS[path].name);
      changed();
    }

    async function remove(ids) {
      const { jobs } = await json(`/jobs?${new URLSearchParams({ ids: ids.join() })}`, { method: "DELETE" });
      announce(`${plural(jobs, "job")} deleted.`);
      buttons(ACTIONS.delete.name);
      changed();
    }

    async function exported() {
      if (filter.status) asks.set("status", filter.status);
      const rows = await text(`/jobs?${asks}`, { headers: { Accept: "text/csv" }, signal });
      asks.delete("status");
      save("jobs.csv", rows, "text/csv");
    }
  }
}

/** Hands a text to the browser as a file. */
export function save(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
