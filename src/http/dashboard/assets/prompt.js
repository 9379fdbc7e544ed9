// The form that sends prompts to several scrapers, in several countries, several times.

import { json } from "./api.js";
import { countries } from "./countries.js";
import { breakable, el, fill } from "./dom.js";
import { duration, percent, plural, whole } from "./format.js";
import { complain, live, scrapers } from "./live.js";
import { badge, lacking } from "./overview_parts.js";
import { newId } from "./session.js";

const PROMPT_CHARS_MAX = 4000;
const LABEL_CHARS_MAX = 200;
const SAMPLES_MAX = 20;
/** The most jobs of a batch, and of one that goes ahead of queued jobs. */
const JOBS_MAX = 1000;
const INTERACTIVE_JOBS_MAX = 20;
/** Bounds and default of `timeout`, seconds. */
const [TIMEOUT_MIN, TIMEOUT_MAX, TIMEOUT_DEFAULT] = [10, 600, 300];
/** Parameters that are left out where they have these values. */
const DEFAULTS = { markdown_json: false, require_search: false, keep_unsearched: false };
/** Where the choices of the last submit are kept: neither prompts nor addresses. */
const CHOICES = "answerd.new";
/** The most jobs that are shown side by side. */
const COMPARED_MAX = 20;

export function prompt(main, { query, usage, signal }) {
  const text = el("textarea", { id: "prompt", rows: 5, required: true, dir: "auto", "aria-describedby": "prompt-count form-error", placeholder: "How long are results kept?", on: { input: update, keydown: sendByKey } });
  const counted = el("span", { id: "prompt-count", class: "quiet small" });
  const perLine = el("input", { type: "checkbox", id: "per-line", on: { change: update } });
  const places = el("div", { class: "stack places" });
  const morePlaces = el("button", { type: "button", class: "button small", on: { click: () => addPlace().focus() } }, "Add a country");
  const samples = el("input", { id: "samples", type: "number", min: 1, max: SAMPLES_MAX, step: 1, value: 1, required: true, on: { input: update } });
  const label = el("input", { id: "label", maxlength: LABEL_CHARS_MAX, dir: "auto", autocomplete: "off" });
  const timeout = el("input", { id: "timeout", type: "number", min: TIMEOUT_MIN, max: TIMEOUT_MAX, step: "any", value: TIMEOUT_DEFAULT, required: true });
  const webhook = el("input", { id: "webhook", type: "url", autocomplete: "off", placeholder: "https://…/hook", "aria-describedby": "webhook-hint" });
  const ahead = el("input", { type: "checkbox", id: "ahead" });
  const webSearch = el("input", { type: "checkbox", id: "web-search", checked: true });
  const fresh = el("input", { type: "checkbox", id: "fresh" });
  const choices = el("div", { class: "choices" }, el("p", { class: "quiet" }, "Loading …"));
  const price = el("p", { class: "quiet small", id: "price", "aria-live": "polite" });
  const error = el("p", { class: "error", id: "form-error", role: "alert" });
  const button = el("button", { class: "button primary", type: "submit" }, "Submit");
  let known = [];
  /** What of an earlier job the form has no field for, and its scraper. */
  let kept = {};
  /** The choices of the last submit, where the address names none. */
  const before = query.size === 0 ? choicesBefore() : {};
  let preferred = query.has("scraper") ? [query.get("scraper")] : before.scrapers ?? [];
  const keptLine = el("p", { class: "quiet small", id: "kept" });
  ahead.checked = before.ahead ?? true;
  (before.countries ?? ["US"]).forEach((code, at) => addPlace(code, at === 0 ? "country" : null));
  fill(main,
    el("div", { class: "title" }, el("h1", {}, "New prompt")),
    el("form", { class: "card new", on: { submit } },
      el("div", { class: "field" }, el("div", { class: "label-row" }, el("label", { for: "prompt" }, "Prompt"), counted), text,
        el("label", { class: "check" }, perLine, "One prompt per line")),
      el("fieldset", {}, el("legend", {}, "Scrapers"), el("p", { class: "quiet small" }, "Runs one job per scraper and shows the answers side by side."), choices),
      el("div", { class: "fields" },
        el("div", { class: "field" }, el("label", { for: "country" }, "Country"), places, el("div", {}, morePlaces)),
        el("div", { class: "field" }, el("label", { for: "samples" }, "Answers to each prompt"), samples,
          el("label", { for: "label" }, "Label ", el("span", { class: "quiet" }, "(optional)")), label),
        el("div", { class: "field" }, el("label", { for: "webhook" }, "Webhook ", el("span", { class: "quiet" }, "(optional)")), webhook,
          el("span", { class: "quiet small", id: "webhook-hint" }, "Called once, when the job or the whole batch has ended.")),
        el("div", { class: "field" }, el("label", { for: "timeout" }, "Timeout of an attempt, seconds"), timeout)),
      el("div", { class: "checks" },
        el("label", { class: "check" }, webSearch, "Use web search (if supported)"),
        el("label", { class: "check" }, fresh, "Skip the cache"),
        el("label", { class: "check" }, ahead, `Run before queued jobs (up to ${INTERACTIVE_JOBS_MAX} jobs)`)),
      keptLine,
      error,
      el("div", { class: "buttons" }, button, price)));
  update();
  text.focus();
  live.addEventListener("back", () => known.length === 0 && load(), { signal });
  load();

  async function load() {
    try {
      if (query.get("from")) await prefill(query.get("from"));
      fillChoices(await scrapers());
    } catch (refused) {
      if (!signal.aborted) complain(error, refused);
    }
  }

  /** Fills the form with what an earlier job asked for, without its webhook: that may be in production. */
  async function prefill(id) {
    const job = await json(`/jobs/${id}?fields=status`, { signal });
    const own = await json(`/jobs/${id}/attempts`, { signal }).catch((refused) => {
      if (refused.status === 404 || refused.status === 401) return null;
      throw refused;
    });
    const { prompt: asked, country, label: labeled, web_search: searches = true, bypass_cache, webhook_url, timeout: seconds, ...rest } = own?.parameters ?? job;
    text.value = asked;
    label.value = labeled ?? "";
    webSearch.checked = searches;
    fresh.checked = true;
    timeout.value = seconds ?? TIMEOUT_DEFAULT;
    preferred = [job.scraper];
    places.querySelector("select").value = country;
    kept = own ? Object.fromEntries(Object.entries(rest).filter(([name, value]) => value !== null && DEFAULTS[name] !== value)) : {};
    keptLine.textContent = Object.keys(kept).length ? `Also as before: ${Object.entries(kept).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ")}.` : "";
  }

  function addPlace(code = "", id = null) {
    const select = el("select", { id, "aria-label": id ? null : "Another country", on: { change: update } },
      countries().map(([each, name]) => el("option", { value: each, selected: each === code }, `${name} (${each})`)));
    const remove = id ? null : el("button", { type: "button", class: "button small", on: { click: () => removePlace(row) } }, "Remove");
    const row = el("div", { class: "buttons place" }, select, remove);
    places.append(row);
    update();
    return select;
  }

  function removePlace(row) {
    row.remove();
    update();
    morePlaces.focus();
  }

  function fillChoices(all) {
    if (signal.aborted) return;
    known = all;
    const ready = all.filter(({ configured }) => configured);
    const first = ready.find(({ name }) => name !== "practice") ?? ready[0];
    const wanted = ready.filter(({ name }) => preferred.includes(name));
    const names = (wanted.length > 0 ? wanted : [first]).map((scraper) => scraper?.name);
    fill(choices, ready.map(({ name, credits, health, upstreams }) =>
      el("label", { class: "choice" },
        el("input", { type: "checkbox", name: "scraper", value: name, checked: names.includes(name), on: { change: update } }),
        el("span", {}, breakable(name), el("span", { class: "quiet small under" }, [plural(credits, "credit"), ...healthOf(health)].join(" · ")), standing(upstreams)))));
    const rest = lacking(all);
    if (rest && !choices.nextElementSibling?.matches(".lacking")) choices.after(rest);
    if (ready.length === 0) fill(choices, el("p", { class: "error" }, "No scraper is configured. ", el("a", { href: "/docs/scrapers" }, "What each of them needs")));
    update();
  }

  /** What the form asks for, as a batch. */
  function asked() {
    const names = [...choices.querySelectorAll("input:checked")].map(({ value }) => value);
    const lines = perLine.checked ? text.value.split("\n").filter((line) => line.trim()) : [text.value];
    return {
      prompts: lines,
      scrapers: known.filter(({ name }) => names.includes(name)),
      countries: [...new Set([...places.querySelectorAll("select")].map(({ value }) => value))],
      samples: samples.valueAsNumber,
    };
  }

  function update() {
    const { prompts, scrapers: picked, countries: codes, samples: times } = asked();
    const longest = Math.max(0, ...prompts.map((each) => [...each].length));
    counted.textContent = `${perLine.checked ? `${plural(prompts.length, "prompt")}, the longest ` : ""}${whole(longest)} / ${whole(PROMPT_CHARS_MAX)}`;
    counted.classList.toggle("bad", longest > PROMPT_CHARS_MAX);
    const refuses = picked.flatMap(({ name, refused_countries: refused }) => codes.filter((code) => refused.includes(code)).map((code) => `${name} cannot be asked for ${code}`));
    const each = Math.max(1, prompts.length) * codes.length * (times || 1);
    const jobs = each * picked.length;
    const sum = picked.reduce((all, { credits }) => all + credits, 0) * each;
    const left = usage.left === null ? "" : `; ${whole(usage.left)} left`;
    const wrong = refuses.length ? `${refuses.join("; ")}.`
      : picked.length === 0 ? "Choose at least one scraper."
      : jobs > JOBS_MAX ? `${plural(jobs, "job")}; a batch has at most ${whole(JOBS_MAX)}.` : "";
    price.textContent = wrong || `${plural(jobs, "job")}, at most ${plural(sum, "credit")}${left}`;
    button.disabled = picked.length === 0 || jobs > JOBS_MAX;
    ahead.disabled = jobs > INTERACTIVE_JOBS_MAX;
  }

  function sendByKey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
  }

  async function submit(event) {
    event.preventDefault();
    const { prompts, scrapers: picked, countries: codes, samples: times } = asked();
    const names = picked.map(({ name }) => name);
    const jobs = prompts.length * names.length * codes.length * times;
    if (names.length === 0 || prompts.length === 0) return;
    button.disabled = true;
    error.textContent = "";
    const body = { ...kept, web_search: webSearch.checked, bypass_cache: fresh.checked };
    if (label.value.trim()) body.label = label.value.trim();
    if (webhook.value.trim()) body.webhook_url = webhook.value.trim();
    if (timeout.valueAsNumber !== TIMEOUT_DEFAULT) body.timeout = timeout.valueAsNumber;
    body.interactive = ahead.checked && jobs <= INTERACTIVE_JOBS_MAX;
    // A repeated press, or a reply that got lost, makes no second job.
    const headers = { "Idempotency-Key": newId() };
    try {
      if (jobs === 1) {
        const job = await json(`/scrapers/${names[0]}/jobs`, { method: "POST", body: { ...body, prompt: prompts[0], country: codes[0] }, headers });
        keepChoices({ scrapers: names, countries: codes, ahead: ahead.checked });
        location.hash = `/jobs/${job.job_id}`;
      } else {
        const many = { ...body, prompts, scrapers: names, countries: codes };
        if (times > 1) many.samples = times;
        const batch = await json("/batches", { method: "POST", body: many, headers });
        keepChoices({ scrapers: names, countries: codes, ahead: ahead.checked });
        location.hash = `/${jobs <= COMPARED_MAX ? "compare" : "batches"}/${batch.batch_id}`;
      }
    } catch (refused) {
      if (signal.aborted) return;
      complain(error, refused);
      button.disabled = false;
      text.setAttribute("aria-invalid", String(refused.code?.startsWith("prompt_") ?? false));
    }
  }
}

/** The scrapers, the countries and the place in the queue that were chosen last in this browser. */
function choicesBefore() {
  try {
    const { scrapers: names, countries: codes, ahead } = JSON.parse(localStorage.getItem(CHOICES)) ?? {};
    const known = new Set(countries().map(([code]) => code));
    const kept = Array.isArray(codes) ? codes.filter((code) => known.has(code)) : [];
    return { scrapers: Array.isArray(names) ? names : [], countries: kept.length > 0 ? kept : undefined, ahead };
  } catch {
    return {};
  }
}

function keepChoices(choices) {
  try {
    localStorage.setItem(CHOICES, JSON.stringify(choices));
  } catch {
    // The next visit begins with the defaults.
  }
}

/** Whether upstreams of a scraper are paused; nothing where all take calls. */
function standing(upstreams) {
  const ready = upstreams.filter(({ configured }) => configured);
  const paused = ready.filter(({ breaker }) => breaker === "open" || breaker === "half_open");
  if (paused.length === 0) return null;
  return badge(paused.length === ready.length ? "paused" : `${paused.length} of ${ready.length} paused`, paused.length === ready.length ? "bad" : "warn");
}

/** The health of a scraper in the last hour; nothing where it had no attempts. */
function healthOf({ attempts, success_rate: success, p50_seconds: p50 }) {
  if (!attempts) return [];
  return [p50 !== null && `p50 ${duration(p50)}`, success !== null && `${percent(success)} succeed`].filter(Boolean);
}
