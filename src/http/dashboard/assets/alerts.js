// The alerts of the key: their state, their newest notices, and the form that makes one.

import { json } from "./api.js";
import { announce, breakable, el, fill, morph, scrolls } from "./dom.js";
import { moment, plural } from "./format.js";
import { complain, live } from "./live.js";

/** How often the alerts are fetched again, milliseconds. */
const REFRESH_MS = 15_000;
/** Notices that are shown of an alert. */
const NOTICES_SHOWN = 10;
const TONES = { ok: "good", pending: "warn", firing: "bad", no_data: "idle" };
const STATES = { ok: "ok", pending: "pending", firing: "firing", no_data: "no data" };
const DELIVERED = { delivered: "good", pending: "warn", failed: "bad" };
/** Each condition with its words, and which fields go with it. */
const CONDITIONS = {
  mention_rate_below: { words: "Mention rate below", tracked: true, threshold: "0.3", rule: "A share above 0 and below 1, such as 0.3." },
  mention_rate_above: { words: "Mention rate above", tracked: true, threshold: "0.7", rule: "A share above 0 and below 1, such as 0.7." },
  domain_appeared: { words: "A domain appeared", tracked: true, threshold: "0.1", rule: "The share of answers from which on a domain is there." },
  domain_vanished: { words: "A domain vanished", tracked: true, threshold: "0.1", rule: "The share of answers from which on a domain is there." },
  scraper_unhealthy: { words: "Scraper unhealthy", scraper: true, threshold: "0.5", rule: "The share of attempts that must succeed." },
  budget_reached: { words: "Budget reached", threshold: "5", rule: "US dollars in a day." },
};

const badge = (word, tone) => el("span", { class: `badge ${tone}` }, word);
const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
const percent = (share) => `${Math.round(share * 1000) / 10} %`;

/** The list, and below it the form for a new one. */
export function alerts(main, { signal, drawn }) {
  let known = null;
  /** The alert whose notices are open, with those. */
  let open = null;
  // One listener for all buttons: they are changed in place when an alert has changed.
  const body = el("div", { class: "stack", on: { click: pressed } });
  const said = el("p", { class: "error", role: "alert" });
  const making = el("section", { class: "card", "aria-labelledby": "new-alert" }, el("h2", { id: "new-alert" }, "New alert"));
  fill(main, el("div", { class: "title" }, el("h1", {}, "Alerts")), said, body, making);
  live.addEventListener("back", load, { signal });
  const timer = setInterval(load, REFRESH_MS);
  start();
  return () => clearInterval(timer);

  async function start() {
    await Promise.all([load(), form()]);
    if (known && !signal.aborted) drawn();
  }

  async function load() {
    try {
      const list = await json("/alerts", { signal });
      const shown = open && (await json(`/alerts/${open}`, { signal }).catch(() => null));
      if (open && !shown) open = null;
      known = list.alerts.map((alert) => (shown?.alert_id === alert.alert_id ? shown : alert));
    } catch (error) {
      if (!signal.aborted && !known) complain(said, error);
      return;
    }
    if (!signal.aborted) morph(body, el("div", { class: "stack" }, known.length === 0 ? nothing() : known.map(card)));
  }

  async function form() {
    const [trackers, scrapers] = await Promise.all([
      json("/trackers", { signal }).then((list) => list.trackers.map(({ name }) => name), () => []),
      json("/scrapers", { signal }).then((list) => list.scrapers.map(({ name }) => name), () => []),
    ]);
    if (!signal.aborted) making.append(alertForm(trackers, scrapers, load));
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
    const alert = known?.find(({ alert_id: id }) => id === of);
    if (!alert) return;
    const path = `/alerts/${of}`;
    if (what === "pause") act(path, { method: "PATCH", body: { paused: true } }, `${alert.name} is paused.`);
    else if (what === "resume") act(path, { method: "PATCH", body: { paused: false } }, `${alert.name} goes on.`);
    else if (what === "test") {
      open = of;
      act(`${path}/test`, { method: "POST" }, `A test of ${alert.name} is on its way.`);
    } else if (what === "notices") {
      open = open === of ? null : of;
      load();
    }
  }

  function card(alert) {
    const { alert_id: id, name, paused, notices } = alert;
    const isOpen = open === id;
    const button = (label, what, more = {}) => el("button", { type: "button", class: "button small", "aria-label": `${label}: ${name}`, "data-act": what, "data-of": id, ...more }, label);
    return el("section", { class: "card", "data-key": id, "aria-label": name },
      el("div", { class: "card-head" }, el("h2", {}, breakable(name)), paused ? badge("paused", "idle") : badge(STATES[alert.state] ?? alert.state, TONES[alert.state] ?? "idle")),
      el("p", { class: "quiet" }, condition(alert)),
      el("dl", { class: "facts" },
        fact("Latest value", value(alert)),
        fact("Evaluated", alert.evaluated_at ? moment(alert.evaluated_at) : "not yet"),
        fact("Notices", String(alert.notice_count)),
        fact("Sent to", [alert.to.format, " ", breakable(host(alert.to.webhook))])),
      el("div", { class: "buttons" },
        paused ? button("Resume", "resume") : button("Pause", "pause"),
        button("Send a test", "test"),
        button(isOpen ? "Hide notices" : "Show notices", "notices", { "aria-expanded": String(isOpen) })),
      isOpen && notices && noticesTable(name, notices));
  }
}

/** What to do where there is none. */
function nothing() {
  return el("section", { class: "card empty" }, el("h2", {}, "No alert yet"),
    el("p", {}, "An alert sends a notice to a webhook, to Slack or to Discord when what was measured crosses a limit: when fewer answers mention your brand, say. Make one with the form below, or from the terminal."),
    el("a", { class: "button", href: "/docs/alerts" }, "Read about alerts"));
}

function host(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

function condition({ when, tracker, brand, scraper, threshold, over }) {
  const known = CONDITIONS[when];
  const limit = threshold === null ? "the key's cap" : when === "budget_reached" ? `${threshold} USD a day` : percent(threshold);
  const of = [tracker, brand, scraper].filter(Boolean).join(", ");
  return `${known?.words ?? when}: ${limit}${of && `, ${of}`}${over ? `, over ${over}` : ""}`;
}

function value({ when, value: measured, sample }) {
  if (measured === null) return sample > 0 ? plural(sample, "answer") : "none yet";
  if (when === "budget_reached") return `${measured} USD today`;
  return `${percent(measured)} of ${sample}`;
}

function noticesTable(name, notices) {
  if (notices.length === 0) return el("p", { class: "quiet" }, "It has sent none yet.");
  const cell = (label, ...content) => el("td", { "data-label": label }, content);
  return el("div", { class: "scroll", ...scrolls(`Notices of ${name}`) }, el("table", { class: "rows stacked" },
    el("thead", {}, el("tr", {}, ["At", "Delivery", "What happened"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, notices.slice(0, NOTICES_SHOWN).map((notice) => el("tr", { "data-key": notice.notice_id },
      el("th", { scope: "row" }, moment(notice.at)),
      cell("Delivery", badge(notice.state, DELIVERED[notice.state] ?? "idle"), notice.attempts > 1 && ` ${plural(notice.attempts, "attempt")}`),
      cell("What happened", el("span", { dir: "auto" }, breakable(notice.message))))))));
}

/** The form for an alert. */
function alertForm(trackers, scrapers, made) {
  const options = (names) => names.map((name) => el("option", { value: name }, name));
  const field = (id, label, input, rule) => el("div", { class: "field" }, el("label", { for: id }, label), input, rule && el("p", { class: "quiet small", id: `${id}-rule` }, rule));
  const name = el("input", { id: "alert-name", required: true, maxlength: 100, autocomplete: "off", dir: "auto" });
  const when = el("select", { id: "alert-when", on: { change: fit } }, Object.entries(CONDITIONS).map(([word, { words }]) => el("option", { value: word }, words)));
  const tracker = el("select", { id: "alert-tracker" }, options(trackers));
  const scraper = el("select", { id: "alert-scraper" }, el("option", { value: "" }, "All of them"), options(scrapers));
  const threshold = el("input", { id: "alert-threshold", inputmode: "decimal", autocomplete: "off", required: true, "aria-describedby": "alert-threshold-rule" });
  const over = el("input", { id: "alert-over", value: "3 runs", autocomplete: "off", required: true, "aria-describedby": "alert-over-rule" });
  const webhook = el("input", { id: "alert-webhook", type: "url", required: true, autocomplete: "off" });
  const format = el("select", { id: "alert-format" }, options(["standard", "slack", "discord"]));
  const error = el("p", { class: "error", role: "alert" });
  const save = el("button", { type: "submit", class: "button primary" }, "Create alert");
  const fields = {
    tracker: field("alert-tracker", "Tracker", tracker, trackers.length === 0 && "There is no tracker yet: make one under Trackers."),
    scraper: field("alert-scraper", "Scraper", scraper),
    threshold: field("alert-threshold", "Threshold", threshold, " "),
    over: field("alert-over", "Over", over, "1 to 10 runs, or 1 to 90 days."),
  };
  fit();
  return el("form", { class: "new", on: { submit } }, el("div", { class: "fields" },
    field("alert-name", "Name", name), field("alert-when", "Condition", when),
    fields.tracker, fields.scraper, fields.threshold, fields.over,
    field("alert-webhook", "Webhook", webhook), field("alert-format", "Format", format)),
  error, el("div", { class: "buttons" }, save));

  /** Shows what goes with the condition. */
  function fit() {
    const { tracked, scraper: ofScraper, threshold: usual, rule } = CONDITIONS[when.value];
    fields.tracker.hidden = fields.over.hidden = !tracked;
    fields.scraper.hidden = !tracked && !ofScraper;
    threshold.value = usual;
    fields.threshold.querySelector("p").textContent = rule;
  }

  async function submit(event) {
    event.preventDefault();
    error.textContent = "";
    save.disabled = true;
    const { tracked, scraper: ofScraper } = CONDITIONS[when.value];
    const number = Number(threshold.value.replace(",", "."));
    const body = {
      name: name.value, when: when.value, threshold: Number.isNaN(number) ? threshold.value : number,
      to: { webhook: webhook.value, format: format.value },
      ...(tracked && { tracker: tracker.value, over: over.value }),
      ...((tracked || ofScraper) && scraper.value && { scraper: scraper.value }),
    };
    try {
      const alert = await json("/alerts", { method: "POST", body });
      announce(`The alert ${alert.name} is made.`);
      name.value = webhook.value = "";
      await made();
    } catch (refused) {
      complain(error, refused);
    } finally {
      save.disabled = false;
    }
  }
}
