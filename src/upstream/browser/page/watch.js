// Tells how the page stands whenever that changes, so that nobody has to ask for it all the time.

const CHECK_MS = 100;
// Once the prompt is sent, the page changes with each turn of a spinner, and then with each word.
const CHECK_SENT_MS = 250;
const CHECK_ANSWER_MS = 500;
// What changes a page without a change of its document.
const EVENTS = ["readystatechange", "input", "pointerover", "transitionend", "animationend"];

const watched = {
  asked: null, number: 0, last: "", timer: 0, wait: CHECK_MS, roots: new WeakSet(),
};
let told = () => {};

// How to tell, as the browser gives it.
const hear = (tell) => {
  told = tell;
};

const lookNow = () => {
  const { asked } = watched;
  const seen = look(asked);
  if (asked.wants.length || !(asked.since || seen.answer.begun)) {
    watched.wait = CHECK_MS;
  } else {
    watched.wait = seen.answer.begun ? CHECK_ANSWER_MS : CHECK_SENT_MS;
  }
  return seen;
};

const check = () => {
  watched.timer = 0;
  let seen;
  try {
    seen = lookNow();
  } catch {
    // Whoever asks next is told of it.
    return;
  }
  const text = JSON.stringify(seen);
  if (text !== watched.last) {
    watched.last = text;
    told(JSON.stringify({ watch: watched.number, look: seen }));
  }
};

const soon = () => {
  if (!watched.timer) {
    watched.timer = setTimeout(check, watched.wait);
  }
};

const changes = new MutationObserver(soon);

// A document, and each root below it that a selector has led into: no observer sees across them.
const observe = (root) => {
  if (watched.asked && !watched.roots.has(root)) {
    watched.roots.add(root);
    changes.observe(root, {
      subtree: true, childList: true, attributes: true, characterData: true,
    });
  }
};

const watch = ({ asked, watch: number }) => {
  if (!watched.asked) {
    EVENTS.forEach((name) => document.addEventListener(name, soon, true));
    addEventListener("load", soon);
    new PerformanceObserver(soon).observe({ type: "resource" });
  }
  watched.asked = asked;
  watched.number = number;
  observe(document);
  entered = observe;
  const seen = lookNow();
  watched.last = JSON.stringify(seen);
  return seen;
};
