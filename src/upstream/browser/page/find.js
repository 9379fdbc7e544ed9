// Finds what a recipe's selectors name. The files of this folder are one script, in the order of
// `chromium.rs`; `run(name, argument)` at its end is all that is called from outside. It runs in a
// world of its own: the page's scripts and this one see the same elements and nothing else.
"use strict";

const ENTRIES_MAX = 500;
const VALUE_CHARS_MAX = 20000;
const JSON_CHARS_MAX = 500000;
const NODES_MAX = 200000;
const DEPTH_MAX = 200;
const EACH_MAX = 50;
const HASHED_CHARS_MAX = 1 << 20;

const squeezed = (text) => (text || "").replace(/[\u200b\ufeff]/g, "").replace(/\s+/g, " ").trim();

const inner = (element) => {
  try {
    return element.shadowRoot || element.contentDocument || null;
  } catch {
    return null;
  }
};

// The children as the page shows them: those of a shadow root, and in a slot what is put into it.
const childrenOf = (element) => {
  if (element.shadowRoot) {
    entered(element.shadowRoot);
    return element.shadowRoot.childNodes;
  }
  if (element.tagName === "SLOT") {
    const assigned = element.assignedNodes();
    return assigned.length ? assigned : element.childNodes;
  }
  return element.childNodes;
};

const SHADOWS_SOUGHT_MAX = 5000;
const UNSAID = new Set(["SCRIPT", "STYLE", "TEMPLATE", "NOSCRIPT"]);

const isComposed = (element) => {
  if (element.shadowRoot || element.tagName === "SLOT") {
    return true;
  }
  const inside = element.getElementsByTagName("*");
  for (let at = 0; at < inside.length && at < SHADOWS_SOUGHT_MAX; at += 1) {
    if (inside[at].shadowRoot || inside[at].tagName === "SLOT") {
      return true;
    }
  }
  return false;
};

// The text of an element, of what is slotted into it, and of the shadow roots below it.
const textOf = (element) => {
  if (!isComposed(element)) {
    return element.textContent;
  }
  let text = "";
  let nodes = 0;
  const add = (node, depth) => {
    nodes += 1;
    if (nodes > NODES_MAX || depth > DEPTH_MAX) {
      return;
    }
    if (node.nodeType === 3) {
      text += node.data;
    } else if (node.nodeType === 1 && !UNSAID.has(node.tagName)) {
      childrenOf(node).forEach((it) => add(it, depth + 1));
    }
  };
  add(element, 0);
  return text;
};

const says = (element) => {
  const value = ["button", "submit", "reset"].includes(element.type) ? element.value : "";
  return squeezed(
    [element.textContent, element.getAttribute("aria-label"), value].filter(Boolean).join(" ")
  ).toLowerCase();
};

const part = (css, root) => {
  const text = /^([^]*?):text\("([^"]*)"\)$/.exec(css);
  if (!text) {
    return [...root.querySelectorAll(css)];
  }
  const wanted = squeezed(text[2]).toLowerCase();
  const hits = [...root.querySelectorAll(text[1] || "*")].filter((it) => says(it).includes(wanted));
  const outer = new Set();
  hits.forEach((hit) => {
    for (let up = hit.parentElement; up; up = up.parentElement) {
      outer.add(up);
    }
  });
  return hits.filter((hit) => !outer.has(hit));
};

// Is told of each root below another that a selector leads into.
let entered = () => {};

// Every element that a selector names below a root.
const all = (selector, root = document) => {
  let found = [];
  let roots = [root];
  selector.split(" >>> ").forEach((css, at) => {
    if (at > 0) {
      roots = found.map(inner).filter(Boolean);
      roots.forEach(entered);
    }
    found = roots.flatMap((under) => part(css, under));
  });
  return found;
};

const safely = (selector, root) => {
  try {
    return all(selector, root);
  } catch (error) {
    throw new Error("the browser does not understand the selector `" + selector + "`");
  }
};

// The first alternative with a match that passes; `alt` is -1 when none has.
const pick = (selectors, root = document, passes = () => true) => {
  for (let alt = 0; alt < selectors.length; alt += 1) {
    const elements = safely(selectors[alt], root).filter(passes);
    if (elements.length) {
      return { alt, elements };
    }
  }
  return { alt: -1, elements: [] };
};

const visible = (element) => {
  const box = element.getBoundingClientRect();
  return (
    box.width > 0 && box.height > 0 &&
    (!element.checkVisibility || element.checkVisibility({ visibilityProperty: true }))
  );
};

const enabled = (element) =>
  visible(element) && !element.matches(":disabled") &&
  element.getAttribute("aria-disabled") !== "true";

// A text that is too long anyway is told by its length.
const hash = (text) => {
  if (text.length > HASHED_CHARS_MAX) {
    return text.length + ":";
  }
  let sum = 5381;
  for (let at = 0; at < text.length; at += 1) {
    sum = ((sum << 5) + sum + text.charCodeAt(at)) | 0;
  }
  return text.length + ":" + sum;
};
