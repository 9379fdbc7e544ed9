// What stands around every view: the tabs, the state of the connection, the colors, the keyboard.

import { announce, el, fill, icon } from "./dom.js";
import { live } from "./live.js";
import { currentKey } from "./session.js";

/** The views, in the order of the tabs: path, name, sign, and the key after `g`. */
export const TABS = [
  { path: "/", name: "Overview", icon: "overview", key: "o" },
  { path: "/jobs", name: "Jobs", icon: "jobs", key: "j" },
  { path: "/batches", name: "Batches", icon: "batches", key: "b" },
  { path: "/new", name: "New prompt", icon: "prompt", key: "n" },
  { path: "/schedules", name: "Schedules", icon: "schedules", key: "s" },
  { path: "/trackers", name: "Trackers", icon: "trackers", key: "t" },
  { path: "/alerts", name: "Alerts", icon: "alerts", key: "a" },
  { path: "/usage", name: "Usage", icon: "usage", key: "u" },
];
const SHORTCUTS = "answerd.shortcuts";
const THEME = "answerd.theme";

/** Draws the shell; `signOut` is called when the key is to be forgotten. */
export function shell({ signOut }) {
  fill(document.getElementById("tabs"),
    TABS.map((tab) => el("a", { href: `#${tab.path}` }, icon(tab.icon), tab.name)),
    el("a", { href: "/docs", class: "guide" }, icon("guide"), "Guide"));
  const state = el("span", { class: "state", id: "state" });
  const theme = el("button", { type: "button", class: "tool", on: { click: turn } });
  const help = el("button", { type: "button", class: "tool keys", title: "Keyboard shortcuts", "aria-label": "Keyboard shortcuts", on: { click: showHelp } }, icon("keys"));
  const account = el("span", { class: "account", id: "account" });
  const leave = el("button", { type: "button", class: "tool", id: "sign-out", title: "Sign out", "aria-label": "Sign out", hidden: true, on: { click: signOut } }, icon("leave"));
  fill(document.getElementById("tools"), state, account, help, theme, leave);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  live.addEventListener("state", () => showState(state));
  showState(state);
  drawTheme(theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawTheme(theme));
  document.addEventListener("keydown", pressed);
  setInterval(() => live.state === "away" && showBanner(), 1000);

  function turn() {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    remember(THEME, document.documentElement.dataset.theme);
    drawTheme(theme);
  }
}

/** Marks the tab of a path, and whose key is signed in. */
export function mark(path, usage) {
  for (const tab of document.querySelectorAll("#tabs a")) {
    const own = tab.getAttribute("href") === `#${path}`;
    if (own) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
    if (own) bringIntoView(tab);
  }
  document.getElementById("account").textContent = usage && usage.account !== "anonymous" ? usage.account : "";
  document.getElementById("sign-out").hidden = !currentKey();
  document.documentElement.classList.toggle("signed-out", !usage);
}

/** Scrolls the tabs of a narrow window, and nothing else, so that one of them is in the middle. */
function bringIntoView(tab) {
  const tabs = tab.parentElement;
  const middle = (element) => element.getBoundingClientRect().left + element.clientWidth / 2;
  tabs.scrollLeft += middle(tab) - middle(tabs);
}

const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

function drawTheme(button) {
  const name = dark() ? "Light colors" : "Dark colors";
  button.title = name;
  button.setAttribute("aria-label", name);
  fill(button, icon(dark() ? "sun" : "moon"));
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It lasts until the page is loaded again.
  }
}

let shown = "";

function showState(state) {
  const words = { live: "Live", connecting: "Connecting", away: "Away", off: "" };
  state.className = `state ${live.state}`;
  state.hidden = live.state === "off";
  fill(state, el("span", { class: "dot", "aria-hidden": "true" }), words[live.state]);
  document.documentElement.classList.toggle("away", live.state === "away");
  if (live.state === "live" && shown === "away") announce("The server is back.");
  if (live.state === "live" || live.state === "away") shown = live.state;
  showBanner();
}

function showBanner() {
  const banner = document.getElementById("banner");
  if (live.state === "live" || live.state === "off") banner.hidden = true;
  if (live.state !== "away") return;
  const seconds = Math.max(0, Math.ceil((live.nextTryMs - Date.now()) / 1000));
  const when = seconds > 1 ? `Trying again in ${seconds} s.` : "Trying again.";
  if (banner.hidden) {
    // Said once: what changes every second is not for a screen reader.
    fill(banner, el("strong", {}, live.reason || "The server cannot be reached."), " ",
      el("span", { class: "when", "aria-hidden": "true" }, when), " ",
      "What you see may be old. ",
      el("button", { type: "button", class: "button small", on: { click: () => live.retry() } }, "Try now"));
    banner.hidden = false;
  } else {
    banner.querySelector(".when").textContent = when;
  }
}

let afterG = false;
const shortcutsOn = () => {
  try {
    return localStorage.getItem(SHORTCUTS) !== "off";
  } catch {
    return true;
  }
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !shortcutsOn()) return;
  if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const tab = TABS.find((known) => known.key === event.key);
  if (afterG && tab) location.hash = tab.path;
  else if (event.key === "?") showHelp();
  else if (event.key === "/") focusSearch();
  else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  else {
    afterG = event.key === "g";
    return;
  }
  afterG = false;
  event.preventDefault();
}

function focusSearch() {
  const search = document.getElementById("search");
  if (search) search.focus();
  else location.hash = "/jobs?focus=search";
}

/** Moves from one job of a list to the next. */
function step(by) {
  const links = [...document.querySelectorAll("#main a[data-step]")];
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
}

function showHelp() {
  const row = (keys, what) => el("tr", {}, el("td", {}, keys.map((key) => el("kbd", {}, key))), el("td", {}, what));
  const on = el("input", { type: "checkbox", id: "shortcuts-on" });
  on.checked = shortcutsOn();
  on.addEventListener("change", () => remember(SHORTCUTS, on.checked ? "on" : "off"));
  const dialog = el("dialog", { class: "card", "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Keyboard shortcuts"),
    el("table", { class: "shortcuts" }, el("tbody", {},
      TABS.map((tab) => row(["g", tab.key], tab.name)),
      row(["/"], "Search the jobs"),
      row(["j"], "Next job of the list"),
      row(["k"], "Previous job"),
      row(["Enter"], "Open it"),
      row(["←", "→"], "Move along the focused chart"),
      row(["?"], "This list"))),
    el("label", { class: "check" }, on, "Enable shortcuts"),
    el("form", { method: "dialog" }, el("button", { class: "button primary" }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
