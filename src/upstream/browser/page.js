// What runs in the page: finds what a recipe's selectors name, says how the page stands, types, and
// takes the answer out. `run(name, argument)` at the end is all that is called from outside.
"use strict";

const ENTRIES_MAX = 500;
const VALUE_CHARS_MAX = 20000;
const NODES_MAX = 200000;
const DEPTH_MAX = 200;
const EACH_MAX = 50;

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

const hash = (text) => {
  let sum = 5381;
  for (let at = 0; at < text.length; at += 1) {
    sum = ((sum << 5) + sum + text.charCodeAt(at)) | 0;
  }
  return text.length + ":" + sum;
};

// The texts that match before the prompt is sent, for each alternative.
const baseline = ({ select }) =>
  select.map((selector) => safely(selector).map((it) => hash(it.textContent)));

const answers = ({ select, which, baseline: before }) => {
  const { alt, elements } = pick(select);
  if (alt < 0) {
    return { alt, elements };
  }
  const known = (before && before[alt]) || [];
  const fresh = elements.filter((it, at) => hash(it.textContent) !== known[at]);
  if (which === "all") {
    return { alt, elements: fresh };
  }
  const one = which === "first" ? elements[0] : elements[elements.length - 1];
  return { alt, elements: fresh.includes(one) ? [one] : [] };
};

const where = (element) => {
  const box = element.getBoundingClientRect();
  let x = box.left + box.width / 2;
  let y = box.top + Math.min(box.height / 2, 200);
  const local = element.getRootNode().elementFromPoint(x, y);
  const open = local && (element.contains(local) || local.contains(element));
  let view = element.ownerDocument.defaultView;
  while (view !== window && view.frameElement) {
    const frame = view.frameElement.getBoundingClientRect();
    x += frame.left + view.frameElement.clientLeft;
    y += frame.top + view.frameElement.clientTop;
    view = view.parent;
  }
  const inside = x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;
  return open && inside ? { x: Math.floor(x), y: Math.floor(y) } : null;
};

// Where to click; what is covered is clicked from here, and then `point` is null.
const aim = (element) => {
  element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const point = where(element);
  if (!point) {
    element.click();
  }
  return point;
};

const sign = (signs, prompt, texts) => {
  const here = location.href.toLowerCase();
  let said = null;
  const text = () => {
    if (said === null) {
      said = squeezed(document.body ? document.body.innerText : "").toLowerCase();
      const own = squeezed(prompt).toLowerCase();
      said = own ? said.split(own).join(" ") : said;
    }
    return said;
  };
  for (let index = 0; index < signs.length; index += 1) {
    const one = signs[index];
    const url = one.url.find((it) => here.includes(it.toLowerCase()));
    if (url) {
      return { index, how: "address holds " + url };
    }
    const { alt } = pick(one.select, document, visible);
    if (alt >= 0) {
      return { index, how: one.select[alt] };
    }
    const words = texts && one.text.find((it) => text().includes(squeezed(it).toLowerCase()));
    if (words) {
      return { index, how: "text " + words };
    }
  }
  return null;
};

const requestEnded = (address, since) =>
  performance
    .getEntriesByType("resource")
    .some((it) => it.name.includes(address) && it.responseEnd > 0 &&
      performance.timeOrigin + it.startTime >= since - 50);

const status = () => {
  const [entry] = performance.getEntriesByType("navigation");
  return (entry && entry.responseStatus) || 0;
};

// How the page stands, as far as the recipe asks.
const look = (asked) => {
  const state = { status: status(), ready: document.readyState };
  const found = answers(asked.answer);
  const texts = found.elements.map((it) => it.textContent);
  const chars = texts.reduce((sum, it) => sum + it.length, 0);
  const begun = texts.some((it) => squeezed(it));
  state.answer = { alt: found.alt, chars, begun, hash: texts.map(hash).join() };
  state.sign = sign(asked.signs, asked.prompt, !begun);
  state.box = pick(asked.box, document, visible).alt;
  state.dismiss = null;
  for (let index = 0; index < asked.dismiss.length && !state.dismiss; index += 1) {
    const banner = pick(asked.dismiss[index], document, enabled);
    if (banner.alt >= 0) {
      state.dismiss = { index, alt: banner.alt, point: aim(banner.elements[0]) };
    }
  }
  state.appears = pick(asked.appears, document, visible).alt;
  state.present = pick(asked.gone, document, visible).alt;
  state.request_ended = asked.request_ended
    ? requestEnded(asked.request_ended, asked.since)
    : true;
  return state;
};

const editable = (element) => {
  const kinds = "textarea, input, [contenteditable]:not([contenteditable=false])";
  return element.matches(kinds) ? element : element.querySelector(kinds) || element;
};

const boxOf = (selectors) => {
  const { alt, elements } = pick(selectors, document, visible);
  return alt < 0 ? null : { alt, element: editable(elements[0]) };
};

const content = (element) => ("value" in element ? element.value : element.innerText) || "";

const same = (element, prompt) => squeezed(content(element)) === squeezed(prompt);

const selectAll = (element) => {
  element.focus();
  if (element.select) {
    element.select();
  } else {
    element.ownerDocument.execCommand("selectAll");
  }
};

// Types as an input method does, which editors of every kind hear of.
const insert = (element, prompt) => {
  const page = element.ownerDocument;
  selectAll(element);
  if (element.tagName === "INPUT") {
    page.execCommand("insertText", false, prompt.replace(/\s*\n\s*/g, " "));
    return;
  }
  if (element.tagName === "TEXTAREA") {
    page.execCommand("insertText", false, prompt);
    return;
  }
  prompt.split("\n").forEach((line, at) => {
    if (at > 0) {
      page.execCommand("insertLineBreak");
    }
    if (line) {
      page.execCommand("insertText", false, line);
    }
  });
};

const assign = (element, prompt) => {
  if (element.maxLength >= 0 && element.maxLength < prompt.length) {
    return;
  }
  element.focus();
  if ("value" in element) {
    const kind = Object.getPrototypeOf(element);
    Object.getOwnPropertyDescriptor(kind, "value").set.call(element, prompt);
  } else {
    element.innerText = prompt;
  }
  element.dispatchEvent(
    new InputEvent("input", { bubbles: true, composed: true, inputType: "insertText", data: prompt })
  );
};

const focusBox = ({ box }) => {
  const found = boxOf(box);
  if (!found) {
    return { alt: -1, point: null };
  }
  const point = aim(found.element);
  found.element.focus();
  return { alt: found.alt, point };
};

const type = ({ box, prompt, how }) => {
  const found = boxOf(box);
  if (!found) {
    return { alt: -1, same: false, chars: 0 };
  }
  if (how === "select") {
    selectAll(found.element);
  } else if (how === "insert") {
    insert(found.element, prompt);
  } else if (how === "assign") {
    assign(found.element, prompt);
  }
  const chars = [...content(found.element)].length;
  return { alt: found.alt, same: same(found.element, prompt), chars };
};

const target = ({ select, each, usable }) => {
  const { alt, elements } = pick(select, document, usable ? enabled : visible);
  const chosen = each ? elements.slice(0, EACH_MAX) : elements.slice(0, 1);
  return { alt, count: elements.length, chosen };
};

// One click at a time: what is clicked may move what comes after it.
const clickable = (asked) => {
  const { alt, count, chosen } = target(asked);
  const element = chosen[asked.at || 0];
  return { alt, count: chosen.length, matched: count, point: element ? aim(element) : null,
    found: Boolean(element) };
};

const scroll = ({ select }) => {
  const { alt, elements } = pick(select);
  if (alt < 0) {
    return { alt, height: 0 };
  }
  const one = elements[0];
  const place = ["HTML", "BODY"].includes(one.tagName) ? document.scrollingElement : one;
  place.scrollTop = place.scrollHeight;
  place.dispatchEvent(new Event("scroll", { bubbles: true }));
  return { alt, height: place.scrollHeight };
};

const there = ({ select }) => {
  const { alt, elements } = pick(select);
  return { alt, count: elements.length };
};

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
      code.append(codeText(node, removed));
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

const described = (element) => {
  const names = ["contenteditable", "id", "name", "type", "role", "data-testid", "aria-label", "placeholder", "class"];
  const own = names.filter((it) => element.getAttribute(it) !== null)
    .map((it) => it + "=\"" + element.getAttribute(it).slice(0, 80) + "\"");
  const text = squeezed(element.textContent).slice(0, 40);
  return "<" + [element.tagName.toLowerCase(), ...own].join(" ") + ">" + (text ? " " + text : "");
};

const KINDS = {
  box: "textarea, input:not([type=hidden]), [contenteditable], [role=textbox]",
  click: "button, [role=button], a[href], input[type=submit], summary, [role=tab]",
  answer: "article, main, section, [role=article], [class*=markdown], [class*=answer], " +
    "[class*=message], [class*=response], p",
  item: "li, article, a[href], [role=listitem], button",
  frame: "iframe",
};

const everywhere = (root, css, found = []) => {
  found.push(...root.querySelectorAll(css));
  root.querySelectorAll("*").forEach((it) => {
    const below = found.length < 5000 && inner(it);
    if (below) {
      everywhere(below, css, found);
    }
  });
  return found;
};

// The elements that could have been meant by selectors that match nothing.
const nearest = ({ select, kind }) => {
  const words = (text) => new Set(text.toLowerCase().split(/[^a-z0-9]+/).filter((it) => it.length > 1));
  const wanted = words(select.join(" "));
  const score = (element) => {
    let sum = visible(element) ? 1 : 0;
    words(described(element)).forEach((word) => {
      wanted.forEach((it) => {
        sum += it === word ? 3 : word.length > 3 && (it.includes(word) || word.includes(it)) ? 1 : 0;
      });
    });
    return sum;
  };
  return everywhere(document, KINDS[kind])
    .map((element) => ({ element, score: score(element) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, 5)
    .map(({ element }) => described(element));
};

const frame = ({ select }) => pick(select, document, visible).elements[0] || null;

const frameBegin = (asked) => {
  const one = frame(asked);
  const box = one && one.getBoundingClientRect();
  return one ? [Math.round(box.left + one.clientLeft), Math.round(box.top + one.clientTop)] : [0, 0];
};

const source = ({ chars_max }) => {
  const html = document.documentElement ? document.documentElement.outerHTML : "";
  return { html: html.slice(0, chars_max), whole: html.length <= chars_max, url: location.href };
};

const origins = () => {
  const addresses = [location.href, ...[...document.querySelectorAll("iframe")].map((it) => it.src)];
  return [...new Set(addresses.map((it) => {
    try {
      return new URL(it).origin;
    } catch {
      return "null";
    }
  }))].filter((it) => it !== "null").slice(0, EACH_MAX);
};

const now = () => {
  performance.setResourceTimingBufferSize(5000);
  return Date.now();
};

const WHAT = {
  look, baseline, focusBox, type, clickable, scroll, there, list, read, nearest, frame, frameBegin, source,
  origins, now,
};

const run = (name, argument) => WHAT[name](argument);
