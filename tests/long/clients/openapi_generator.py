"""Uses the client that openapi-generator makes for Python: submits, polls and sends batches."""

import sys

import answerd_api
from answerd_api import Batch, Job, NewBatch, NewItem, Scrape

client = answerd_api.ApiClient(answerd_api.Configuration(host=sys.argv[1]))
scrapes, jobs = answerd_api.ScrapesApi(client), answerd_api.JobsApi(client)
batches, operations = answerd_api.BatchesApi(client), answerd_api.OperationsApi(client)


def submitted(**asked):
    return scrapes.submit_job("practice", **asked).actual_instance


def ended(job_id) -> Job:
    job = jobs.get_job(job_id, wait=60)
    assert job.status == "done" and job.result.result, job
    assert job.result.provenance.kind == "practice", job
    return job


# In the body, in the query, and partly in each.
for job in [
    submitted(scrape=Scrape(prompt="What is a job?", country="DE", web_search=False)),
    submitted(prompt="What is a job?", country="DE"),
    submitted(country="DE", scrape=Scrape(prompt="What is a job?", label="both")),
]:
    assert isinstance(job, Job) and job.country == "DE", job
    assert ended(job.job_id).country == "DE"

items = NewBatch(
    scraper="practice",
    country="FR",
    timeout=60,
    items=[NewItem(prompt="What is a batch?"), NewItem(prompt="What is a key?", country="BR")],
)
lists = NewBatch(
    prompts=["What is a scraper?"], scrapers=["practice", "chatgpt"], countries=["FR", "BR"]
)
for asked, countries in [(items, ["FR", "BR"]), (lists, ["FR", "BR", "FR", "BR"])]:
    batch = batches.get_batch(batches.submit_batch(asked).batch_id, wait=60)
    assert batch.status == "done", batch
    assert [item.country for item in batch.items] == countries, batch
    for item in batch.items:
        ended(item.job_id)

samples = submitted(prompt="Why?", samples=2)
assert isinstance(samples, Batch) and samples.counts.items == 2, samples

waited = scrapes.run_scrape("practice", prompt="What is a credit?")
assert waited.result and waited.country == "US", waited
try:
    submitted(prompt="x", country="XX")
    raise SystemExit("a wrong country was taken")
except answerd_api.ApiException as refused:
    assert refused.status == 400 and refused.data.code == "country_invalid", refused
assert jobs.list_jobs(limit=3).jobs[0].status in ("pending", "done")
assert any(scraper.name == "practice" for scraper in scrapes.list_scrapers().scrapers)
assert operations.get_usage().used > 0
