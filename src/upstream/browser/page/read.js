// Takes the answer and its lists out of the page.

const ADDRESSES = ["href", "src", "action", "poster"];

const valueOf = (element, { attribute, json }) => {
  let value;
  if (!attribute) {
    const said = json || isComposed(element) ? textOf(element) : element.innerText;
    value = json ? said : squeezed(said) || squeezed(element.textContent);
  } else if (ADDRESSES.includes(attribute) && typeof element[attribute] === "string") {
    value = element.getAttribute(attribute) === null ? "" : element[attribute];
  } else {
    value = element.getAttribute(attribute) || "";
  }
  return value.slice(0, json ? JSON_CHARS_MAX : VALUE_CHARS_MAX);
};

// What one way to a value finds.
const way = (item, asked) => {
  const { select, all: every } = asked;
  if (!select.length) {
    return { alt: 0, values: item.nodeType === 1 ? [valueOf(item, asked)] : [] };
  }
  const { alt, elements } = pick(select, item);
  const chosen = every ? elements.slice(0, EACH_MAX) : elements.slice(0, 1);
  return { alt, values: chosen.map((it) => valueOf(it, asked)) };
};

const field = (item, ways) => ways.map((it) => way(item, it));

// Whether an element is hidden by the recipe, or in something that is.
const isConcealed = (element) => {
  let up = element;
  while (up && !concealed.has(up)) {
    up = up.parentElement;
  }
  return Boolean(up);
};

const list = ({ item, fields, entries }) => {
  const { alt, elements: all } = pick(item);
  const elements = all.filter((it) => !isConcealed(it));
  return {
    alt,
    count: elements.length,
    hollow: hollow(elements),
    url: location.href,
    items: elements.slice(0, ENTRIES_MAX).map((one) => ({
      entries: entries ? way(one, entries).values : [],
      fields: fields.map((it) => field(one, it)),
    })),
  };
};

const scrollerOf = (element) => {
  for (let up = element; up && up !== document.body; up = up.parentElement) {
    const scrolls = up.scrollHeight > up.clientHeight + 1 && up !== document.documentElement;
    if (scrolls && /auto|scroll/.test(getComputedStyle(up).overflowY)) {
      return up;
    }
  }
  return document.scrollingElement;
};

// Whether what holds these elements is much higher than they are and says nothing else: a page that
// draws only the rows in view keeps room for the others.
const hollow = (elements) => {
  const shown = elements.filter((it) => it.getBoundingClientRect().height > 0);
  let holder = shown.length ? shown[0].parentElement : null;
  while (holder && !holder.contains(shown[shown.length - 1])) {
    holder = holder.parentElement;
  }
  const scroller = holder && scrollerOf(holder);
  if (!scroller || scroller.scrollHeight <= scroller.clientHeight + 1) {
    return false;
  }
  const boxes = shown.map((it) => it.getBoundingClientRect());
  const box = holder.getBoundingClientRect();
  const begin = holder === scroller ? box.top - holder.scrollTop : box.top;
  const end = holder === scroller ? begin + holder.scrollHeight : box.bottom;
  const above = Math.max(0, Math.min(...boxes.map((it) => it.top)) - begin);
  const below = Math.max(0, end - Math.max(...boxes.map((it) => it.bottom)));
  // Room that a style asks for is no room for rows.
  if (box.height <= parseFloat(getComputedStyle(holder).minHeight || "0") + 1) {
    return false;
  }
  const own = shown.reduce((sum, it) => sum + squeezed(textOf(it)).length, 0);
  return Math.max(above, below) > scroller.clientHeight / 2 &&
    squeezed(textOf(holder)).length <= own + shown.length + 20;
};

const DROPPED = new Set([
  "BUTTON", "SCRIPT", "STYLE", "SVG", "TEMPLATE", "NOSCRIPT", "LINK", "META", "IFRAME", "CANVAS",
  "VIDEO", "AUDIO", "TEXTAREA", "SELECT",
]);
const BLOCKS = new Set(["DIV", "P", "LI", "TR", "SECTION", "ARTICLE", "OL", "UL", "TABLE"]);

const dropped = (element, removed) =>
  DROPPED.has(element.tagName.toUpperCase()) || removed.has(element) || concealed.has(element) ||
  element.hidden || element.getAttribute("aria-hidden") === "true";

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

const languageOf = (block, root) => {
  const candidates = [block.querySelector("code"), block].filter(Boolean);
  for (let up = block; up !== root && up.parentElement; up = up.parentElement) {
    candidates.push(up.parentElement);
    if (up.parentElement.querySelectorAll("pre").length > 1) {
      candidates.pop();
      break;
    }
  }
  for (const one of candidates) {
    const given = one.getAttribute("data-language") || one.getAttribute("data-lang");
    const classes = one.getAttribute("class") || "";
    const named = /(?:^|\s)(?:lang(?:uage)?|highlight-source)-([\w+#.-]+)/.exec(classes);
    if (given || named) {
      return given || named[1];
    }
  }
  return "";
};

// The elements that the recipe's ways to a language find in a code block, or next to it.
const labelsOf = (block, root, ways) => {
  for (let at = block; at && at !== root.parentElement; at = at.parentElement) {
    if (at !== block && at.querySelectorAll("pre").length > 1) {
      return null;
    }
    const found = field(at, ways);
    if (found.some(({ values }) => values.some((it) => it))) {
      const labels = ways.flatMap(({ select }) => select.length ? pick(select, at).elements : []);
      return { found, labels };
    }
  }
  return null;
};

// Stands in the class of a code block for the label of that number, until its words are known.
const LABEL = "\uf8f3";

const KEPT = {
  IMG: ["alt"], OL: ["start"], TD: ["colspan", "align"], TH: ["colspan", "align"],
  INPUT: ["type", "checked"],
};

// Where selectors are looked for below a root: in it, in shadow roots, and in what is slotted.
const scopesOf = (root) => {
  const scopes = [{ root, within: null }];
  let nodes = 0;
  const walk = (node, depth) => {
    nodes += 1;
    if (nodes > NODES_MAX || depth > DEPTH_MAX || node.nodeType !== 1) {
      return;
    }
    if (node.shadowRoot) {
      scopes.push({ root: node.shadowRoot, within: null });
    }
    if (node.tagName === "SLOT") {
      node.assignedElements().forEach((it) => scopes.push({ root: it.getRootNode(), within: it }));
    }
    childrenOf(node).forEach((it) => walk(it, depth + 1));
  };
  if (isComposed(root)) {
    walk(root, 0);
  }
  return scopes;
};

const below = (selector, scopes) =>
  scopes.flatMap(({ root, within }) =>
    safely(selector, root).filter((it) => !within || within.contains(it)));

const headingOf = (element) => {
  if (element.getAttribute("role") !== "heading" || /^H[1-6]$/.test(element.tagName)) {
    return null;
  }
  const level = parseInt(element.getAttribute("aria-level"), 10) || 2;
  return "h" + Math.min(Math.max(level, 1), 6);
};

// The parts of an answer that a page may draw apart: the matches, or the paragraphs of the only one.
const partsOf = (roots, apart) => {
  if (!apart || roots.length !== 1) {
    return roots.map((root) => ({ root, nodes: [...childrenOf(root)] }));
  }
  const root = roots[0];
  let place = root;
  const said = (node) => /\S/.test(node.nodeType === 1 ? textOf(node) : node.data || "");
  for (;;) {
    const nodes = [...childrenOf(place)].filter(said);
    if (nodes.some((it) => it.nodeType !== 1 || getComputedStyle(it).display.startsWith("inline"))) {
      return [{ root, nodes: [...childrenOf(place)] }];
    }
    if (nodes.length !== 1 || !["DIV", "SECTION"].includes(nodes[0].tagName)) {
      return nodes.map((node) => ({ root, nodes: [node] }));
    }
    place = nodes[0];
  }
};

// A copy of the answer that holds what Markdown can say and nothing else, shadow roots laid open.
const copied = (roots, { remove, keep, marks, language, apart, marks_from: first }) => {
  const fresh = document.implementation.createHTMLDocument("");
  const [removed, kept] = [new Set(), new Set()];
  const cited = new Map();
  const languages = new Map();
  const found = [];
  const labels = [];
  roots.forEach((root) => {
    const scopes = scopesOf(root);
    remove.forEach((selector) => below(selector, scopes).forEach((it) => removed.add(it)));
    keep.forEach((selector) => below(selector, scopes).forEach((it) => kept.add(it)));
    const items = !marks ? [] :
      marks.item.map((selector) => below(selector, scopes)).find((it) => it.length) || [];
    items.forEach((it) => {
      cited.set(it, first + found.length);
      found.push({ number: field(it, marks.number), url: field(it, marks.url) });
    });
    (language ? below("pre", scopes) : []).forEach((it) => {
      const label = labelsOf(it, root, language);
      if (label) {
        languages.set(it, labels.length);
        labels.push(label.found);
        label.labels.filter((one) => !one.contains(it)).forEach((one) => removed.add(one));
      }
    });
  });
  let nodes = 0;
  const marked = (node, into) => {
    const made = fresh.createElement("a");
    made.setAttribute("data-mark", cited.get(node));
    made.append(squeezed(textOf(node)));
    into.append(made);
  };
  const codeBlock = (node, into, root) => {
    const made = fresh.createElement("pre");
    const code = fresh.createElement("code");
    const named = languages.has(node) ? LABEL + languages.get(node) : languageOf(node, root);
    if (named) {
      code.className = "language-" + named;
    }
    // What stands around the one code in a block is the page's: its language, buttons.
    const codes = node.querySelectorAll("code");
    code.append(codeText(codes.length === 1 ? codes[0] : node, removed));
    made.append(code);
    into.append(made);
  };
  const block = (node) => !getComputedStyle(node).display.startsWith("inline");
  const copy = (node, into, depth, root) => {
    nodes += 1;
    if (nodes > NODES_MAX) {
      return;
    }
    if (node.nodeType === 3) {
      into.append(node.data);
      return;
    }
    if (node.nodeType !== 1) {
      return;
    }
    // Before what is left out: a mark may be a button, and named in `remove` with other buttons.
    if (cited.has(node) && !node.hidden) {
      marked(node, into);
      return;
    }
    if (!kept.has(node) && dropped(node, removed)) {
      if (node.tagName === "BUTTON" && !removed.has(node) && !node.hidden) {
        [...cited.keys()].filter((it) => node.contains(it)).forEach((it) => marked(it, into));
      }
      return;
    }
    if (node.tagName === "PRE") {
      codeBlock(node, into, root);
      return;
    }
    const made = depth < DEPTH_MAX ? fresh.createElement(kept.has(node) ? "span" : headingOf(node) ||
      (/^[a-z][a-z0-9]*$/i.test(node.tagName)
        ? node.tagName : block(node) ? "div" : "span")) : into;
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
    childrenOf(node).forEach((it) => copy(it, made, depth + 1, root));
  };
  const blocks = partsOf(roots, apart).map(({ root, nodes: own }) => {
    const made = fresh.createElement("div");
    own.forEach((it) => copy(it, made, 1, root));
    return { html: made.outerHTML, text: squeezed(made.textContent) };
  });
  return { blocks, marks: found, labels };
};

const read = (asked) => {
  const { alt, elements } = answers(asked.answer);
  const { blocks, marks, labels } = copied(elements, asked);
  const model = asked.model ? field(document, asked.model) : null;
  const chars = blocks.reduce((sum, it) => sum + it.html.length, 0);
  const whole = chars <= asked.chars_max;
  const parts = partsOf(elements, true).flatMap(({ nodes }) => nodes.length === 1 ? nodes : []);
  const apart = elements.length > 1 ? elements : parts.filter((it) => it.nodeType === 1);
  return { alt, blocks: whole ? blocks : [], marks, labels, whole, hollow: hollow(apart), model,
    url: location.href };
};
