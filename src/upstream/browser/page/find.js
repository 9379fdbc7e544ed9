// Finds what a recipe's selectors name. The files of this folder are one script, in the order of
// `session.rs`; `run(name, argument)` at its end is all that is called from outside.
"use strict";

const ENTRIES_MAX = 500;
const VALUE_CHARS_MAX = 20000;
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

// Every element that a selector names below a root.
const all = (selector, root = document) => {
  let found = [];
  let roots = [root];
  selector.split(" >>> ").forEach((css, at) => {
    if (at > 0) {
      roots = found.map(inner).filter(Boolean);
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
