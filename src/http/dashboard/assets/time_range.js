// The field that limits a list to a time: the last hours or days, or the days from one to another.

import { el } from "./dom.js";
import { serverNow } from "./format.js";

const HOUR_MS = 3_600_000;
/** Hours back, and the name of the choice. */
const SPANS = [["1", "Last hour"], ["24", "Last 24 hours"], ["168", "Last 7 days"], ["720", "Last 30 days"]];
const DAYS = "days";
const DAY = /^\d{4}-\d\d-\d\d$/;

/** The elements of the field, and `draw(filter)`, which shows what is chosen; `change` is called with another `since` and `until`. */
export function timeRange(change) {
  const other = el("option", { value: "other", hidden: true }, "Other times");
  const choice = el("select", { id: "times", on: { change: pick } },
    el("option", { value: "" }, "Any time"), SPANS.map(([hours, name]) => el("option", { value: hours }, name)), el("option", { value: DAYS }, "Between days"), other);
  const day = (id) => el("input", { id, type: "date", class: "day", on: { change: () => change({ since: since.value, until: until.value }) } });
  const since = day("since");
  const until = day("until");
  const days = el("span", { class: "days", hidden: true },
    el("label", { for: "since" }, "From"), since, el("label", { for: "until" }, "to"), until, el("span", { class: "quiet small" }, "UTC"));
  return { elements: [el("label", { class: "out-of-sight", for: "times" }, "Time of submission"), choice, days], draw };

  function pick() {
    days.hidden = choice.value !== DAYS;
    if (choice.value === DAYS) {
      since.focus();
      return;
    }
    const back = Number(choice.value) * HOUR_MS;
    change({ since: back ? new Date(serverNow() - back).toISOString().replace(/\.\d+/, "") : "", until: "" });
  }

  function draw(filter) {
    const given = [filter.since, filter.until].filter(Boolean);
    const byDay = given.every((time) => DAY.test(time));
    if (given.length === 0) choice.value = choice.value === DAYS ? DAYS : "";
    else if (byDay) choice.value = DAYS;
    else if (filter.until || !Number(choice.value)) choice.value = other.value;
    days.hidden = choice.value !== DAYS;
    since.value = byDay ? filter.since : "";
    until.value = byDay ? filter.until : "";
  }
}
