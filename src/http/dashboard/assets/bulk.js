// Retrying, canceling and exporting all jobs that the filters of the list match.

import { json, text } from "./api.js";
import { announce, el, fill } from "./dom.js";
import { plural } from "./format.js";
import { complain } from "./live.js";
import { newId } from "./session.js";

const ACTIONS = {
  retry: {
    name: "Retry failed", status: "failed", none: "No failed job matches.",
    ask: (jobs) => `Submit ${jobs} again as a new batch? Their webhooks are not called.`,
    yes: (jobs) => `Retry ${jobs}`,
  },
  cancel: {
    name: "Cancel unfinished", status: "pending", none: "No unfinished job matches.",
    ask: (jobs) => `Cancel ${jobs}? This cannot be undone.`,
    yes: (jobs) => `Cancel ${jobs}`,
  },
};

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
    const fits = ({ status }) => !filter.status || filter.status === status;
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
    const button = (name, act, tone = "") => el("button", { type: "button", class: `button small ${tone}`, on: { click: run(act) } }, name);
    buttons();

    function buttons(focus = "") {
      fill(element, el("div", { class: "buttons" },
        Object.entries(ACTIONS).filter(([, action]) => fits(action)).map(([path, action]) => button(action.name, () => ask(path, action))),
        button("Export CSV", () => exported())), error);
      if (focus) [...element.querySelectorAll("button")].find(({ textContent }) => textContent === focus)?.focus();
    }

    async function ask(path, action) {
      const { matched, next_cursor: more } = await json(`/jobs/${path}?${asks}&dry_run=true`, { method: "POST", signal });
      if (matched === 0) {
        error.textContent = action.none;
        return;
      }
      const jobs = more ? `the newest ${plural(matched, "job")}` : plural(matched, "job");
      const key = newId();
      const yes = button(action.yes(jobs), () => act(path, key), path === "cancel" ? "danger" : "primary");
      fill(element, el("p", {}, action.ask(jobs)),
        el("div", { class: "buttons" }, yes, el("button", { type: "button", class: "button small", on: { click: () => buttons(action.name) } }, "Keep as it is")), error);
      announce(action.ask(jobs));
      yes.focus();
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
