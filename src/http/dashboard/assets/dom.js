// Elements without markup: text stays text, so nothing that a stranger wrote can become code.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `on` is an object of listeners; what is false, null or undefined is left out. */
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Puts children in the place of what an element has. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Makes what an element shows like `wanted`, changing only what differs, so that focus, selection
 * and open details stay with what has the same `data-key`. Listeners are not taken over: for content that has none but links.
 */
export function morph(element, wanted) {
  if (element.nodeType !== wanted.nodeType || element.nodeName !== wanted.nodeName) {
    element.replaceWith(wanted);
    return;
  }
  if (element.nodeType !== Node.ELEMENT_NODE) {
    if (element.data !== wanted.data) element.data = wanted.data;
    return;
  }
  const kept = element.nodeName === "DETAILS" ? ["open"] : [];
  for (const { name } of [...element.attributes]) {
    if (!wanted.hasAttribute(name) && !kept.includes(name)) element.removeAttribute(name);
  }
  for (const { name, value } of [...wanted.attributes]) {
    if (element.getAttribute(name) !== value && !kept.includes(name)) element.setAttribute(name, value);
  }
  becomeChildren(element, [...wanted.childNodes]);
}

const keyOf = (node) => node?.dataset?.key;

/** Children with the same `data-key` are the same thing; those without are matched by their place. */
function becomeChildren(element, wanted) {
  const keys = new Set(wanted.map(keyOf));
  // What is gone goes first, so that what stays is not moved: moving takes the focus away.
  for (const child of [...element.childNodes]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
  const keyed = new Map([...element.childNodes].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = element.firstChild;
  for (const child of wanted) {
    const known = keyOf(child) ? keyed.get(keyOf(child)) : !keyOf(place) && place;
    if (known && known === place) place = place.nextSibling;
    else element.insertBefore(known || child, place);
    if (known) morph(known, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** Makes these the children of an element; those that are there already in this order stay untouched. */
export function order(element, wanted) {
  for (const child of [...element.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, at) => {
    if (element.children[at] !== child) element.insertBefore(child, element.children[at] ?? null);
  });
}

/** Draws something again; the focus stays on the button or link of the same name. */
export function keepingFocus(container, draw) {
  const focused = container.contains(document.activeElement) ? document.activeElement : null;
  draw();
  if (!focused || focused.isConnected) return;
  const same = [...container.querySelectorAll(focused.tagName)].find((each) => each.textContent === focused.textContent);
  same?.focus({ preventScroll: true });
}

/** The attributes of something that scrolls by itself, so that the keyboard reaches it. */
export const scrolls = (label) => ({ tabindex: "0", role: "group", "aria-label": label });

/** A name that breaks after `_`, `-` or `.` where it is too long for its line. */
export const breakable = (name) => name.split(/(?<=[_.-])/).flatMap((piece, at) => (at > 0 ? [el("wbr"), piece] : piece));

/** Lays a container out as its first letter says: `dir="auto"` skips children with a `dir` of their own. */
export function directed(container) {
  const letter = container.textContent.match(/\p{L}/u)?.[0];
  if (letter) container.dir = RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
  return container;
}
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** Says something to those who listen to the page instead of seeing it. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

const ICONS = {
  overview: "M3 13h4V4H3zm7 0h4V8h-4zM3 17h14",
  jobs: "M3 5h14M3 10h14M3 15h9",
  batches: "M3 4h14v3H3zM3 9h14v3H3zM3 14h14v3H3z",
  prompt: "M4 4h12v9H9l-4 3v-3H4z",
  schedules: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l3 2",
  trackers: "M3 16l4-5 3 2 4-7 3 3M3 4v12h14",
  alerts: "M10 3a4.5 4.5 0 0 1 4.5 4.5c0 4 1.5 5.5 1.5 5.5H4s1.5-1.5 1.5-5.5A4.5 4.5 0 0 1 10 3zM8.5 16a1.6 1.6 0 0 0 3 0",
  usage: "M10 3v14M6 7a3 3 0 0 1 3-2h3a2.5 2.5 0 0 1 0 5H8a2.5 2.5 0 0 0 0 5h3a3 3 0 0 0 3-2",
  guide: "M4 4h5a2 2 0 0 1 2 2v11a2 2 0 0 0-2-2H4zM16 4h-3a2 2 0 0 0-2 2v11a2 2 0 0 1 2-2h3z",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v2m0 12v2M2 10h2m12 0h2M4.3 4.3l1.4 1.4m8.6 8.6 1.4 1.4m0-11.4-1.4 1.4m-8.6 8.6-1.4 1.4",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.5 4 6.5 6.5 0 1 0 16 11.5z",
  keys: "M3 6h14v9H3zM6 9h.01M9 9h.01M12 9h.01M14.5 9h.01M7 12h6",
  leave: "M8 4H4v12h4M12 7l3 3-3 3m3-3H8",
};

/** A drawn sign; decoration only, so its button or link needs words too. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

/** A bar that is filled in part, 0 to 1; `says` is what it means, for those who do not see it. */
export function gauge(part, says, kind = "") {
  const width = `${Math.min(Math.max(part, 0), 1) * 100}%`;
  return svg("svg", { class: `gauge ${kind}`, role: says ? "img" : null, "aria-label": says, "aria-hidden": says ? null : "true" }, svg("rect", { width, height: "100%" }));
}

/** Copies text, also where the page is not served over TLS. */
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = el("textarea", { class: "out-of-sight", readonly: true, "aria-hidden": "true" });
  const focused = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!copied) throw new Error("The browser does not let the page copy.");
}

const COPIED_MS = 2000;
/** What the latest copy said at the button of a label in a view, and until when: its buttons may be drawn again meanwhile. */
let latestCopy = { view: "", label: "", says: "", untilMs: 0 };

/** A button that copies what `text()` gives, and says so. */
export function copyButton(label, text) {
  const button = el("button", { type: "button", class: "button small", on: { click: copied } }, label);
  if (latestCopy.label === label && latestCopy.view === location.hash) say(latestCopy);
  async function copied() {
    const shown = { view: location.hash, label, untilMs: Date.now() + COPIED_MS };
    try {
      await copy(text());
      latestCopy = { ...shown, says: "Copied" };
      announce("Copied to the clipboard.");
    } catch {
      latestCopy = { ...shown, says: "Not allowed to copy" };
    }
    say(latestCopy);
  }
  function say({ says, untilMs }) {
    const left = untilMs - Date.now();
    if (left <= 0) return;
    button.textContent = says;
    setTimeout(() => (button.textContent = label), left);
  }
  return button;
}
