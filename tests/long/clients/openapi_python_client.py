"""Uses the client that openapi-python-client makes: submits, polls and sends batches."""

import sys
from uuid import UUID

from answerd_client import Client
from answerd_client.api.batches import get_batch, submit_batch
from answerd_client.api.jobs import get_job, list_jobs
from answerd_client.api.operations import get_usage
from answerd_client.api.scrapes import list_scrapers, run_scrape, submit_job
from answerd_client.models import Batch, Job, NewBatch, NewItem, Scrape

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True, timeout=90)


def ended(job_id: UUID) -> Job:
    job = get_job.sync(job_id, client=client, wait=60)
    assert isinstance(job, Job) and job.status == "done", job
    assert job.result.result and job.result.provenance.kind == "practice", job
    return job


# In the body, in the query, and partly in each.
in_body = submit_job.sync(
    "practice", client=client, body=Scrape(prompt="What is a job?", country="DE", web_search=False)
)
in_query = submit_job.sync("practice", client=client, prompt="What is a job?", country="DE")
in_both = submit_job.sync(
    "practice", client=client, country="DE", body=Scrape(prompt="What is a job?", label="both")
)
for job in [in_body, in_query, in_both]:
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
    batch = submit_batch.sync(client=client, body=asked)
    assert isinstance(batch, Batch), batch
    batch = get_batch.sync(batch.batch_id, client=client, wait=60)
    assert isinstance(batch, Batch) and batch.status == "done", batch
    assert [item.country for item in batch.items] == countries, batch
    for item in batch.items:
        ended(item.job_id)

samples = submit_job.sync("practice", client=client, prompt="Why?", samples=2)
assert isinstance(samples, Batch) and samples.counts.items == 2, samples

waited = run_scrape.sync("practice", client=client, prompt="What is a credit?")
assert waited.result and waited.country == "US", waited
refused = submit_job.sync("practice", client=client, prompt="x", country="XX")
assert refused.code == "country_invalid" and "XX" in refused.detail, refused
assert list_jobs.sync(client=client, limit=3).jobs[0].status in ("pending", "done")
assert any(scraper.name == "practice" for scraper in list_scrapers.sync(client=client).scrapers)
assert get_usage.sync(client=client).used > 0
