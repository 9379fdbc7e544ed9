// What could have been meant, the page as a whole, and the way in from outside.

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

const now = () => {
  performance.setResourceTimingBufferSize(5000);
  return Date.now();
};

const WHAT = {
  watch, baseline, focusBox, type, clickable, scroll, draw, list, read, nearest, frame, frameBegin,
  source, now,
};

// What a recipe hides is in no text that is read.
const run = (name, argument) => {
  if (watched.asked && name !== "watch") {
    hide(watched.asked.hide);
  }
  return WHAT[name](argument);
};
