// What an answer rests on: its pages as one list, those that the text cites told apart from those that
// were only consulted, the marks that lead to them, and what was searched, bought or advertised beside.

import { outward } from "./answer.js";
import { announce, el } from "./dom.js";
import { host, plural, short, whole, words } from "./format.js";
import { badge } from "./overview_parts.js";

/** The arrays that name pages. Marks in the text count those of the first. */
const PAGES = ["sources", "citations", "web_sources", "x_results", "search_results", "links"];
/** The most entries of a list that are shown at once. */
const SHOWN_MAX = 100;
/** What a page is to the answer, in the order of the list. */
const ROLES = {
  cited: ["cited", "good"],
  linked: ["linked", "good"],
  untold: ["cited or consulted", "warn"],
  consulted: ["consulted", "idle"],
};

/** Every page of a result once, cited ones first, with its number where marks can name it. */
export function pages(result) {
  const known = new Map();
  for (const name of PAGES) {
    (result?.[name] ?? []).forEach((entry, at) => {
      const page = known.get(entry.url) ?? { url: entry.url, number: name === "sources" ? at + 1 : null, in: [] };
      for (const [field, value] of Object.entries(entry)) if (!page[field]) page[field] = value;
      page.in.push(name);
      known.set(entry.url, page);
    });
  }
  const order = Object.keys(ROLES);
  const all = [...known.values()].map((page) => ({ ...page, role: role(page, result) }));
  return all.sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role) || (a.position ?? Infinity) - (b.position ?? Infinity));
}

/** A service without `extra_arrays` says of no page whether it is cited: then its arrays tell. */
function role({ cited, in: names }, result) {
  if (cited === true) return "cited";
  if (cited === false) return "consulted";
  if (cited === null) return "untold";
  if (names.includes("citations")) return "cited";
  return names.includes("links") ? "linked" : result.citations ? "consulted" : "untold";
}

/** The list of a result's pages; and what the text of the answer needs to lead to them. */
export function sources(result) {
  if (!result) return { card: null, lead: null };
  const all = pages(result);
  const shown = all.slice(0, SHOWN_MAX).map((page) => ({ page, item: source(page) }));
  const counts = Object.entries(ROLES).map(([name, [says]]) => [says, all.filter((page) => page.role === name).length]);
  const state = result.provenance?.fields?.[PAGES.find((name) => result[name] !== undefined)];
  const says = all.length > 0 ? counts.filter(([, count]) => count > 0).map(([name, count]) => `${whole(count)} ${name}`).join(", ") : state === "unsupported" ? "the upstream does not give them" : "none";
  const card = el("section", { class: "card sources" },
    el("div", { class: "card-head" }, el("h2", {}, "Sources", all.length > 0 && el("span", { class: "count" }, whole(all.length))), from(result)),
    el("p", { class: "quiet small" }, says),
    all.length > 0 && el("ol", {}, shown.map(({ item }) => item)),
    all.length > SHOWN_MAX && el("p", { class: "quiet small" }, `${plural(all.length - SHOWN_MAX, "more is", "more are")} in the JSON below.`));
  return { card, lead: leading(shown) };
}

/** What leads from the marks of a text to the pages themselves, where there is no list of them. */
export function marks(result) {
  const numbered = new Map(pages(result).filter(({ number }) => number).map((page) => [page.number, page]));
  const mark = (number) => {
    const page = numbered.get(number);
    return page && outward(page.url, `[${number}]`, { class: "mark", title: page.title || page.url });
  };
  return { mark, link: () => null };
}

/** The upstream that answered, and of which kind it is. */
export function from(result) {
  const { upstream, kind } = result.provenance ?? {};
  return upstream && el("span", { class: "quiet small from" }, `${upstream} · ${kind}`);
}

/** What to know before what is of several kinds is compared. */
export const mixed = (kinds, compared) => `Answers of several kinds are mixed here (${kinds.join(", ")}). What an API answers is not what the web page shows: compare ${compared} of one kind only.`;

function source(page) {
  const [says, tone] = ROLES[page.role];
  const about = page.snippet || page.preview;
  return el("li", { value: page.number, class: page.number ? null : "unnumbered", tabindex: "-1" },
    outward(page.url, page.title || page.text || page.url, { dir: "auto" }), " ",
    badge(page.times > 1 ? `${says} ${whole(page.times)} times` : says, tone),
    el("span", { class: "quiet small host" }, [host(page.url), page.date].filter(Boolean).join(", ")),
    about && el("p", { class: "quiet small snippet", dir: "auto" }, about));
}

/** What leads from the text to a page of the list: by the number of a mark, or by the address of a link. */
function leading(shown) {
  const numbered = new Map(shown.filter(({ page }) => page.number).map((each) => [each.page.number, each]));
  const addressed = new Map(shown.map((each) => [each.page.url, each]));
  const button = (found, text) => found && el("button", { type: "button", class: "mark", "aria-label": `${text} source: ${found.page.title || found.page.url}`, on: { click: () => go(found.item) } }, text);
  return {
    mark: (number) => button(numbered.get(number), `[${number}]`),
    link: (address) => {
      const found = addressed.get(address);
      return found?.page.number ? button(found, `${found.page.number}`) : null;
    },
  };
}

function go(item) {
  item.scrollIntoView({ block: "center" });
  item.focus({ preventScroll: true });
  announce(item.textContent);
}

/** The lists of a result that name no pages of the web: what is sold, advertised, named and asked. */
export function lists(result) {
  const says = (name) => (result.provenance?.fields?.[name] === "unsupported" ? "the upstream does not give them" : "none");
  // Of products alone a scraper may have nothing else to show.
  const of = (name, entry, kind = "ol") => result?.[name] && (result[name].length > 0 || name === "products") && el("section", { class: `card of-${name}`, "data-array": name },
    el("div", { class: "card-head" }, el("h2", {}, heading(name), result[name].length > 0 && el("span", { class: "count" }, result[name].length)),
      result[name].length === 0 && el("span", { class: "quiet small" }, says(name))),
    result[name].length > 0 && el(kind, { class: kind === "ul" ? "chips" : null }, result[name].slice(0, SHOWN_MAX).map(entry)),
    result[name].length > SHOWN_MAX && el("p", { class: "quiet small" }, `${plural(result[name].length - SHOWN_MAX, "more is", "more are")} in the JSON below.`));
  const chip = (text) => el("li", { dir: "auto" }, text);
  return [of("products", product), of("ads", ad), of("entities", entity, "ul"), of("search_queries", chip, "ul"), of("related_questions", chip, "ul")];
}

const heading = (name) => words(name).replace(/^./, (first) => first.toUpperCase());

function product({ title, url, price, was, merchant, merchants = [], rating, reviews, tag }) {
    const about = [price?.raw, was && `was ${was}`, (merchants.length > 0 ? merchants : [merchant]).filter(Boolean).join(", "), rating && `rated ${rating}`, reviews && `${reviews} reviews`].filter(Boolean).join(" · ");
  return el("li", {}, outward(url, title || url, { dir: "auto" }), tag && [" ", badge(tag, "accent")], about && el("p", { class: "quiet small", dir: "auto" }, about));
}

function ad({ brand, title, body, url }) {
  return el("li", {}, outward(url, title || url, { dir: "auto" }), el("span", { class: "quiet small host" }, brand || host(url)), body && el("p", { class: "quiet small snippet", dir: "auto" }, body));
}

function entity({ name, type, url }) {
  return el("li", { dir: "auto" }, url ? outward(url, name) : name, type && el("span", { class: "quiet" }, ` ${words(type)}`));
}

/** Whether a search was made, in words; null where that is not known at all. */
export function searched(result) {
  const { search } = result;
  if (!search) return null;
  if (!search.asked) return search.made ? "made without being asked for" : "not asked for";
  const calls = [search.calls > 0 && plural(search.calls, "search", "searches"), search.failed > 0 && `${whole(search.failed)} failed`].filter(Boolean).join(", ");
  const made = search.made === true ? "made" : search.made === false ? "not made" : "unknown";
  return calls ? `${made}: ${calls}` : made;
}

/** The tokens that the answer took, in words; null where they are not known. */
export function tokens({ usage }) {
  const parts = [["input_tokens", "in"], ["output_tokens", "out"], ["reasoning_tokens", "of reasoning"]];
  const told = parts.filter(([name]) => typeof usage?.[name] === "number").map(([name, says]) => `${short(usage[name])} ${says}`);
  return told.length > 0 ? told.join(", ") : null;
}

/** What the answer has cost, in words; null where that is not told. */
export function cost({ usage }) {
  if (typeof usage?.cost_usd !== "number") return null;
  const by = { provider: "reported by the provider", table: "by the prices in the settings" }[usage.cost_from];
  return [`USD ${usage.cost_usd.toFixed(usage.cost_usd < 0.01 ? 5 : 3)}`, by].filter(Boolean).join(", ");
}
