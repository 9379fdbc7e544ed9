// Uses the types that openapi-typescript makes, with openapi-fetch: submits, polls and sends batches.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./answerd.js";

type Job = components["schemas"]["Job"];
type Batch = components["schemas"]["Batch"];
type NewBatch = components["schemas"]["NewBatch"];

const client = createClient<paths>({ baseUrl: process.argv[2] });
const path = { scraper: "practice" };

async function ended(job_id: string): Promise<Job> {
  const { data } = await client.GET("/jobs/{job_id}", { params: { path: { job_id }, query: { wait: 60 } } });
  assert.ok(data);
  assert.equal(data.status, "done");
  assert.ok(data.result?.result);
  assert.equal(data.result.provenance.kind, "practice");
  return data;
}

function job(taken: Job | Batch | undefined): Job {
  assert.ok(taken && "job_id" in taken);
  return taken;
}

// In the body, in the query, and partly in each.
const submit = "/scrapers/{scraper}/jobs";
const inBody = await client.POST(submit, { params: { path }, body: { prompt: "What is a job?", country: "DE", web_search: false } });
const inQuery = await client.POST(submit, { params: { path, query: { prompt: "What is a job?", country: "DE" } } });
const inBoth = await client.POST(submit, { params: { path, query: { country: "DE" } }, body: { prompt: "What is a job?", label: "both" } });
for (const { data } of [inBody, inQuery, inBoth]) {
  assert.equal(job(data).country, "DE");
  assert.equal((await ended(job(data).job_id)).country, "DE");
}

const items: NewBatch = {
  scraper: "practice",
  country: "FR",
  timeout: 60,
  items: [{ prompt: "What is a batch?" }, { prompt: "What is a key?", country: "BR" }],
};
const lists: NewBatch = { prompts: ["What is a scraper?"], scrapers: ["practice", "chatgpt"], countries: ["FR", "BR"] };
for (const [body, countries] of [[items, ["FR", "BR"]], [lists, ["FR", "BR", "FR", "BR"]]] as [NewBatch, string[]][]) {
  const sent = await client.POST("/batches", { body });
  assert.ok(sent.data);
  const params = { path: { batch_id: sent.data.batch_id }, query: { wait: 60 } };
  const { data: batch } = await client.GET("/batches/{batch_id}", { params });
  assert.equal(batch?.status, "done");
  assert.deepEqual(batch.items?.map(({ country }) => country), countries);
  for (const { job_id } of batch.items ?? []) await ended(job_id ?? "");
}

const samples = await client.POST(submit, { params: { path, query: { prompt: "Why?", samples: 2 } } });
assert.ok(samples.data && "counts" in samples.data);
assert.equal(samples.data.counts.items, 2);

const waited = await client.GET("/scrapers/{scraper}", { params: { path, query: { prompt: "What is a credit?" } } });
assert.ok(waited.data?.result);
assert.equal(waited.data.country, "US");
const refused = await client.POST(submit, { params: { path }, body: { prompt: "x", country: "XX" } });
assert.equal(refused.error?.code, "country_invalid");
const listed = await client.GET("/jobs", { params: { query: { limit: 3 } } });
assert.ok(typeof listed.data === "object" && listed.data.jobs.length > 0);
const known = await client.GET("/scrapers");
assert.ok(known.data?.scrapers.some(({ name }) => name === "practice"));
const usage = await client.GET("/usage");
assert.ok((usage.data?.used ?? 0) > 0);
