// The form that sends one prompt to several scrapers at once.

import { json } from "./api.js";
import { countries } from "./countries.js";
import { breakable, el, fill } from "./dom.js";
import { plural, whole } from "./format.js";
import { complain, live, scrapers } from "./live.js";
import { lacking } from "./overview_parts.js";
import { newId } from "./session.js";

const PROMPT_CHARS_MAX = 4000;
const LABEL_CHARS_MAX = 200;

export function prompt(main, { usage, signal }) {
  const text = el("textarea", { id: "prompt", rows: 5, required: true, dir: "auto", "aria-describedby": "prompt-count form-error", placeholder: "How long are results kept?", on: { input: count, keydown: sendByKey } });
  const counted = el("span", { id: "prompt-count", class: "quiet small" });
  const country = el("select", { id: "country", on: { change: cost } }, countries().map(([code, name]) => el("option", { value: code, selected: code === "US" }, `${name} (${code})`)));
  const label = el("input", { id: "label", maxlength: LABEL_CHARS_MAX, dir: "auto", autocomplete: "off" });
  const webSearch = el("input", { type: "checkbox", id: "web-search", checked: true });
  const fresh = el("input", { type: "checkbox", id: "fresh" });
  const choices = el("div", { class: "choices" }, el("p", { class: "quiet" }, "Loading …"));
  const price = el("p", { class: "quiet small", id: "price", "aria-live": "polite" });
  const error = el("p", { class: "error", id: "form-error", role: "alert" });
  const button = el("button", { class: "button primary", type: "submit" }, "Submit");
  let known = [];
  fill(main,
    el("div", { class: "title" }, el("h1", {}, "New prompt")),
    el("form", { class: "card new", on: { submit } },
      el("div", { class: "field" }, el("div", { class: "label-row" }, el("label", { for: "prompt" }, "Prompt"), counted), text),
      el("fieldset", {}, el("legend", {}, "Scrapers"), el("p", { class: "quiet small" }, "Each is a job of its own; the answers stand side by side."), choices),
      el("div", { class: "fields" },
        el("div", { class: "field" }, el("label", { for: "country" }, "Country"), country),
        el("div", { class: "field" }, el("label", { for: "label" }, "Label ", el("span", { class: "quiet" }, "(optional)")), label)),
      el("div", { class: "checks" },
        el("label", { class: "check" }, webSearch, "Search the web, where the upstream can switch it"),
        el("label", { class: "check" }, fresh, "A fresh answer, not one from the cache")),
      error,
      el("div", { class: "buttons" }, button, price)));
  count();
  text.focus();
  live.addEventListener("back", () => known.length === 0 && load(), { signal });
  load();

  function load() {
    scrapers().then(fillChoices, (refused) => complain(error, refused));
  }

  function fillChoices(all) {
    if (signal.aborted) return;
    known = all;
    const ready = all.filter(({ configured }) => configured);
    const first = ready.find(({ name }) => name !== "practice") ?? ready[0];
    fill(choices, ready.map(({ name, credits }) =>
      el("label", { class: "choice" },
        el("input", { type: "checkbox", name: "scraper", value: name, checked: name === first?.name, on: { change: cost } }),
        el("span", {}, breakable(name), el("span", { class: "quiet small under" }, plural(credits, "credit"))))));
    const rest = lacking(all);
    if (rest) choices.after(rest);
    if (ready.length === 0) fill(choices, el("p", { class: "error" }, "No scraper is configured. ", el("a", { href: "/docs/scrapers" }, "What each of them needs")));
    cost();
  }

  function chosen() {
    const names = [...choices.querySelectorAll("input:checked")].map(({ value }) => value);
    return known.filter(({ name }) => names.includes(name));
  }

  function count() {
    const chars = [...text.value].length;
    counted.textContent = `${whole(chars)} / ${whole(PROMPT_CHARS_MAX)}`;
    counted.classList.toggle("bad", chars > PROMPT_CHARS_MAX);
  }

  function cost() {
    const picked = chosen();
    const sum = picked.reduce((all, { credits }) => all + credits, 0);
    const refuses = picked.filter(({ refused_countries }) => refused_countries.includes(country.value)).map(({ name }) => name);
    const left = usage.left === null ? "" : `; ${whole(usage.left)} left`;
    price.textContent = refuses.length ? `${refuses.join(" and ")} cannot be asked for this country.` : picked.length ? `${plural(picked.length, "job")}, at most ${plural(sum, "credit")}${left}` : "Choose at least one scraper.";
    button.disabled = picked.length === 0;
  }

  function sendByKey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
  }

  async function submit(event) {
    event.preventDefault();
    const picked = chosen().map(({ name }) => name);
    if (picked.length === 0) return;
    button.disabled = true;
    error.textContent = "";
    const body = { prompt: text.value, country: country.value, web_search: webSearch.checked, bypass_cache: fresh.checked };
    if (label.value.trim()) body.label = label.value.trim();
    // A repeated press, or a reply that got lost, makes no second job.
    const headers = { "Idempotency-Key": newId() };
    try {
      if (picked.length === 1) {
        // Somebody waits for it, so it does not queue after a batch.
        const job = await json(`/scrapers/${picked[0]}/jobs`, { method: "POST", body: { ...body, interactive: true }, headers });
        location.hash = `/jobs/${job.job_id}`;
      } else {
        const items = picked.map((scraper) => ({ scraper, prompt: body.prompt }));
        const batch = await json("/batches", { method: "POST", body: { ...body, prompt: undefined, items }, headers });
        location.hash = `/compare/${batch.batch_id}`;
      }
    } catch (refused) {
      if (signal.aborted) return;
      complain(error, refused);
      button.disabled = false;
      text.setAttribute("aria-invalid", String(refused.code?.startsWith("prompt_") ?? false));
    }
  }
}
