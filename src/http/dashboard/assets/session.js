// The key that is signed in with. The tabs of a browser share it: one that is open hands it to a new
// one, and signing out ends it in all. Nothing outlives the tabs: no key is written to localStorage.

const KEY = "answerd.key";
/** Names the sign-in, not its key. Every tab sees it in localStorage: without it, none is signed in. */
const SESSION = "answerd.session";

const tabs = new BroadcastChannel(KEY);
const listeners = { given: () => {}, ended: () => {} };
let { key, session } = stored();

/** The key that calls are sent with; empty for none. */
export const currentKey = () => key;

/** Sends calls with a key that the server has not yet accepted. */
export function tryKey(given) {
  key = given;
}

/** Keeps the key that the server has accepted, and hands it to the tabs that ask for one. */
export function keepKey() {
  if (!key) return;
  try {
    session = localStorage.getItem(SESSION) ?? newId();
    localStorage.setItem(SESSION, session);
    remember();
  } catch {
    // It lasts until the page is loaded again.
    session = "";
  }
  tabs.postMessage({ key, session });
}

const remember = () => sessionStorage.setItem(KEY, JSON.stringify({ key, session }));

/** Forgets the key in this tab. */
export function dropKey() {
  key = session = "";
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

/** Ends the sign-in in every tab, also in those that show another page now. */
export function endSession() {
  dropKey();
  try {
    localStorage.removeItem(SESSION);
  } catch {
    // No other tab has been given it.
  }
}

/** Sets what is done when another tab has handed its key over, and when one has ended the sign-in. */
export const whenShared = (given) => Object.assign(listeners, given);

/** A name that cannot be guessed; `crypto.randomUUID` is there only over TLS or from this machine. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function stored() {
  const none = { key: "", session: "" };
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY)) ?? none;
    return kept.session === localStorage.getItem(SESSION) ? kept : none;
  } catch {
    return none;
  }
}

function checkSession() {
  if (session && !stored().key) listeners.ended();
}

tabs.addEventListener("message", ({ data }) => {
  if (data.wanted) {
    if (session) tabs.postMessage({ key, session });
    return;
  }
  if (key || !data.session) return;
  ({ key, session } = data);
  // The name of the sign-in is not written again: one that has been ended meanwhile stays so.
  remember();
  listeners.given();
});
addEventListener("storage", checkSession);
// A tab may have slept through it, or come back out of the cache of pages.
addEventListener("pageshow", checkSession);
document.addEventListener("visibilitychange", checkSession);
if (!key) tabs.postMessage({ wanted: true });
