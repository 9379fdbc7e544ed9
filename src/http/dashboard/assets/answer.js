// An answer's Markdown as elements. The server parses it (`/md/{id}.json`); here every token becomes
// an element of this list or plain text. Links lead to http and https only; pictures are never loaded.

import { el } from "./dom.js";

/** The deepest nesting that is shown as such, levels. */
const LEVELS_MAX = 24;

/** The depths of the headings that the next one may stand below, outermost first. */
let above = [];

/** The elements of a list of tokens. */
export function answer(tokens) {
  above = [];
  return el("div", { class: "answer" }, shown(tokens, 0));
}

function shown(tokens, level) {
  if (level > LEVELS_MAX) return (tokens ?? []).map(plain).join("");
  return (tokens ?? []).map((token) => (SHOWN[token.type] ?? plain)(token, level + 1));
}

const plain = (token) => token.text ?? token.raw ?? "";
const into = (tag) => (token, level) => el(tag, {}, shown(token.tokens, level));

const SHOWN = {
  paragraph: into("p"),
  blockquote: into("blockquote"),
  em: into("em"),
  strong: into("strong"),
  del: into("del"),
  text: plain,
  html: (token) => (token.block ? el("pre", {}, plain(token)) : plain(token)),
  codespan: (token) => el("code", {}, plain(token)),
  code: (token) => el("pre", { tabindex: "0" }, el("code", {}, plain(token))),
  br: () => el("br"),
  hr: () => el("hr"),
  // The page has two levels of its own above these, and none may be left out on the way down.
  heading: (token, level) => {
    const depth = Number(token.depth) || 1;
    above = [...above.filter((outer) => outer < depth), depth];
    return el(`h${Math.min(above.length + 2, 6)}`, {}, shown(token.tokens, level));
  },
  list: (token, level) =>
    el(token.ordered ? "ol" : "ul", { start: token.ordered && Number.isInteger(token.start) ? token.start : null },
      (token.items ?? []).map((item) => el("li", { class: item.task && "task" }, item.task && (item.checked ? "☑ " : "☐ "), shown(item.tokens, level)))),
  table: (token, level) =>
    el("div", { class: "scroll", tabindex: "0" }, el("table", {},
      el("thead", {}, el("tr", {}, (token.header ?? []).map((cell) => el("th", { scope: "col" }, shown(cell.tokens, level))))),
      el("tbody", {}, (token.rows ?? []).map((row) => el("tr", {}, row.map((cell) => el("td", {}, shown(cell.tokens, level)))))))),
  link: (token, level) => outward(token.href, shown(token.tokens, level)),
  image: (token) => outward(token.href, ["[picture", token.text ? `: ${token.text}` : "", "]"]),
  footnote_reference: (token) => el("sup", {}, plain(token)),
  footnote: (token, level) => el("div", { class: "footnote" }, el("sup", {}, token.label ?? ""), " ", shown(token.tokens, level)),
};

/** A link to another site, or what stands in it where the address is of no such kind. */
export function outward(address, children, attributes = {}) {
  const safe = webAddress(address);
  return safe ? el("a", { ...attributes, href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, children) : el("span", {}, children);
}

/** An absolute address of the web, or null. */
export function webAddress(address) {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
