// An answer's Markdown as elements. The server parses it (`/md/{id}.json`); here every token becomes
// an element of this list or plain text. Links lead to http and https only; pictures are never loaded.

import { directed, el, scrolls } from "./dom.js";

/** The deepest nesting that is shown as such, levels. */
const LEVELS_MAX = 24;

/** The depths of the headings that the next one may stand below, outermost first. */
let above = [];
/** How many levels of headings the page has above the answer. */
let outer = 2;

/** Gives the buttons that lead to a source; null inside of links, and where there is no list to lead to. */
let lead = null;

/**
 * The elements of a list of tokens, below this many levels of headings. `leading` has `mark(number)` and
 * `link(address)`: what leads to the source that a mark or a link names, or nothing.
 */
export function answer(tokens, levels = 2, leading = null) {
  above = [];
  outer = levels;
  lead = leading;
  return el("div", { class: "answer" }, shown(tokens, 0));
}

function shown(tokens, level) {
  if (level > LEVELS_MAX) return (tokens ?? []).map(plain).join("");
  return (tokens ?? []).map((token) => (SHOWN[token.type] ?? plain)(token, level + 1));
}

const plain = (token) => token.text ?? token.raw ?? "";
const into = (tag, attributes) => (token, level) => el(tag, attributes, shown(token.tokens, level));
/** What is read from right to left in one place may be read from left to right in the next. */
const AUTO = { dir: "auto" };
/** The class of a cell of a table, by the alignment of its column. */
const aligned = (table, column) => ({ center: "to-center", right: "to-right" })[table.align?.[column]] ?? null;
const cells = (table, row, tag, attributes, level) =>
  row.map((cell, column) => el(tag, { ...AUTO, ...attributes, class: aligned(table, column) }, shown(cell.tokens, level)));
const code = (...children) => el("pre", { dir: "ltr", ...scrolls("Code") }, children);

/** Text whose marks lead to their sources. A bracket behind a backslash is no mark; in `raw` it still has that. */
function text(token) {
  const said = plain(token);
  if (!lead) return said;
  const pieces = said.split(/(\[\d{1,3}\])/);
  const marks = [...(token.raw ?? said).matchAll(/(\\?)\[\d{1,3}\]/g)].map(([, backslash]) => !backslash);
  if (marks.length !== (pieces.length - 1) / 2) return said;
  return pieces.map((piece, at) => (at % 2 && marks[(at - 1) / 2] && lead.mark(Number(piece.slice(1, -1)))) || piece);
}

/** A link, and behind it what leads to the source that it names. */
function link(token, level) {
  const leading = lead;
  lead = null;
  const children = shown(token.tokens, level);
  lead = leading;
  return [outward(token.href, children), lead?.link(token.href)];
}

const SHOWN = {
  paragraph: into("p", AUTO),
  blockquote: (token, level) => directed(el("blockquote", {}, shown(token.tokens, level))),
  em: into("em"),
  strong: into("strong"),
  del: into("del"),
  text,
  html: (token) => (token.block ? code(plain(token)) : plain(token)),
  codespan: (token) => el("code", {}, plain(token)),
  code: (token) => code(el("code", {}, plain(token))),
  br: () => el("br"),
  hr: () => el("hr"),
  // The page has levels of its own above these, and none may be left out on the way down.
  heading: (token, level) => {
    const depth = Number(token.depth) || 1;
    above = [...above.filter((higher) => higher < depth), depth];
    return el(`h${Math.min(above.length + outer, 6)}`, AUTO, shown(token.tokens, level));
  },
  list: (token, level) => {
    const start = token.ordered && Number.isInteger(token.start) ? token.start : null;
    return directed(el(token.ordered ? "ol" : "ul", { start }, (token.items ?? []).map((item) =>
      directed(el("li", { class: item.task && "task" }, item.task && (item.checked ? "☑ " : "☐ "), shown(item.tokens, level))))));
  },
  table: (token, level) =>
    directed(el("div", { class: "scroll", ...scrolls("Table") }, el("table", {},
      el("thead", {}, el("tr", {}, cells(token, token.header ?? [], "th", { scope: "col" }, level))),
      el("tbody", {}, (token.rows ?? []).map((row) => el("tr", {}, cells(token, row, "td", {}, level))))))),
  link,
  image: (token) => outward(token.href, ["[picture", token.text ? `: ${token.text}` : "", "]"]),
  footnote_reference: (token) => el("sup", {}, plain(token)),
  footnote: (token, level) => el("div", { class: "footnote", ...AUTO }, el("sup", {}, token.label ?? ""), " ", shown(token.tokens, level)),
};

/** A link to another site, or what stands in it where the address is of no such kind. */
export function outward(address, children, attributes = {}) {
  const safe = webAddress(address);
  return safe ? el("a", { ...attributes, href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, children) : el("span", attributes, children);
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
