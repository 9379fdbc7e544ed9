// Numbers, times and words as people read them.

import { el } from "./dom.js";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export const whole = (value) => WHOLE.format(value);
export const short = (value) => (Math.abs(value) < 10_000 ? WHOLE.format(value) : SHORT.format(value));
export const clock = (ms) => CLOCK.format(ms);
export const fullTime = (ms) => FULL.format(ms);
export const day = (text) => DAY.format(new Date(`${text}T00:00:00Z`));
export const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

/** US dollars: whole cents, and two digits of what is less. */
export function dollars(value) {
  const digits = value > 0 && value < 0.01 ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return `$${new Intl.NumberFormat("en", digits).format(value)}`;
}

/** A part of one; never "100%" while something is missing. */
export function percent(part) {
  if (part === null || part === undefined) return "–";
  if (part === 0 || part === 1) return `${part * 100}%`;
  return `${(Math.min(Math.max(part * 100, 0.1), 99.9)).toFixed(part > 0.9 || part < 0.01 ? 1 : 0)}%`;
}

/** How long something took. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds > 0 && seconds < 0.001) return "< 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** How far the server's clock is ahead of this one, milliseconds. */
let aheadMs = 0;

/** Learns the server's time, so that two clocks that differ do no harm. */
export const learnTime = (text) => (aheadMs = Date.parse(text) - Date.now());

/** The server's time. */
export const serverNow = () => Date.now() + aheadMs;

/** "3 min ago", as seen now. */
export function ago(ms) {
  const seconds = Math.round((ms - serverNow()) / 1000);
  const size = Math.abs(seconds);
  if (size < 3) return "now";
  const [count, unit] =
    size < 60 ? [size, "s"] : size < 3600 ? [size / 60, "min"] : size < 86_400 ? [size / 3600, "h"] : [size / 86_400, "days"];
  const text = `${Math.round(count)} ${unit}`.replace(/^1 days$/, "1 day");
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

/** A moment as an element whose text is kept up to date; the whole time stands in its title. */
export function moment(text) {
  if (!text) return "–";
  const ms = Date.parse(text);
  return el("time", { datetime: text, title: fullTime(ms), "data-ago": "" }, ago(ms));
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago(Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}, 10_000);

/** Bytes as a file's size. */
export function bytes(count) {
  if (count < 1024) return `${count} B`;
  return count < 1 << 20 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / (1 << 20)).toFixed(1)} MiB`;
}

/** A word of the API for people: `upstream_timeout` is "upstream timeout". */
export const words = (text) => text.replaceAll("_", " ");

/** The host of an address, or nothing. */
export function host(address) {
  try {
    return new URL(address).hostname.replace(/^www\./, "");
  } catch {
    return "";
  }
}

/** A text as one word of a POSIX shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
