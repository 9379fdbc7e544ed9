// Retrying, canceling, deleting and exporting all jobs that the filters of the list match.

import { json, text } from "./api.js";
import { announce, el, fill } from "./dom.js";
import { plural } from "./format.js";
import { parametersOf } from "./jobs_table.js";
import { complain } from "./live.js";
import { newId } from "./session.js";

/** The most jobs that a call names by their ids, and those of a page of the list. */
const IDS_MAX = 1000;
const PAGE_JOBS = 200;

const again = (jobs) => `Submit ${jobs} again as a new batch? Their webhooks are not called.`;

/** What is done to all jobs of a kind: the path of the API, which jobs it fits, and its words. */
export const ACTIONS = {
  retry: {
    name: "Retry failed", path: "/jobs/retry", canceled: "false", fits: ["failed"], none: "No failed job matches.",
    ask: again,
    yes: (jobs) => `Retry ${jobs}`,
  },
  retryCanceled: {
    name: "Retry canceled", path: "/jobs/retry", canceled: "true", fits: ["canceled"], none: "No canceled job matches.",
    ask: again,
    yes: (jobs) => `Retry ${jobs}`,
  },
  cancel: {
    name: "Cancel unfinished", path: "/jobs/cancel", fits: ["pending"], none: "No unfinished job matches.",
    ask: (jobs) => `Cancel ${jobs}? This cannot be undone.`,
    yes: (jobs) => `Cancel ${jobs}`, tone: "danger",
  },
  delete: {
    name: "Delete finished", fits: ["done", "failed", "canceled"], none: "No finished job matches.",
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

/**
 * The buttons, and the question before a change. `draw(filter)` shows what fits the filters, `changed` is called
 * after one, and `newest` gives when the newest job that the list shows was submitted, once it is drawn: an action
 * is about none that has come since.
 */
export function bulkActions(changed, newest, signal) {
  const element = el("div", { class: "stack bulk", hidden: true });
  let shown = "";
  return { element, draw };

  function draw(filter) {
    const now = JSON.stringify(filter);
    // Without any filter a click would be about every job. What is another key's is only read.
    element.hidden = !Object.values(filter).some(Boolean) || Boolean(filter.account);
    // A question that stands there is about these filters.
    if (now === shown || element.hidden) return;
    shown = now;
    const matching = { ...filter };
    const fits = (action) => !matching.status || action.fits.includes(matching.status);
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
        Object.values(ACTIONS).filter(fits).map((action) => button(action.name, () => ask(action))),
        button("Export CSV", () => exported())), error);
      if (focus) [...element.querySelectorAll("button")].find(({ textContent }) => textContent === focus)?.focus();
    }

    /** The filters that name the jobs of an action, with the time that it is about. */
    async function targets() {
      const until = matching.until || (await newest());
      return until ? { ...matching, until } : null;
    }

    /** The newest finished jobs by their ids, and whether there are more. */
    async function finished(target) {
      const ids = [];
      let cursor = "";
      do {
        const page = new URLSearchParams(parametersOf({ ...target, limit: PAGE_JOBS, cursor }));
        const { jobs, next_cursor: next } = await json(`/jobs?${page}`, { signal });
        ids.push(...jobs.filter(({ status }) => status !== "pending").map(({ job_id: id }) => id));
        cursor = next;
      } while (cursor && ids.length < IDS_MAX);
      return { ids: ids.slice(0, IDS_MAX), matched: Math.min(ids.length, IDS_MAX), next_cursor: cursor };
    }

    async function ask(action) {
      const target = await targets();
      // The path says which status is meant.
      const call = action.path && `${action.path}?${new URLSearchParams(parametersOf({ ...target, status: "", canceled: action.canceled }))}`;
      const none = { matched: 0 };
      const { ids, matched, next_cursor: more } = !target ? none : call ? await json(`${call}&dry_run=true`, { method: "POST", signal }) : await finished(target);
      if (matched === 0) {
        error.textContent = action.none;
        return;
      }
      const jobs = more ? `the newest ${plural(matched, "job")}` : plural(matched, "job");
      const key = newId();
      const yes = run(() => (ids ? remove(ids) : act(action, call, key)));
      question(element, action.ask(jobs), { yes: action.yes(jobs), tone: action.tone, act: yes, no: () => buttons(action.name) }, error);
    }

    async function act(action, call, key) {
      // A repeated press, or a reply that got lost, submits nothing twice.
      const done = await json(call, { method: "POST", headers: action.path === "/jobs/retry" ? { "Idempotency-Key": key } : {} });
      if (done.batch_id) {
        location.hash = `#/batches/${done.batch_id}`;
        return;
      }
      announce(`${plural(done.changed, "job")} canceled.`);
      buttons(action.name);
      changed();
    }

    async function remove(ids) {
      const { jobs } = await json(`/jobs?${new URLSearchParams({ ids: ids.join() })}`, { method: "DELETE" });
      announce(`${plural(jobs, "job")} deleted.`);
      buttons(ACTIONS.delete.name);
      changed();
    }

    async function exported() {
      const rows = await text(`/jobs?${new URLSearchParams(parametersOf(matching))}`, { headers: { Accept: "text/csv" }, signal });
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
