// Calls to the server with the key in a header, never in an address.

import { currentKey } from "./session.js";

/** How long a call may take before the server counts as away, milliseconds. */
const CALL_MS = 30_000;

/** The server said no: `code` is its stable word, `message` its sentence. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.detail ?? `The server answered with status ${status}.`);
    this.status = status;
    this.code = body?.code ?? "unknown";
  }
}

/** The server did not answer. */
export class OfflineError extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

const handlers = { signedOut: () => {}, away: () => {} };

/** Sets what is done when the key is rejected and when the server does not answer. */
export const onMessage = (listeners) => Object.assign(handlers, listeners);

async function reach(path, options) {
  const headers = new Headers(options.headers);
  const key = currentKey();
  if (key) headers.set("X-API-Key", key);
  let reply;
  try {
    reply = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (options.signal?.aborted && options.signal.reason?.name !== "TimeoutError") throw error;
    handlers.away();
    throw new OfflineError();
  }
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => null);
  const failure = new ApiError(reply.status, body);
  // A key that another tab has handed over since is not the one that was refused.
  if (reply.status === 401 && key === currentKey()) handlers.signedOut(failure);
  if (failure.code === "shutting_down") handlers.away();
  throw failure;
}

/** A call for a whole reply. `body` is sent as JSON. */
async function call(path, { method = "GET", body, headers = {}, signal } = {}) {
  const limit = AbortSignal.timeout(CALL_MS);
  const options = { method, headers, signal: signal ? AbortSignal.any([signal, limit]) : limit };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { ...headers, "Content-Type": "application/json" };
  }
  return reach(path, options);
}

/** The JSON at a path. */
export const json = async (path, options) => (await call(path, options)).json();

/** The text at a path. */
export const text = async (path, options) => (await call(path, options)).text();

/** A picture at a path, as an address that needs no key. */
export async function picture(path) {
  const blob = await (await call(path)).blob();
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}

/**
 * Reads a stream of Server-Sent Events until it ends; an EventSource could not send the key.
 * `silence` is how long it may say nothing before it counts as broken, milliseconds.
 */
export async function events(path, { opened, event, signal, silence = 40_000 }) {
  const broken = new AbortController();
  const end = () => broken.abort();
  signal?.addEventListener("abort", end);
  let watch = setTimeout(end, silence);
  try {
    const reply = await reach(path, { signal: broken.signal });
    opened?.();
    if (reply.status === 204) return;
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(end, silence);
      const pieces = (rest + value).split("\n\n");
      rest = pieces.pop();
      for (const piece of pieces) dispatch(piece, event);
    }
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    throw new OfflineError();
  } finally {
    clearTimeout(watch);
    signal?.removeEventListener("abort", end);
  }
}

function dispatch(piece, event) {
  const lines = piece.split("\n");
  const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const data = field("data");
  if (data !== undefined) event(field("event") ?? "message", JSON.parse(data));
}
