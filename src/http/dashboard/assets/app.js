// Starts the dashboard: signs in where that is needed, and shows the view that the address names.

import { alerts } from "./alerts.js";
import { OfflineError, json, onMessage } from "./api.js";
import { batch } from "./batch.js";
import { batches } from "./batches.js";
import { compare } from "./compare.js";
import { announce, el, fill } from "./dom.js";
import { job } from "./job.js";
import { jobs } from "./jobs.js";
import { live } from "./live.js";
import { overview } from "./overview.js";
import { arrive, depart, forgetPlaces, restore } from "./places.js";
import { prompt } from "./prompt.js";
import { promptHistory } from "./prompt_history.js";
import { prompts } from "./prompts.js";
import { schedules } from "./schedules.js";
import { currentKey, dropKey, endSession, whenShared } from "./session.js";
import { mark, shell } from "./shell.js";
import { signIn } from "./sign_in.js";
import { tracker } from "./tracker.js";
import { trackerSources } from "./tracker_sources.js";
import { trackers } from "./trackers.js";
import { usage as usageView } from "./usage.js";

const main = document.getElementById("main");
/** What the server knows of the key; null while signed out. */
let usage = null;
/** Ends the view that is shown. */
let leave = () => {};

/** Path, the tab it belongs to, and the view: a function that fills `main` and gives its end. */
const VIEWS = [
  [/^\/$/, "/", overview],
  [/^\/jobs$/, "/jobs", jobs],
  [/^\/jobs\/([0-9a-f-]{36})$/, "/jobs", job],
  [/^\/batches$/, "/batches", batches],
  [/^\/batches\/([0-9a-f-]{36})$/, "/batches", batch],
  [/^\/new$/, "/new", prompt],
  [/^\/compare\/([0-9a-f-]{36})$/, "/batches", compare],
  [/^\/schedules$/, "/schedules", schedules],
  [/^\/trackers$/, "/trackers", trackers],
  [/^\/trackers\/([a-z0-9_-]+)$/, "/trackers", tracker],
  [/^\/trackers\/([a-z0-9_-]+)\/sources$/, "/trackers", trackerSources],
  [/^\/prompts$/, "/jobs", prompts],
  [/^\/prompts\/([0-9a-f-]{36})$/, "/jobs", promptHistory],
  [/^\/alerts$/, "/alerts", alerts],
  [/^\/usage$/, "/usage", usageView],
];

function show({ focus, from }) {
  leave();
  leave = () => {};
  if (!usage) return;
  const [path, query = ""] = location.hash.slice(1).split("?");
  for (const [pattern, tab, view] of VIEWS) {
    const found = (path || "/").match(pattern);
    if (!found) continue;
    mark(tab, usage);
    const ended = new AbortController();
    const place = arrive(from);
    let settled = false;
    fill(main);
    // A view that was left before is put back once, when it has drawn what there is to see.
    const drawn = () => {
      if (place && !settled && !ended.signal.aborted) restore(main, place);
      settled = true;
    };
    const stop = view(main, { id: found[1], query: new URLSearchParams(query), usage, signal: ended.signal, kept: place?.kept, drawn });
    leave = () => {
      ended.abort();
      depart(main, stop?.());
    };
    settle(focus, place && settled);
    return;
  }
  mark("", usage);
  fill(main, el("div", { class: "empty" }, el("h1", {}, "Page not found"),
    el("p", {}, "The dashboard has no such page. "), el("a", { class: "button", href: "#/" }, "Overview")));
  settle(focus);
}

/** Names the page after its heading, and takes the focus there after a step from view to view. */
function settle(focus, restored = false) {
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · answerd` : "answerd";
  if (!focus) return;
  announce(heading?.textContent ?? "");
  if (restored) return;
  scrollTo(0, 0);
  if (!main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

function signedIn(known, focus) {
  usage = known;
  live.start();
  show({ focus });
}

/** Forgets the key in this tab, and shows the form. */
function signOut(reason = "") {
  live.stop();
  leave();
  leave = () => {};
  forgetPlaces();
  usage = null;
  dropKey();
  mark("", null);
  document.title = "Sign in · answerd";
  signIn(main, { reason, signedIn: (known) => signedIn(known, true) });
}

async function start() {
  if (usage) return;
  try {
    signedIn(await json("/usage"), false);
  } catch (error) {
    if (!(error instanceof OfflineError) && error.status === 401) return;
    fill(main, el("div", { class: "empty" }, el("h1", {}, "The server does not answer"),
      el("p", {}, error.message), el("p", { class: "quiet" }, "This page tries again by itself.")));
    setTimeout(start, 2000);
  }
}

onMessage({
  signedOut: () => {
    // The form reports its own key itself.
    if (!document.getElementById("key")) signOut(currentKey() ? "This key is no longer valid." : "");
  },
  away: () => live.markStale(),
});
whenShared({
  given: start,
  ended: () => signOut("You have signed out in another tab."),
});
shell({
  signOut: () => {
    endSession();
    signOut();
  },
});
addEventListener("hashchange", ({ oldURL }) => show({ focus: true, from: new URL(oldURL).hash }));
start();
