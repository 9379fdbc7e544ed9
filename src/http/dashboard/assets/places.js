// Where views stood when they were left: a step back or forward finds the scroll, the focus and what
// the view itself has kept.

/** The most views that are remembered. */
const PLACES_MAX = 50;

const places = new Map();
/** The entry of the history that is shown. */
let here = null;

// The browser would restore the scroll before there is anything to scroll.
history.scrollRestoration = "manual";

/** Takes over the current entry of the history, which the view at `from` led to; returns its place, if it has one. */
export function arrive(from) {
  // An entry that was shown before has a state; a step forward to a new one has none.
  here = history.state?.visit ?? performance.timeOrigin + performance.now();
  history.replaceState({ from, ...history.state, visit: here }, "");
  return places.get(here);
}

/** Remembers the view that is left. `kept` is what the view gets when it is shown again. */
export function depart(main, kept) {
  if (here === null) return;
  const focused = main.contains(document.activeElement) ? document.activeElement : null;
  const link = focused?.getAttribute("href");
  const focus = focused?.id ? `#${CSS.escape(focused.id)}` : link ? `a[href="${CSS.escape(link)}"]` : "";
  places.set(here, { kept, scroll: scrollY, focus, top: focused?.getBoundingClientRect().top });
  if (places.size > PLACES_MAX) places.delete(places.keys().next().value);
}

/** Scrolls and focuses as it was; what had the focus comes to the same height, wherever it is now. */
export function restore(main, { scroll, focus, top }) {
  // Somebody has moved on since.
  if (document.activeElement !== document.body && document.activeElement !== main) return;
  const element = focus && main.querySelector(focus);
  element?.focus({ preventScroll: true });
  scrollTo(0, element ? scrollY + element.getBoundingClientRect().top - top : scroll);
}

/** Forgets them all: they may show what the next key must not see. */
export function forgetPlaces() {
  places.clear();
  here = null;
}
