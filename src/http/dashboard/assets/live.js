// The stream of how the scrapers stand, which is also how the page knows that the server is there.

import { ApiError, OfflineError, events, json, text } from "./api.js";
import { learnTime } from "./format.js";

const RETRY_MS_MAX = 10_000;

/**
 * The state of the connection: `off` while signed out, `connecting`, `live`, or
 * `away` with the time of the next try. Sends the events `state`, `overview` (what the scrapers do) and `back`.
 */
class Live extends EventTarget {
  state = "off";
  /** When the next try begins; while the server is away. */
  nextTryMs = 0;
  /** Why the stream is not there, when the server itself is. */
  reason = "";
  overview = null;
  #stop = null;
  #wake = () => {};

  constructor() {
    super();
    // A browser opens six connections to a server at most, for all tabs together, and a stream
    // takes one: a hidden tab has none.
    document.addEventListener("visibilitychange", () => {
      if (!this.#stop) return;
      this.#stop.abort();
      this.#stop = new AbortController();
      if (!document.hidden) this.#run(this.#stop.signal, true);
    });
  }

  /** Starts, or starts over with another key. */
  start() {
    this.stop();
    this.#set("connecting");
    this.#stop = new AbortController();
    this.#run(this.#stop.signal, false);
  }

  stop() {
    this.#stop?.abort();
    this.#stop = null;
    this.overview = null;
    this.#set("off");
  }

  /** Tries again at once. */
  retry() {
    this.#wake();
  }

  /** Another request has found the server away. */
  markStale() {
    if (this.state !== "live" || !this.#stop) return;
    // First of all, so that the next try's own failure does not mark it again.
    this.#set("connecting");
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#run(this.#stop.signal, true);
  }

  /** Follows the stream until it is stopped. `lost` says that something may have been missed. */
  async #run(signal, lost) {
    let failures = 0;
    while (!signal.aborted) {
      this.reason = "";
      try {
        await events("/stats/events", {
          signal,
          opened: () => {
            failures = 0;
            this.#set("live");
            if (lost) this.dispatchEvent(new Event("back"));
            lost = false;
          },
          event: (_, data) => {
            learnTime(data.now);
            this.overview = data;
            this.dispatchEvent(new CustomEvent("overview", { detail: data }));
          },
        });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) return;
        if (error instanceof ApiError) this.reason = error.message;
      }
      if (signal.aborted) return;
      lost = true;
      await this.#pause(Math.min(500 * 2 ** failures, RETRY_MS_MAX), signal);
      failures += 1;
    }
  }

  async #pause(ms, signal) {
    this.nextTryMs = Date.now() + ms;
    this.#set("away");
    await new Promise((done) => {
      this.#wake = done;
      setTimeout(done, ms);
      signal.addEventListener("abort", done);
    });
  }

  #set(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

export const live = new Live();

/**
 * Has `look` called whenever something has changed at the server: one call at a time, and another
 * when more has changed meanwhile. Gives the function that looks now.
 */
export function follow(look, signal) {
  let looking = false;
  let more = false;
  async function run() {
    more = true;
    if (looking) return;
    looking = true;
    while (more && !signal.aborted) {
      more = false;
      // The banner shows that the server is away; when it is back, views read everything again.
      await look().catch(() => {});
    }
    looking = false;
  }
  live.addEventListener("overview", run, { signal });
  return run;
}

/** How often a server is asked whether it is back while no stream would tell, milliseconds. */
const ASK_MS = 2000;

/** Says in an element why something failed. That the server was away is taken back when it no longer is. */
export function complain(element, error) {
  element.textContent = error.message;
  if (!(error instanceof OfflineError) && error.code !== "shutting_down") return;
  const takeBack = () => {
    if (element.textContent === error.message) element.textContent = "";
  };
  const ask = () => element.isConnected && text("/healthz").then(takeBack, () => setTimeout(ask, ASK_MS));
  if (live.state === "off") ask();
  else live.addEventListener("back", takeBack, { once: true });
}

let known = null;

/** Every scraper with what it takes; asked for once, and again after the server was away. */
export function scrapers() {
  known ??= json("/scrapers").then(
    (list) => list.scrapers,
    (error) => {
      known = null;
      throw error;
    },
  );
  return known;
}

live.addEventListener("back", () => (known = null));
