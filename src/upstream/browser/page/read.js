// Takes the answer and its lists out of the page.

const ADDRESSES = ["href", "src", "action", "poster"];

const valueOf = (element, attribute) => {
  let value;
  if (!attribute) {
    value = squeezed(element.innerText || element.textContent);
  } else if (ADDRESSES.includes(attribute) && typeof element[attribute] === "string") {
    value = element.getAttribute(attribute) === null ? "" : element[attribute];
  } else {
    value = element.getAttribute(attribute) || "";
  }
  return value.slice(0, VALUE_CHARS_MAX);
};

const field = (item, { select, attribute, all: every }) => {
  if (!select.length) {
    return { alt: -1, values: item.nodeType === 1 ? [valueOf(item, attribute)] : [] };
  }
  const { alt, elements } = pick(select, item);
  const chosen = every ? elements.slice(0, EACH_MAX) : elements.slice(0, 1);
  return { alt, values: chosen.map((it) => valueOf(it, attribute)) };
};

const list = ({ item, fields }) => {
  const { alt, elements } = pick(item);
  return {
    alt,
    count: elements.length,
    items: elements.slice(0, ENTRIES_MAX).map((one) => fields.map((it) => field(one, it))),
  };
};

const DROPPED = new Set([
  "BUTTON", "SCRIPT", "STYLE", "SVG", "TEMPLATE", "NOSCRIPT", "LINK", "META", "IFRAME", "CANVAS",
  "VIDEO", "AUDIO", "TEXTAREA", "SELECT",
]);
const BLOCKS = new Set(["DIV", "P", "LI", "TR", "SECTION", "ARTICLE", "OL", "UL", "TABLE"]);

const dropped = (element, removed) =>
  DROPPED.has(element.tagName.toUpperCase()) || removed.has(element) ||
  element.hidden || element.getAttribute("aria-hidden") === "true";

const childrenOf = (element) => {
  if (element.shadowRoot) {
    return element.shadowRoot.childNodes;
  }
  if (element.tagName === "SLOT") {
    const assigned = element.assignedNodes();
    return assigned.length ? assigned : element.childNodes;
  }
  return element.childNodes;
};

const codeText = (node, removed, depth = 0) => {
  let text = "";
  for (const child of childrenOf(node)) {
    if (child.nodeType === 3) {
      text += child.data;
    } else if (child.nodeType === 1 && child.tagName === "BR") {
      text += "\n";
    } else if (child.nodeType === 1 && depth < DEPTH_MAX && !dropped(child, removed)) {
      text += codeText(child, removed, depth + 1);
      const ends = BLOCKS.has(child.tagName) || getComputedStyle(child).display === "block";
      if (ends && text && !text.endsWith("\n")) {
        text += "\n";
      }
    }
  }
  return text;
};

const languageOf = (block) => {
  const candidates = [block.querySelector("code"), block, block.parentElement].filter(Boolean);
  for (const one of candidates) {
    const given = one.getAttribute("data-language") || one.getAttribute("data-lang");
    const named = /(?:^|\s)lang(?:uage)?-([\w+#.-]+)/.exec(one.getAttribute("class") || "");
    if (given || named) {
      return given || named[1];
    }
  }
  return "";
};

const KEPT = {
  IMG: ["alt"], OL: ["start"], TD: ["colspan", "align"], TH: ["colspan", "align"],
  INPUT: ["type", "checked"],
};

// A copy of the answer that holds what Markdown can say and nothing else, shadow roots laid open.
const copied = (roots, { remove, marks }) => {
  const fresh = document.implementation.createHTMLDocument("");
  const removed = new Set();
  const cited = new Map();
  roots.forEach((root) => {
    remove.forEach((selector) => safely(selector, root).forEach((it) => removed.add(it)));
    if (marks) {
      pick(marks.item, root).elements.forEach((it) => cited.set(it, {
        number: marks.number ? field(it, marks.number).values[0] || "" : "",
        url: marks.url ? field(it, marks.url).values[0] || "" : "",
      }));
    }
  });
  let nodes = 0;
  const copy = (node, into, depth) => {
    nodes += 1;
    if (nodes > NODES_MAX) {
      return;
    }
    if (node.nodeType === 3) {
      into.append(node.data);
      return;
    }
    if (node.nodeType !== 1 || dropped(node, removed)) {
      return;
    }
    const mark = cited.get(node);
    if (mark) {
      const made = fresh.createElement("a");
      made.setAttribute("data-mark", mark.number);
      made.setAttribute("href", mark.url);
      made.append(squeezed(node.textContent));
      into.append(made);
      return;
    }
    if (node.tagName === "PRE") {
      const block = fresh.createElement("pre");
      const code = fresh.createElement("code");
      const language = languageOf(node);
      if (language) {
        code.className = "language-" + language;
      }
      // What stands around the one code in a block is the page's: its language, buttons.
      const codes = node.querySelectorAll("code");
      code.append(codeText(codes.length === 1 ? codes[0] : node, removed));
      block.append(code);
      into.append(block);
      return;
    }
    const made = depth < DEPTH_MAX ? fresh.createElement(/^[a-z][a-z0-9]*$/i.test(node.tagName)
      ? node.tagName : block(node) ? "div" : "span") : into;
    if (made !== into) {
      (KEPT[node.tagName] || []).filter((it) => node.hasAttribute(it))
        .forEach((it) => made.setAttribute(it, node.getAttribute(it)));
      if (node.tagName === "INPUT" && node.checked) {
        made.setAttribute("checked", "");
      }
      if (node.tagName === "A" && node.hasAttribute("href")) {
        made.setAttribute("href", node.href);
      }
      if (node.tagName === "IMG" && node.hasAttribute("src")) {
        made.setAttribute("src", node.src);
      }
      into.append(made);
    }
    childrenOf(node).forEach((it) => copy(it, made, depth + 1));
  };
  const block = (node) => !getComputedStyle(node).display.startsWith("inline");
  roots.forEach((root) => {
    const made = fresh.createElement("div");
    fresh.body.append(made);
    childrenOf(root).forEach((it) => copy(it, made, 1));
  });
  return fresh.body.innerHTML;
};

const read = (asked) => {
  const { alt, elements } = answers(asked.answer);
  const html = copied(elements, asked);
  const model = asked.model ? field(document, asked.model) : null;
  const whole = html.length <= asked.chars_max;
  return { alt, html: whole ? html : "", whole, model, url: location.href };
};
