// Says how the page stands, types, clicks and scrolls.

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
  const begun = texts.some((it) => /\S/.test(it));
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
