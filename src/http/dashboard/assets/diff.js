// What has changed between two texts, word by word.

import { el } from "./dom.js";

/** The most comparisons of a word with a word; beyond that the rest counts as another text. */
const STEPS_MAX = 4_000_000;

/** Words, spaces and signs: joined they are the text. */
const pieces = (text) => text.match(/[\p{L}\p{N}]+|\s+|[^\p{L}\p{N}\s]/gu) ?? [];

/** The steps from one text to another: `[kind, text]` with the kinds `same`, `gone` and `new`. */
export function diff(before, after) {
  const [a, b] = [pieces(before), pieces(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const steps = [];
  const add = (kind, piece) => {
    if (steps.at(-1)?.[0] === kind) steps.at(-1)[1] += piece;
    else if (piece) steps.push([kind, piece]);
  };
  add("same", a.slice(0, head).join(""));
  compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail), add);
  add("same", a.slice(a.length - tail).join(""));
  return steps;
}

/** Walks along the longest common subsequence. */
function compare(a, b, add) {
  if (a.length * b.length > STEPS_MAX) {
    add("gone", a.join(""));
    add("new", b.join(""));
    return;
  }
  const width = b.length + 1;
  // How much of both is common from here on.
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = a[i] === b[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("same", a[i]);
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      add("gone", a[i]);
      i += 1;
    } else {
      add("new", b[j]);
      j += 1;
    }
  }
}

/** How many words of the steps are of a kind. */
export const wordsOf = (steps, kind) => steps.filter(([each]) => each === kind).reduce((sum, [, text]) => sum + (text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0), 0);

const TAGS = { gone: "del", new: "ins" };

/** The steps as elements. */
export const marked = (steps) => steps.map(([kind, text]) => (kind === "same" ? text : el(TAGS[kind], {}, text)));
