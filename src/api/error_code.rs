//! The codes of errors: one row is a code, its HTTP status and a sentence that it comes with. The
//! errors themselves, the document, the guide's test and the practice page read this table.

use crate::job::{Reason, Rule};

/// Declares [`ErrorCode`]. A row of `rules` has the name of a [`Rule`] of a scrape, one of
/// `queue_rules` of what is only queued, one of `calls` refuses a call, and one of `elsewhere` is
/// no reply of the API itself.
macro_rules! error_codes {
    (
        rules { $($rule:ident: $rule_status:literal, $rule_code:literal, $rule_example:literal;)* }
        queue_rules { $($queue:ident: $queue_status:literal, $queue_code:literal, $queue_example:literal;)* }
        calls { $($call:ident: $call_status:literal, $call_code:literal, $call_example:literal;)* }
        elsewhere { $($other:ident: $other_status:literal, $other_code:literal, $other_example:literal;)* }
    ) => {
        /// The reason why a call was refused or a scrape failed, as a client sees it (contract
        /// 1.10).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $($rule,)*
            $($queue,)*
            $($call,)*
            $($other,)*
            /// The scrape that the client waited for failed.
            Failed(Reason),
        }

        impl ErrorCode {
            /// The rules of a scrape, wherever it stands.
            pub const RULES: &[ErrorCode] = &[$(ErrorCode::$rule,)*];
            /// Every code of the API, but those of failed scrapes.
            pub const CALLS: &[ErrorCode] =
                &[$(ErrorCode::$rule,)* $(ErrorCode::$queue,)* $(ErrorCode::$call,)*];
            /// The codes of the practice page, and of the items of a batch.
            pub const ELSEWHERE: &[ErrorCode] = &[$(ErrorCode::$other,)*];

            /// Returns the stable word for programs.
            pub const fn code(self) -> &'static str {
                match self {
                    $(ErrorCode::$rule => $rule_code,)*
                    $(ErrorCode::$queue => $queue_code,)*
                    $(ErrorCode::$call => $call_code,)*
                    $(ErrorCode::$other => $other_code,)*
                    ErrorCode::Failed(reason) => reason.code(),
                }
            }

            /// Returns the HTTP status.
            pub const fn status(self) -> u16 {
                match self {
                    $(ErrorCode::$rule => $rule_status,)*
                    $(ErrorCode::$queue => $queue_status,)*
                    $(ErrorCode::$call => $call_status,)*
                    $(ErrorCode::$other => $other_status,)*
                    ErrorCode::Failed(reason) => reason.info().status,
                }
            }

            /// Returns a sentence that the code comes with; where nothing in it varies, the only
            /// one.
            pub const fn example(self) -> &'static str {
                match self {
                    $(ErrorCode::$rule => $rule_example,)*
                    $(ErrorCode::$queue => $queue_example,)*
                    $(ErrorCode::$call => $call_example,)*
                    $(ErrorCode::$other => $other_example,)*
                    ErrorCode::Failed(reason) => reason.info().example,
                }
            }
        }

        impl From<Rule> for ErrorCode {
            fn from(rule: Rule) -> ErrorCode {
                match rule {
                    $(Rule::$rule => ErrorCode::$rule,)*
                    $(Rule::$queue => ErrorCode::$queue,)*
                }
            }
        }
    };
}

error_codes! {
    rules {
        PromptMissing: 400, "prompt_missing",
            "Parameter `prompt` is required: 1 to 4000 characters.";
        PromptBlank: 400, "prompt_blank",
            "Parameter `prompt` must be 1 to 4000 characters and not blank; given: ``.";
        PromptTooLong: 400, "prompt_too_long",
            "Parameter `prompt` must be 1 to 4000 characters; given: 4001 characters.";
        PromptInvalid: 400, "prompt_invalid",
            "Parameter `prompt` must not contain the character U+0000; given: `a\u{fffd}b`.";
        CountryInvalid: 400, "country_invalid",
            "Parameter `country` must be an ISO 3166-1 alpha-2 code such as `US`; given: `UK`.";
        CountryRefused: 400, "country_refused",
            "Parameter `country` must be a country that `grok` serves; it refuses JP and TW; \
             given: `JP`.";
        TimeoutInvalid: 400, "timeout_invalid",
            "Parameter `timeout` must be 10 to 600 seconds; given: `5`.";
        ModeInvalid: 400, "mode_invalid",
            "Parameter `mode` must be at most 64 characters without control characters; given: \
             `a\u{fffd}b`.";
        LabelInvalid: 400, "label_invalid",
            "Parameter `label` must be at most 200 characters without control characters; \
             given: `a\u{fffd}b`.";
        StartWithinInvalid: 400, "start_within_invalid",
            "Parameter `start_within` must be 1 to 86400 seconds; given: `0`.";
        WebhookUrlInvalid: 400, "webhook_url_invalid",
            "Parameter `webhook_url` must be an http(s) address with a host, such as \
             `https://app.example.com/hook`; given: `ftp://a.example`.";
        RegionInvalid: 400, "region_invalid",
            "Parameter `region` must be the name of a place: at most 100 characters, \
             without control characters, brackets or quotes; given: `<b>`.";
        CityInvalid: 400, "city_invalid",
            "Parameter `city` must be a city in US with 5000 people or more, such as `Austin`; \
             given: `Austinn`.";
        LanguageInvalid: 400, "language_invalid",
            "Parameter `language` must be the tag (BCP 47) of a known language, such as `de` or \
             `pt-BR`; given: `german`.";
        TimezoneInvalid: 400, "timezone_invalid",
            "Parameter `timezone` must be an IANA time zone such as `Europe/Berlin`; given: \
             `Berlin`.";
        DeviceInvalid: 400, "device_invalid",
            "Parameter `device` must be `desktop` or `mobile`; given: `phone`.";
        ModelInvalid: 400, "model_invalid",
            "Parameter `model` must be at most 128 visible ASCII characters; given: `a b`.";
        ModelRefused: 400, "model_refused",
            "Parameter `model` must be one that an upstream of `chatgpt` allows; `models_allowed` \
             lists none; given: `gpt-6-astra`.";
        KindInvalid: 400, "kind_invalid",
            "Parameter `kind` must be `api`, `serp` or `browser`; given: `web`.";
        KindRefused: 400, "kind_refused",
            "Parameter `kind` must be one that an upstream of `chatgpt` has: `api`; given: \
             `browser`.";
        RequireSearchInvalid: 400, "require_search_invalid",
            "Parameter `require_search` must be `false` where `web_search` is; given: `true`.";
        RetainHoursInvalid: 400, "retain_hours_invalid",
            "Parameter `retain_hours` must be 1 to 2160 hours; given: `0`.";
        TrackInvalid: 400, "track_invalid",
            "Parameter `track` must be the name of a tracker: 1 to 64 lower-case letters, digits, \
             `-` and `_`, a letter or digit first; given: `Acme`.";
    }
    queue_rules {
        SamplesInvalid: 400, "samples_invalid",
            "Parameter `samples` must be 1 to 20; given: `21`.";
        IdempotencyKeyInvalid: 400, "idempotency_key_invalid",
            "Header `Idempotency-Key` must be 1 to 255 visible ASCII characters; given: `a b`.";
    }
    calls {
        ParameterInvalid: 400, "parameter_invalid",
            "Parameter `bypass_cache` must be `true`, `false`, `True`, `False`, `1` or `0`; \
             given: `maybe`.";
        ParameterRepeated: 400, "parameter_repeated",
            "Parameter `country` must be given once; it is there twice.";
        ParameterConflict: 400, "parameter_conflict",
            "Parameter `country` must have one value; the query and the body have different \
             ones.";
        BodyInvalid: 400, "body_invalid",
            "The request's body must be empty or a JSON object of parameters; given: `[]`.";
        BatchInvalid: 400, "batch_invalid",
            "A batch must have at least one item; one of its lists is empty.";
        ScheduleInvalid: 400, "schedule_invalid",
            "Parameter `missed` must be `skip` or `run_once`; given: `all`.";
        CronInvalid: 400, "cron_invalid",
            "Parameter `cron` must be a cron pattern of five fields (minute, hour, day of the \
             month, month, day of the week) such as `0 6 * * *` that some day fits; given: \
             `0 0 30 2 *`.";
        EveryInvalid: 400, "every_invalid",
            "Parameter `every` must be an interval of 1m to 366d such as `8h`, `90m` or `1d12h`; \
             given: `5s`.";
        AlertInvalid: 400, "alert_invalid",
            "Parameter `over` must be `1 runs` to `10 runs` or `1 days` to `90 days`; given: \
             `forever`.";
        BatchTooLarge: 400, "batch_too_large",
            "A batch must have at most 1000 items; given: 1001. Send several.";
        TrackerInvalid: 400, "tracker_invalid",
            "Field `brands` must have 1 to 50 brands; given: 0.";
        TrackerMissing: 400, "tracker_missing",
            "Parameter `tracker` is required: the name of a tracker.";
        VersionInvalid: 400, "version_invalid",
            "Parameter `version` must be the number of a version, 1 to 1000; given: `0`.";
        ByInvalid: 400, "by_invalid",
            "Parameter `by` must be a list of `scraper`, `country`, `label`, `brand`, and `day` or \
             `week`; given: `hour`.";
        BrandedInvalid: 400, "branded_invalid",
            "Parameter `branded` must be `exclude`, `include` or `only`; given: `yes`.";
        FormatInvalid: 400, "format_invalid",
            "Parameter `format` must be `json`, `csv` or `ndjson`; given: `xlsx`.";
        WindowInvalid: 400, "window_invalid",
            "The first day of a report must not lie after its last, nor in the future.";
        TopInvalid: 400, "top_invalid",
            "Parameter `top` must be 1 to 100; given: `0`.";
        ReportTooLong: 400, "report_too_long",
            "A report may have at most 10000 rows; this one has 12000. Shorten its window, or \
             leave something out of `by`.";
        WaitInvalid: 400, "wait_invalid",
            "Parameter `wait` must be 0 to 60 seconds; given: `61`.";
        FieldsInvalid: 400, "fields_invalid",
            "Parameter `fields` must be `status`; given: `prompt`.";
        StatusInvalid: 400, "status_invalid",
            "Parameter `status` must be `pending`, `done` or `failed`; given: `ended`.";
        ErrorCodeInvalid: 400, "error_code_invalid",
            "Parameter `error_code` must be the `error_code` of a failed job, such as `timeout`; \
             given: `slow`.";
        FilterMissing: 400, "filter_missing",
            "`ids` or a filter such as `batch` or `label` is required: the action is about all \
             jobs that match.";
        SearchInvalid: 400, "search_invalid",
            "Parameter `search` must be 1 to 200 characters; given: ``.";
        PromptOfInvalid: 400, "prompt_of_invalid",
            "Parameter `prompt_of` must be the id of a job; given: `1`.";
        SinceInvalid: 400, "since_invalid",
            "Parameter `since` must be a time such as `2026-05-11T12:00:00Z`, a date, or Unix \
             seconds; given: `today`.";
        LabelMissing: 400, "label_missing",
            "Parameter `label` or `ids` is required: it says which jobs are deleted.";
        UntilInvalid: 400, "until_invalid",
            "Parameter `until` must be a time such as `2026-05-11T12:00:00Z`, a date, or Unix \
             seconds; given: `today`.";
        LimitInvalid: 400, "limit_invalid",
            "Parameter `limit` must be 1 to 200; given: `0`.";
        FormulasInvalid: 400, "formulas_invalid",
            "Parameter `formulas` must be `escape` or `keep`; given: `run`.";
        RowsInvalid: 400, "rows_invalid",
            "Parameter `rows` must be one of `answers`, `sources`, `citations`, `search_queries`, \
             `products`, `mentions`; given: `jobs`.";
        AfterInvalid: 400, "after_invalid",
            "Parameter `after` must be the `cursor` of a row of an earlier export; given: `1`.";
        ResumeInvalid: 400, "resume_invalid",
            "Parameter `resume` must be the `Backup-Id` of a backup, a colon, and the number of \
             its next block; given: `1`.";
        CursorInvalid: 400, "cursor_invalid",
            "Parameter `cursor` must be the `next_cursor` of an earlier page; given: `1`.";
        BatchIdInvalid: 400, "batch_id_invalid",
            "Parameter `batch` must be the id of a batch; given: `1`.";
        DaysInvalid: 400, "days_invalid",
            "Parameter `days` must be 1 to 400; given: `0`.";
        QueryInvalid: 400, "query_invalid",
            "The query must be UTF-8 when decoded; given: `\u{fffd}`.";
        KeyMissing: 401, "key_missing",
            "Missing API key. Pass your key in the X-API-Key header or as ?api_key= in the URL.";
        KeyInvalid: 401, "key_invalid",
            "Invalid API key.";
        ForeignHost: 403, "foreign_host",
            "While no API key is needed, `Host` must be `localhost`, a loopback address, the \
             address that `bind` names, or the host of `public_url`; given: `a.example`.";
        CrossSite: 403, "cross_site",
            "While no API key is needed, a web page of another origin may call only if \
             `cors_origins` lists its origin; given: `https://a.example`.";
        OperatorNeeded: 403, "operator_needed",
            "This takes the key of an operator: `operator = true` in its [[keys]]; for the jobs of \
             other keys `operators_read_jobs` in [http] has to be true as well.";
        NotFound: 404, "not_found",
            "There is nothing at `/none`.";
        ScraperUnknown: 404, "scraper_unknown",
            "There is no scraper `gone`; there are chatgpt, perplexity, practice.";
        JobNotFound: 404, "job_not_found",
            "Job not found. It may have expired (jobs are retained for 24 hours) or the ID is \
             invalid.";
        BatchNotFound: 404, "batch_not_found",
            "Batch not found. It may have expired (batches are retained for 24 hours) or the ID \
             is invalid.";
        ScheduleNotFound: 404, "schedule_not_found",
            "Schedule not found. It may have been removed, or the key has no schedule with this \
             ID.";
        AlertNotFound: 404, "alert_not_found",
            "Alert not found. It may have been removed, or the key has no alert with this ID.";
        WebhookNotFound: 404, "webhook_not_found",
            "It was submitted without `webhook_url`, so it has no webhook.";
        BackupRunning: 409, "backup_running",
            "Another backup of the store is under way. Retry when it has ended.";
        BackupNotFound: 404, "backup_not_found",
            "The backup is not kept any more, or has not come to that block. Begin another one.";
        RawNotKept: 404, "raw_not_kept",
            "No raw replies are kept of this job: ask with `raw=true`, or set `keep_raw` of its \
             upstream. An answer from the cache has none.";
        TrackerNotFound: 404, "tracker_not_found",
            "There is no tracker `none`. `PUT /trackers/{name}` makes one.";
        TrackerVersionUnknown: 404, "tracker_version_unknown",
            "The tracker has the versions 1 to 2; given: 3.";
        MethodNotAllowed: 405, "method_not_allowed",
            "This path takes GET, HEAD; given: `PUT`.";
        BodyTimeout: 408, "body_timeout",
            "The request's body must arrive within 30 seconds.";
        JobFinished: 409, "job_finished",
            "The job has ended already; there is nothing left to cancel.";
        BatchFinished: 409, "batch_finished",
            "Every job of the batch has ended already; there is nothing left to cancel.";
        ScheduleNameTaken: 409, "schedule_name_taken",
            "Another schedule has the name `daily`. Choose another one, or change that schedule.";
        SchedulesFull: 409, "schedules_full",
            "A key may have at most 1000 schedules. Remove one first.";
        AlertNameTaken: 409, "alert_name_taken",
            "Another alert has the name `fewer-mentions`. Choose another one, or change that \
             alert.";
        AlertsFull: 409, "alerts_full",
            "A key may have at most 1000 alerts. Remove one first.";
        ScheduleOverlap: 409, "schedule_overlap",
            "The run before has not ended: batch 7f6b1c0e-52a4-4c8e-9a0d-3d6f0b8e21c5. Wait for \
             it, or cancel it.";
        WebhookPending: 409, "webhook_pending",
            "It is still running; its webhook will be sent when it ends.";
        TooManyTrackers: 409, "too_many_trackers",
            "A key may have at most 100 trackers. Delete one that is no longer needed.";
        TooManyTrackerVersions: 409, "too_many_tracker_versions",
            "A tracker may have at most 1000 versions. Make one of another name.";
        BodyTooLarge: 413, "body_too_large",
            "The request's body must be at most 262144 bytes.";
        UrlTooLong: 413, "url_too_long",
            "The URL must be at most 60000 bytes; given: 60001 bytes. A POST takes the \
             parameters as a JSON body too.";
        IdempotencyKeyReused: 422, "idempotency_key_reused",
            "This `Idempotency-Key` came with another request before. Send each request with a \
             key of its own.";
        CreditLimit: 429, "credit_limit",
            "Credit limit reached. Upgrade your plan or wait for your billing cycle to reset.";
        SpendLimit: 429, "spend_limit",
            "This key has spent its `usd_per_day` of 5 USD for today. It may ask again after \
             midnight UTC.";
        RateLimit: 429, "rate_limit",
            "Rate limit exceeded. Retry after a moment.";
        QueueFull: 429, "queue_full",
            "Scraper queue full. Retry in a few seconds.";
        TooManyInvalidKeys: 429, "too_many_invalid_keys",
            "Too many invalid API keys came from this address. Retry after a moment.";
        StreamsFull: 429, "streams_full",
            "Too many open event streams (limit 64).";
        StorageFailed: 500, "storage_failed",
            "The store could not be read or written; the service's log says why.";
        StorageDown: 503, "storage_failed",
            "The service cannot use its store at the moment. Retry in a few seconds, with an \
             `Idempotency-Key` where a job must not run twice.";
        StandbyMissing: 503, "storage_failed",
            "No job is taken while no synchronous standby of the service's database is connected. \
             Retry in a few seconds, with an `Idempotency-Key` where a job must not run twice.";
        BodiesFull: 503, "bodies_full",
            "The bodies of requests that are being read must be at most 67108864 bytes \
             together; this one is more. Retry in a few seconds.";
        ShuttingDown: 503, "shutting_down",
            "The service is shutting down. Retry in a few seconds.";
        ScraperNotConfigured: 503, "scraper_not_configured",
            "The scraper `chatgpt` is not configured: `OPENAI_API_KEY` is not set.";
        UpstreamsPaused: 503, "upstreams_paused",
            "Every upstream of `chatgpt` is paused for longer than `timeout`; the first can be \
             asked in 30 seconds.";
        WebhooksNotConfigured: 503, "webhooks_not_configured",
            "Webhooks are not configured: `ANSWERD_WEBHOOK_SECRET` is not set.";
        StorageBusy: 503, "storage_busy",
            "The store is busy. Retry in a moment.";
        StorageFull: 503, "storage_full",
            "The service's disk is almost full: no new job is taken until there is space again.";
    }
    elsewhere {
        ItemInvalid: 400, "item_invalid",
            "An item must be a JSON object of parameters; given: `1`.";
        ScraperMissing: 400, "scraper_missing",
            "Parameter `scraper` is required: an item names the scraper to ask.";
        QuestionMissing: 400, "question_missing",
            "Parameter `q`, the question, is required.";
        QuestionTooLong: 400, "question_too_long",
            "A question may have at most 4000 characters; this one has 4001.";
        PracticeFailure: 503, "practice_failure",
            "The practice engine is set to fail this question.";
    }
}
