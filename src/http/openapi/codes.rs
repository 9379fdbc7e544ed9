//! The codes of refused requests, each with its status and a sentence that it comes with, and which of
//! them a method can have. `tests/it/openapi/errors.rs` provokes them and holds them to the guide.

/// Every code that a refused request can have, with its status and a sentence that it comes with.
pub const CODES: &[(&str, u16, &str)] = &[
    ("prompt_missing", 400, "Parameter `prompt` is required: 1 to 4000 characters."),
    (
        "prompt_blank",
        400,
        "Parameter `prompt` must be 1 to 4000 characters and not blank; given: ``.",
    ),
    (
        "prompt_too_long",
        400,
        "Parameter `prompt` must be 1 to 4000 characters; given: 4001 characters.",
    ),
    (
        "prompt_invalid",
        400,
        "Parameter `prompt` must not contain the character U+0000; given: `a\u{fffd}b`.",
    ),
    (
        "country_invalid",
        400,
        "Parameter `country` must be an ISO 3166-1 alpha-2 code such as `US`; given: `UK`.",
    ),
    (
        "country_refused",
        400,
        "Parameter `country` must be a country that `grok` serves; it refuses JP and TW; given: `JP`.",
    ),
    ("timeout_invalid", 400, "Parameter `timeout` must be 10 to 600 seconds; given: `5`."),
    (
        "mode_invalid",
        400,
        "Parameter `mode` must be at most 64 characters without control characters; given: `a\u{fffd}b`.",
    ),
    (
        "label_invalid",
        400,
        "Parameter `label` must be at most 200 characters without control characters; given: `a\u{fffd}b`.",
    ),
    (
        "start_within_invalid",
        400,
        "Parameter `start_within` must be 1 to 86400 seconds; given: `0`.",
    ),
    ("samples_invalid", 400, "Parameter `samples` must be 1 to 20; given: `21`."),
    (
        "webhook_url_invalid",
        400,
        "Parameter `webhook_url` must be an http(s) address with a host, such as `https://app.example.com/hook`; given: `ftp://a.example`.",
    ),
    (
        "parameter_invalid",
        400,
        "Parameter `bypass_cache` must be `true`, `false`, `True`, `False`, `1` or `0`; given: `maybe`.",
    ),
    ("parameter_repeated", 400, "Parameter `country` must be given once; it is there twice."),
    (
        "parameter_conflict",
        400,
        "Parameter `country` must have one value; the query and the body have different ones.",
    ),
    (
        "idempotency_key_invalid",
        400,
        "Header `Idempotency-Key` must be 1 to 255 visible ASCII characters; given: `a b`.",
    ),
    (
        "body_invalid",
        400,
        "The request's body must be empty or a JSON object of parameters; given: `[]`.",
    ),
    ("batch_invalid", 400, "A batch must have at least one item; one of its lists is empty."),
    ("batch_too_large", 400, "A batch must have at most 1000 items; given: 1001. Send several."),
    ("wait_invalid", 400, "Parameter `wait` must be 0 to 60 seconds; given: `61`."),
    ("fields_invalid", 400, "Parameter `fields` must be `status`; given: `prompt`."),
    (
        "status_invalid",
        400,
        "Parameter `status` must be `pending`, `done` or `failed`; given: `ended`.",
    ),
    ("search_invalid", 400, "Parameter `search` must be 1 to 200 characters; given: ``."),
    (
        "since_invalid",
        400,
        "Parameter `since` must be a time such as `2026-05-11T12:00:00Z`, or Unix seconds; given: `today`.",
    ),
    ("limit_invalid", 400, "Parameter `limit` must be 1 to 200; given: `0`."),
    ("formulas_invalid", 400, "Parameter `formulas` must be `escape` or `keep`; given: `run`."),
    (
        "cursor_invalid",
        400,
        "Parameter `cursor` must be the `next_cursor` of an earlier page; given: `1`.",
    ),
    ("batch_id_invalid", 400, "Parameter `batch` must be the id of a batch; given: `1`."),
    ("days_invalid", 400, "Parameter `days` must be 1 to 400; given: `0`."),
    ("query_invalid", 400, "The query must be UTF-8 when decoded; given: `\u{fffd}`."),
    ("request_invalid", 400, "The request is not valid HTTP/1.1. A URL must be percent-encoded."),
    (
        "key_missing",
        401,
        "Missing API key. Pass your key in the X-API-Key header or as ?api_key= in the URL.",
    ),
    ("key_invalid", 401, "Invalid API key."),
    (
        "foreign_host",
        403,
        "While no API key is needed, `Host` must be `localhost`, a loopback address, the address that `bind` names, or the host of `public_url`; given: `a.example`.",
    ),
    (
        "cross_site",
        403,
        "While no API key is needed, a web page of another origin may call only if `cors_origins` lists its origin; given: `https://a.example`.",
    ),
    ("not_found", 404, "There is nothing at `/none`."),
    (
        "scraper_unknown",
        404,
        "There is no scraper `gone`; there are chatgpt, perplexity, practice.",
    ),
    (
        "job_not_found",
        404,
        "Job not found. It may have expired (jobs are retained for 24 hours) or the ID is invalid.",
    ),
    (
        "batch_not_found",
        404,
        "Batch not found. It may have expired (batches are retained for 24 hours) or the ID is invalid.",
    ),
    ("webhook_not_found", 404, "It was submitted without `webhook_url`, so it has no webhook."),
    ("method_not_allowed", 405, "This path takes GET, HEAD; given: `PUT`."),
    ("request_timeout", 408, "The request's head did not arrive in time."),
    ("body_timeout", 408, "The request's body must arrive within 30 seconds."),
    ("job_finished", 409, "The job has ended already; there is nothing left to cancel."),
    (
        "batch_finished",
        409,
        "Every job of the batch has ended already; there is nothing left to cancel.",
    ),
    ("webhook_waits", 409, "It has not ended; its webhook is sent when it has."),
    ("body_too_large", 413, "The request's body must be at most 262144 bytes."),
    (
        "url_too_long",
        413,
        "The URL must be at most 60000 bytes; given: 60001 bytes. A POST takes the parameters as a JSON body too.",
    ),
    (
        "idempotency_key_reused",
        422,
        "This `Idempotency-Key` came with another request before. Send each request with a key of its own.",
    ),
    (
        "credit_limit",
        429,
        "Credit limit reached. Upgrade your plan or wait for your billing cycle to reset.",
    ),
    ("rate_limit", 429, "Rate limit exceeded. Retry after a moment."),
    ("queue_full", 429, "Scraper queue full. Retry in a few seconds."),
    (
        "key_guessing",
        429,
        "Too many invalid API keys came from this address. Retry after a moment.",
    ),
    ("streams_full", 429, "There are 64 streams of these events already."),
    ("storage_failed", 500, "The store could not be read or written; the service's log says why."),
    (
        "bodies_full",
        503,
        "The bodies of requests that are being read must be at most 67108864 bytes together; this one is more. Retry in a few seconds.",
    ),
    ("shutting_down", 503, "The service is shutting down. Retry in a few seconds."),
    (
        "scraper_not_configured",
        503,
        "The scraper `chatgpt` is not configured: `OPENAI_API_KEY` is not set.",
    ),
    (
        "upstreams_paused",
        503,
        "Every upstream of `chatgpt` is paused for longer than `timeout`; the first can be asked in 30 seconds.",
    ),
    (
        "webhooks_not_configured",
        503,
        "Webhooks are not configured: `ANSWERD_WEBHOOK_SECRET` is not set.",
    ),
    ("storage_busy", 503, "The disk is busy. Retry in a moment."),
    (
        "storage_full",
        503,
        "The service's disk is almost full: no new job is taken until there is space again.",
    ),
];

/// A list of codes; `errors::all_of` puts lists together.
pub type Codes = &'static [&'static str];

/// The rules of what is asked, wherever it stands.
pub const ASKED: Codes = &[
    "prompt_missing",
    "prompt_blank",
    "prompt_too_long",
    "prompt_invalid",
    "country_invalid",
    "country_refused",
    "timeout_invalid",
    "mode_invalid",
    "label_invalid",
    "start_within_invalid",
    "webhook_url_invalid",
    "parameter_invalid",
    "parameter_repeated",
    "scraper_unknown",
    "scraper_not_configured",
    "webhooks_not_configured",
];
/// Of what is queued with a body.
pub const QUEUED: Codes = &[
    "samples_invalid",
    "parameter_invalid",
    "idempotency_key_invalid",
    "body_invalid",
    "body_timeout",
    "body_too_large",
    "bodies_full",
    "idempotency_key_reused",
    "rate_limit",
    "webhooks_not_configured",
];
/// Of a call that waits for its answer.
pub const WAITING: Codes =
    &["upstreams_paused", "idempotency_key_invalid", "idempotency_key_reused"];
/// Of what costs credits and a place in a queue.
pub const LIMITED: Codes = &["credit_limit", "rate_limit", "queue_full"];
pub const BATCH: Codes = &[
    "batch_invalid",
    "batch_too_large",
    "label_invalid",
    "webhook_url_invalid",
    "scraper_unknown",
];
/// Of what reads the store, and of what writes it.
pub const READS: Codes = &["storage_failed", "shutting_down"];
pub const WRITES: Codes = &["storage_failed", "shutting_down", "storage_busy", "storage_full"];
pub const POLL: Codes = &["wait_invalid", "fields_invalid"];
pub const LIST: Codes = &[
    "status_invalid",
    "search_invalid",
    "since_invalid",
    "limit_invalid",
    "cursor_invalid",
    "batch_id_invalid",
    "formulas_invalid",
];
/// Of every method that takes a key.
pub const KEYED: Codes = &["key_missing", "key_invalid", "key_guessing"];
/// Of any request, whatever its path.
pub const ANY: Codes = &[
    "query_invalid",
    "request_invalid",
    "foreign_host",
    "cross_site",
    "not_found",
    "method_not_allowed",
    "request_timeout",
    "url_too_long",
];
