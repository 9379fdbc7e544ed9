// Says how the page stands, types, clicks and scrolls.

// The texts that match before the prompt is sent, for each alternative.
const baseline = ({ select }) =>
  select.map((selector) => safely(selector).map((it) => hash(textOf(it))));

// An element that says the prompt and nothing else is the question, not its answer.
const answers = ({ select, which, baseline: before, prompt }) => {
  const { alt, elements } = pick(select);
  if (alt < 0) {
    return { alt, elements };
  }
  const known = (before && before[alt]) || [];
  const question = squeezed(prompt);
  const fresh = elements.filter((it, at) => {
    const text = textOf(it);
    return hash(text) !== known[at] && !(question && squeezed(text) === question);
  });
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

// Where to move the mouse; over what is covered it is moved from here, and then `point` is null.
const over = (element) => {
  element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const point = where(element);
  if (!point) {
    ["pointerover", "pointerenter", "mouseover", "mouseenter", "mousemove"].forEach((kind) =>
      element.dispatchEvent(new MouseEvent(kind,
        { bubbles: !kind.endsWith("enter"), composed: true, view: window })));
  }
  return point;
};

// What an element, or the whole page, says beside the prompt.
const saysBeside = (element, prompt) => {
  const said = squeezed(element ? element.innerText : "").toLowerCase();
  const own = squeezed(prompt).toLowerCase();
  return own ? said.split(own).join(" ") : said;
};

const COPY_CHARS_MIN = 5;

// Whether words on the page stand between the same characters as in the prompt: pages repeat a
// prompt, often cut, in a heading or a list of chats.
const isCopy = (page, at, words, prompt) => {
  for (let own = prompt.indexOf(words); own >= 0; own = prompt.indexOf(words, own + 1)) {
    let before = 0;
    while (own > before && at > before && page[at - before - 1] === prompt[own - before - 1]) {
      before += 1;
    }
    let after = words.length;
    while (own + after < prompt.length && page[at + after] === prompt[own + after]) {
      after += 1;
    }
    if (before + after - words.length >= COPY_CHARS_MIN) {
      return true;
    }
  }
  return false;
};

const sign = (signs, prompt, answer, begun) => {
  const here = location.href.toLowerCase();
  const asked = squeezed(prompt).toLowerCase();
  let page = null;
  const onPage = (words) => {
    if (begun) {
      return false;
    }
    page = page === null ? saysBeside(document.body, prompt) : page;
    for (let at = page.indexOf(words); at >= 0; at = page.indexOf(words, at + 1)) {
      if (!isCopy(page, at, words, asked)) {
        return true;
      }
    }
    return false;
  };
  const inScope = (scope, words) =>
    scope.some((selector) => safely(selector).some((it) => visible(it) &&
      !answer.some((one) => one.contains(it)) && saysBeside(it, prompt).includes(words)));
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
    const said = one.text.find((it) => {
      const words = squeezed(it).toLowerCase();
      return one.within.length ? inScope(one.within, words) : onPage(words);
    });
    if (said) {
      return { index, how: "text " + said };
    }
  }
  return null;
};

// What the recipe hides, as it stood when that was last asked.
let concealed = new Set();

const hide = (selectors) => {
  concealed = new Set(selectors.flatMap((selector) => safely(selector)));
  [...concealed].filter(visible)
    .forEach((it) => it.style.setProperty("display", "none", "important"));
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

// What is waited for: the alternative that is there, below 0 none.
const want = ({ select, how }, prompt) => {
  const passes = {
    there: () => true,
    seen: visible,
    usable: enabled,
    typed: (it) => visible(it) && same(editable(it), prompt),
  };
  return pick(select, document, passes[how]).alt;
};

// How the page stands, as far as the recipe asks.
const look = (asked) => {
  const state = { status: status(), ready: document.readyState };
  const found = answers(asked.answer);
  const texts = found.elements.map(textOf);
  const chars = texts.reduce((sum, it) => sum + it.length, 0);
  const begun = texts.some((it) => /\S/.test(it));
  state.answer = { alt: found.alt, chars, begun, hash: texts.map(hash).join() };
  state.sign = sign(asked.signs, asked.prompt, found.elements, begun);
  // After the signs: a wall that is hidden was seen first.
  hide(asked.hide);
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
  state.wants = asked.wants.map((one) => want(one, asked.prompt));
  state.running = asked.running.map((select) => hash(pick(select).elements.map(textOf).join("\n")));
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
  const to = asked.hover ? over : aim;
  return { alt, count: chosen.length, matched: count, point: element ? to(element) : null,
    found: Boolean(element) };
};

const STEP_PIXELS_MIN = 40;

// A page hears of a scroll with the next frame, and may draw with the one after.
const DRAW_FRAMES_MIN = 2;

const placeOf = (select) => {
  const { alt, elements } = pick(select);
  const one = elements[0];
  const whole = one && ["HTML", "BODY"].includes(one.tagName);
  return { alt, place: whole ? document.scrollingElement : one };
};

// Until the page has drawn in a place: the frame that changes it has ended, or `wait_ms` are over.
const drawn = (place, wait) => new Promise((resolve) => {
  let [changed, ended, frames] = [false, false, 0];
  const observer = new MutationObserver(() => { changed = true; });
  const end = () => {
    ended = true;
    observer.disconnect();
    resolve();
  };
  const frame = () => {
    frames += 1;
    if (changed && frames > DRAW_FRAMES_MIN) {
      end();
    } else if (!ended) {
      requestAnimationFrame(frame);
    }
  };
  observer.observe(place,
    { subtree: true, childList: true, attributes: true, characterData: true });
  setTimeout(end, wait);
  requestAnimationFrame(frame);
});

// Waits as `scroll` does, where the page has not drawn all that was scrolled to.
const draw = ({ select, wait_ms: wait }) => {
  const { place } = placeOf(select);
  return place ? drawn(place, wait) : null;
};

// Half a view at a time, so that rows of two steps overlap where a page draws only those in view.
const scroll = ({ select, to_start: toStart, wait_ms: wait }) => {
  const { alt, place } = placeOf(select);
  if (alt < 0) {
    return { alt, height: 0, ended: true };
  }
  const step = Math.max(STEP_PIXELS_MIN, Math.floor(place.clientHeight / 2));
  const drawing = drawn(place, wait);
  place.scrollTop = toStart ? 0 : place.scrollTop + step;
  place.dispatchEvent(new Event("scroll", { bubbles: true }));
  const ended = place.scrollTop + place.clientHeight >= place.scrollHeight - 1;
  return drawing.then(() => ({ alt, height: place.scrollHeight, ended }));
};
