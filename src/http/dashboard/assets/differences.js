// What differs between the texts of two answers of one prompt, which the reader chooses.

import { diff, marked, wordsOf } from "./diff.js";
import { el, fill, scrolls } from "./dom.js";
import { plural } from "./format.js";

/** The section, closed at first, and `update(answers)` with `[{ id, name, text }]`; it is hidden below two answers. */
export function differences() {
  const choices = ["First answer", "Second answer"].map((label) => el("select", { "aria-label": label, on: { change: draw } }));
  const says = el("p", { class: "quiet small", "aria-live": "polite" });
  const text = el("p", { class: "diff", dir: "auto", ...scrolls("Differences of two answers") });
  const details = el("details", { on: { toggle: draw } }, el("summary", {}, el("h3", {}, "Differences of two answers")),
    el("div", { class: "controls" }, choices), says, text);
  const element = el("section", { class: "card differences", hidden: true }, details);
  let answers = [];
  return { element, update };

  function update(now) {
    const names = (all) => all.map(({ id, name }) => `${id} ${name}`).join();
    const isOther = names(now) !== names(answers);
    answers = now;
    element.hidden = answers.length < 2;
    // What was chosen stays.
    if (isOther) {
      choices.forEach((choice, at) => {
        const chosen = choice.value;
        fill(choice, answers.map(({ id, name }) => el("option", { value: id }, name)));
        choice.value = (answers.find(({ id }) => id === chosen) ?? answers[at])?.id ?? "";
      });
    }
    draw();
  }

  function draw() {
    if (!details.open || answers.length < 2) return;
    const [before, after] = choices.map(({ value }) => answers.find(({ id }) => id === value).text);
    const steps = diff(before, after);
    const isSame = steps.every(([kind]) => kind === "same");
    says.textContent = isSame ? "Word for word the same." : `${plural(wordsOf(steps, "gone"), "word")} only in the first, ${plural(wordsOf(steps, "new"), "word")} only in the second.`;
    fill(text, marked(steps));
  }
}
