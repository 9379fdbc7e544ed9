// The trackers of the key, and the form that makes or changes one.

import { json } from "./api.js";
import { breakable, el, fill, scrolls } from "./dom.js";
import { moment } from "./format.js";
import { complain, live } from "./live.js";

const BRANDS_MAX = 50;

/** The list, and below it the form for a new one. */
export function trackers(main, { signal, drawn }) {
  const body = el("div", { class: "stack" });
  fill(main, el("div", { class: "title" }, el("h1", {}, "Trackers")), body);
  live.addEventListener("back", load, { signal });
  load();

  async function load() {
    let known;
    try {
      ({ trackers: known } = await json("/trackers", { signal }));
    } catch (refused) {
      if (!signal.aborted) fill(body, el("p", { class: "error", role: "alert" }, refused.message));
      return;
    }
    if (signal.aborted) return;
    const created = (name) => (location.hash = `#/trackers/${name}`);
    fill(body,
      known.length === 0
        ? el("section", { class: "card empty" }, el("h2", {}, "No trackers yet"),
          el("p", {}, "A tracker looks for your brands and those of your competitors in every answer of a job that names it, and keeps the counts when the answers have expired."),
          el("p", {}, el("a", { href: "/docs/tracking" }, "Track a brand in ten minutes")))
        : table(known),
      el("section", { class: "card", "aria-labelledby": "new-tracker" }, el("h2", { id: "new-tracker" }, "New tracker"), trackerForm(null, created)));
    drawn();
  }
}

function table(known) {
  return el("section", { class: "card flush" }, el("div", { class: "scroll", ...scrolls("Trackers") },
    el("table", { class: "rows stacked" },
      el("thead", {}, el("tr", {}, ["Tracker", "Brands", "Version", "Changed"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, known.map(({ name, brands, version, changed_at: changed }) => el("tr", { "data-key": name },
        el("th", { scope: "row" }, el("a", { href: `#/trackers/${name}` }, breakable(name))),
        el("td", { "data-label": "Brands", dir: "auto" }, brands.map((brand) => brand.name).join(", ")),
        el("td", { "data-label": "Version" }, version),
        el("td", { "data-label": "Changed" }, moment(changed))))))));
}

/** The form for a tracker; `known` is the one that it changes, null for a new one. */
export function trackerForm(known, saved) {
  const name = el("input", { id: "tracker-name", required: true, maxlength: 64, pattern: "[a-z0-9][a-z0-9_\\-]*", autocomplete: "off", value: known?.name ?? "", readonly: known !== null, "aria-describedby": "tracker-name-rule" });
  const rows = el("div", { class: "stack" }, (known?.brands ?? [{ own: true }]).map((brand) => row(brand)));
  const more = el("button", { type: "button", class: "button small", on: { click: add } }, "Add a brand");
  const error = el("p", { class: "error", role: "alert" });
  const save = el("button", { type: "submit", class: "button primary" }, known ? "Save as a new version" : "Create tracker");
  renumber();
  return el("form", { class: "new", on: { submit } },
    el("div", { class: "field" }, el("label", { for: "tracker-name" }, "Name"), name,
      el("p", { class: "quiet small", id: "tracker-name-rule" }, "Lower-case letters, digits, - and _. Jobs name it as track=NAME.")),
    rows, error, el("div", { class: "buttons" }, save, more));

  function add() {
    const added = row({});
    rows.append(added);
    renumber();
    added.querySelector("input").focus();
  }

  function row(brand) {
    const input = (field, label, value) => el("label", { class: "field" }, el("span", { class: "small" }, label),
      el("input", { name: field, value: value ?? "", dir: "auto", autocomplete: "off" }));
    const part = el("fieldset", { class: "brand" }, el("legend", {}),
      el("div", { class: "fields" },
        input("name", "Brand", brand.name),
        input("aliases", "Other names, between commas", brand.aliases?.join(", ")),
        input("domains", "Domains, between commas", brand.domains?.join(", ")),
        el("div", { class: "checks" },
          el("label", { class: "check" }, el("input", { type: "checkbox", name: "own", checked: brand.own }), "This is our brand"),
          el("button", { type: "button", class: "button small", on: { click: remove } }, "Remove"))));
    part.caseSensitive = brand.case_sensitive;
    function remove() {
      part.remove();
      renumber();
      more.focus();
    }
    return part;
  }

  function renumber() {
    [...rows.children].forEach((part, at) => {
      part.querySelector("legend").textContent = `Brand ${at + 1}`;
      part.querySelector("button").setAttribute("aria-label", `Remove brand ${at + 1}`);
    });
    more.disabled = rows.children.length >= BRANDS_MAX;
  }

  function brands() {
    const list = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
    return [...rows.children].map((part) => {
      const value = (field) => part.querySelector(`[name=${field}]`).value;
      return {
        name: value("name").trim(),
        aliases: list(value("aliases")),
        domains: list(value("domains")),
        own: part.querySelector("[name=own]").checked,
        ...(part.caseSensitive === undefined ? {} : { case_sensitive: part.caseSensitive }),
      };
    });
  }

  async function submit(event) {
    event.preventDefault();
    error.textContent = "";
    save.disabled = true;
    try {
      // A new one must not take the place of one that is there.
      const taken = !known && (await json("/trackers")).trackers.some((each) => each.name === name.value);
      if (taken) throw new Error(`There is a tracker ${name.value} already.`);
      const tracker = await json(`/trackers/${encodeURIComponent(name.value)}`, { method: "PUT", body: { brands: brands() } });
      saved(tracker.name);
    } catch (refused) {
      complain(error, refused);
    } finally {
      save.disabled = false;
    }
  }
}
