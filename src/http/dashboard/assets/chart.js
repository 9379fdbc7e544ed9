// Charts of time: bars that stand on one another, or lines. Drawn as SVG at their real width, walked
// along with the pointer or the arrow keys, and there as a table for those who cannot see them.

import { clock } from "./format.js";
import { el, fill, scrolls, svg } from "./dom.js";

const HEIGHT = 168;
const PAD = { top: 10, right: 8, bottom: 22, left: 50 };
/** The most rows of the table that stands for a chart. */
const TABLE_ROWS_MAX = 96;

/**
 * A chart in a figure. `kind` is `bars` or `lines`, `series` is `[{ name, tone }]`, `format` writes
 * a value, `when` a time, `max` is the top of the axis where that is fixed, `open` is called with the start of the
 * bucket that is clicked. `update` gives it its data.
 */
export class Chart {
  #data = { times: [], values: [], empty: "" };
  #at = null;

  constructor({ title, kind, series, format, max, note, when = clock, open = null }) {
    Object.assign(this, { title, kind, series, format, max, when, open });
    this.picture = svg("svg", { class: open ? "plot opens" : "plot", height: HEIGHT, tabindex: "0", role: "img" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.said = el("p", { class: "out-of-sight", "aria-live": "polite" });
    this.now = el("span", { class: "now" });
    this.body = el("tbody", {});
    this.figure = el("figure", { class: "card chart" },
      el("figcaption", {}, el("h2", {}, title), this.now),
      el("div", { class: "plot-area" }, this.picture, this.tip),
      el("ul", { class: "legend" }, series.map(({ name, tone }) => el("li", {}, el("span", { class: `swatch ${tone}`, "aria-hidden": "true" }), name))),
      note && el("p", { class: "quiet small" }, note),
      this.said,
      el("details", { class: "as-table" }, el("summary", {}, `${title} as a table`),
        el("div", { class: "scroll", ...scrolls(`${title} as a table`) }, el("table", {},
          el("thead", {}, el("tr", {}, ["Time", ...series.map(({ name }) => name)].map((name) => el("th", { scope: "col" }, name)))),
          this.body))));
    this.picture.addEventListener("pointermove", (event) => this.#point(event));
    this.picture.addEventListener("pointerleave", () => this.#choose(null));
    this.picture.addEventListener("blur", () => this.#choose(null));
    if (open) this.picture.addEventListener("click", (event) => this.#click(event));
    this.picture.addEventListener("keydown", (event) => this.#key(event));
    this.observer = new ResizeObserver(() => this.#draw());
    this.observer.observe(this.figure);
  }

  /**
   * `times` are the starts of the buckets, `values` one list for each series (null where there is
   * nothing), `bands` the lows and highs of each where they are known, `now` what the chart comes to in a word, `empty` what to say where there is nothing.
   */
  update(data) {
    this.#data = data;
    this.now.textContent = data.now ?? "";
    this.picture.setAttribute("aria-label", `${this.title}: ${data.now || data.empty}. The table below has every value.${this.open ? " Enter lists the jobs of the chosen time." : ""}`);
    this.#draw();
    this.#table();
  }

  close() {
    this.observer.disconnect();
  }

  #draw() {
    const width = this.figure.querySelector(".plot-area").clientWidth;
    if (!width) return;
    const { times, values, empty } = this.#data;
    this.picture.setAttribute("width", width);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const nothing = !values.some((list) => list.some((value) => value !== null && (this.kind === "lines" || value > 0)));
    const top = this.max ?? nice(Math.max(0, ...this.#totals()));
    const area = { width: width - PAD.left - PAD.right, height: HEIGHT - PAD.top - PAD.bottom };
    this.x = (at) => PAD.left + ((at + 0.5) / Math.max(times.length, 1)) * area.width;
    this.y = (value) => PAD.top + area.height * (1 - value / (top || 1));
    this.step = area.width / Math.max(times.length, 1);
    fill(this.picture,
      nothing ? this.#base(area) : this.#grid(top, area),
      this.#clock(times, area),
      nothing
        ? svg("text", { class: "nothing", x: PAD.left + area.width / 2, y: PAD.top + area.height / 2, "text-anchor": "middle" }, empty)
        : this.kind === "bars" ? this.#bars() : [this.#bands(), this.#lines(area)],
      this.#cursor(area));
  }

  #totals() {
    const { times, values } = this.#data;
    if (this.kind === "lines") return values.flat().filter((value) => value !== null);
    return times.map((_, at) => values.reduce((sum, list) => sum + (list[at] ?? 0), 0));
  }

  #base(area) {
    return svg("line", { class: "grid", x1: PAD.left, x2: PAD.left + area.width, y1: this.y(0), y2: this.y(0) });
  }

  #grid(top, area) {
    const parts = [0, top / 2, top];
    return parts.map((value) => svg("g", {},
      svg("line", { class: "grid", x1: PAD.left, x2: PAD.left + area.width, y1: this.y(value), y2: this.y(value) }),
      svg("text", { class: "tick", x: PAD.left - 6, y: this.y(value) + 3.5, "text-anchor": "end" }, this.format(value))));
  }

  #clock(times, area) {
    if (times.length < 2) return null;
    const marks = area.width < 320 ? 3 : 5;
    return Array.from({ length: marks }, (_, mark) => {
      const at = Math.round((mark / (marks - 1)) * (times.length - 1));
      const anchor = mark === 0 ? "start" : mark === marks - 1 ? "end" : "middle";
      const x = mark === 0 ? PAD.left : mark === marks - 1 ? PAD.left + area.width : this.x(at);
      return svg("text", { class: "tick", x, y: HEIGHT - 6, "text-anchor": anchor }, this.when(times[at]));
    });
  }

  #bars() {
    const { times, values } = this.#data;
    const gap = this.step > 5 ? 1.5 : this.step > 3 ? 0.75 : 0;
    return times.map((_, at) => {
      let below = 0;
      return this.series.map(({ tone }, number) => {
        const value = values[number][at] ?? 0;
        if (!value) return null;
        const [y1, y2] = [this.y(below + value), this.y(below)];
        below += value;
        return svg("rect", { class: `bar-part ${tone}`, x: this.x(at) - this.step / 2 + gap / 2, width: Math.max(this.step - gap, 0.8), y: y1, height: Math.max(y2 - y1, 1) });
      });
    });
  }

  #lines(area) {
    return this.series.map(({ tone, filled }, number) => {
      const runs = joined(this.#data.values[number]);
      return runs.map((run) => {
        const points = run.map(([at, value]) => `${this.x(at).toFixed(1)},${this.y(value).toFixed(1)}`);
        if (run.length === 1) {
          const [at, value] = run[0];
          return svg("circle", { class: `dot-part ${tone}`, cx: this.x(at), cy: this.y(value), r: 3 });
        }
        const [first, last] = [this.x(run[0][0]), this.x(run.at(-1)[0])];
        const ground = PAD.top + area.height;
        return [
          filled && svg("path", { class: `area-part ${tone}`, d: `M${first},${ground}L${points.join("L")}L${last},${ground}Z` }),
          svg("path", { class: `line-part ${tone}`, d: `M${points.join("L")}` }),
        ];
      });
    });
  }

  /** The interval of each line, as a band behind it. */
  #bands() {
    return (this.#data.bands ?? []).map(([lows, highs], number) => joined(lows).map((run) => {
      const point = (at, value) => `${this.x(at).toFixed(1)},${this.y(value).toFixed(1)}`;
      const upper = run.map(([at]) => point(at, highs[at]));
      const lower = run.map(([at, low]) => point(at, low)).reverse();
      const { tone } = this.series[number];
      if (run.length === 1) return svg("path", { class: `line-part ${tone} band`, d: `M${upper[0]}L${lower[0]}` });
      return svg("path", { class: `area-part ${tone}`, d: `M${[...upper, ...lower].join("L")}Z` });
    }));
  }

  #cursor(area) {
    if (this.#at === null || this.#at >= this.#data.times.length) return null;
    const x = this.x(this.#at);
    return svg("line", { class: "cursor", x1: x, x2: x, y1: PAD.top, y2: PAD.top + area.height });
  }

  #point(event) {
    const left = event.clientX - this.picture.getBoundingClientRect().left - PAD.left;
    const at = Math.floor(left / (this.step || 1));
    this.#choose(at >= 0 && at < this.#data.times.length ? at : null);
  }

  /** A finger first shows the values, and opens with the second touch. */
  #click(event) {
    const before = this.#at;
    this.#point(event);
    if (this.#at === null || (event.pointerType === "touch" && this.#at !== before)) return;
    this.open(this.#data.times[this.#at]);
  }

  #key(event) {
    const last = this.#data.times.length - 1;
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key === "Escape") this.#choose(null);
    else if (event.key === "Enter" && this.open && this.#at !== null) return void this.open(this.#data.times[this.#at]);
    else if (event.key === "Home") this.#choose(0);
    else if (event.key === "End") this.#choose(last);
    else if (event.key in moves) this.#choose(Math.min(Math.max((this.#at ?? last + 1) + moves[event.key], 0), last));
    else return;
    if (this.#at !== null) this.said.textContent = this.#line(this.#at);
    event.preventDefault();
  }

  #choose(at) {
    if (at === this.#at) return;
    this.#at = at;
    this.#draw();
    this.tip.hidden = at === null;
    if (at === null) return;
    const { times, values } = this.#data;
    fill(this.tip, el("strong", {}, this.when(times[at])),
      this.series.map(({ name, tone }, number) => el("span", {}, el("span", { class: `swatch ${tone}`, "aria-hidden": "true" }), `${name} `, el("b", {}, this.#value(values[number][at])))));
    const width = this.picture.clientWidth;
    this.tip.style.left = `${Math.min(Math.max(this.x(at) - this.tip.offsetWidth / 2, 0), width - this.tip.offsetWidth)}px`;
  }

  #value(value) {
    return value === null || value === undefined ? "–" : this.format(value);
  }

  #line(at) {
    const { times, values } = this.#data;
    return [this.when(times[at]), ...this.series.map(({ name }, number) => `${name} ${this.#value(values[number][at])}`)].join(", ");
  }

  /** The latest first; what is empty is left out. */
  #table() {
    const { times, values, empty } = this.#data;
    const rows = times.map((time, at) => [time, values.map((list) => list[at] ?? null)]).filter(([, row]) => row.some(Boolean));
    fill(this.body, rows.length === 0 && el("tr", {}, el("td", { colspan: this.series.length + 1 }, empty)),
      rows.reverse().slice(0, TABLE_ROWS_MAX).map(([time, row]) => el("tr", {},
        el("th", { scope: "row" }, this.when(time)), row.map((value) => el("td", { class: "number" }, this.#value(value))))));
  }
}

/** The runs of a list that have no gap: `[[at, value], ...]` each. */
function joined(list) {
  const runs = [[]];
  list.forEach((value, at) => {
    if (value === null || value === undefined) runs.push([]);
    else runs.at(-1).push([at, value]);
  });
  return runs.filter((run) => run.length > 0);
}

/** The next number above that is good to read on an axis. */
function nice(value) {
  if (value <= 0) return 2;
  const size = 10 ** Math.floor(Math.log10(value));
  // Half of each is a whole number, where jobs are counted.
  return [1, 2, 4, 6, 8, 10].map((part) => part * size).find((top) => top >= value && (top > 1 || value < 1));
}
