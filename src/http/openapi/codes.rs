//! The codes that several routes share. `tests/it/openapi/errors.rs` provokes them.

use crate::api::ErrorCode::{self, *};

/// A list of codes; `errors::all_of` puts lists together.
pub(crate) type Codes = &'static [ErrorCode];

/// Of a scrape, wherever it stands, beside its [`ErrorCode::RULES`].
pub(crate) const ASKED: Codes = &[
    ParameterInvalid,
    ParameterRepeated,
    ScraperUnknown,
    ScraperNotConfigured,
    WebhooksNotConfigured,
    TrackerNotFound,
];
/// Of what is queued with a body.
pub(crate) const QUEUED: Codes = &[
    SamplesInvalid,
    ParameterInvalid,
    IdempotencyKeyInvalid,
    BodyInvalid,
    BodyTimeout,
    BodyTooLarge,
    BodiesFull,
    IdempotencyKeyReused,
    SpendLimit,
    RateLimit,
    WebhooksNotConfigured,
];
/// Of a call that waits for its answer.
pub(crate) const WAITING: Codes = &[UpstreamsPaused, IdempotencyKeyInvalid, IdempotencyKeyReused];
/// Of what costs credits and a place in a queue.
pub(crate) const LIMITED: Codes = &[CreditLimit, SpendLimit, RateLimit, QueueFull];
pub(crate) const BATCH: Codes = &[
    BatchInvalid,
    BatchTooLarge,
    LabelInvalid,
    WebhookUrlInvalid,
    ScraperUnknown,
    TrackerNotFound,
];
/// Of a list of batches.
pub(crate) const BATCHES: Codes =
    &[StatusInvalid, SinceInvalid, UntilInvalid, LimitInvalid, CursorInvalid];
/// Of what reads the store, and of what writes it.
pub(crate) const READS: Codes = &[StorageFailed, StorageDown, ShuttingDown];
pub(crate) const WRITES: Codes =
    &[StorageFailed, StorageDown, ShuttingDown, StorageBusy, StorageFull];
/// Of a webhook, and of sending it again.
pub(crate) const WEBHOOK: Codes = &[WebhookNotFound];
pub(crate) const WEBHOOK_AGAIN: Codes = &[WebhookPending, RateLimit, WebhooksNotConfigured];
/// Of deleting jobs by their label.
pub(crate) const DELETION: Codes =
    &[LabelMissing, LabelInvalid, ParameterInvalid, ParameterRepeated, JobNotFound];
/// Of what names a tracker.
pub(crate) const TRACKER: Codes = &[TrackerNotFound];
/// Of a body that is read.
pub(crate) const BODY: Codes = &[BodyInvalid, BodyTimeout, BodyTooLarge, BodiesFull];
/// Of a report.
pub(crate) const REPORT: Codes = &[
    TrackerMissing,
    VersionInvalid,
    TrackerVersionUnknown,
    ByInvalid,
    BrandedInvalid,
    FormatInvalid,
    SinceInvalid,
    UntilInvalid,
    WindowInvalid,
    TopInvalid,
    ParameterInvalid,
    ReportTooLong,
];
/// Of raw replies.
pub(crate) const RAW: Codes = &[RawNotKept];
pub(crate) const POLL: Codes = &[WaitInvalid, FieldsInvalid];
pub(crate) const LIST: Codes = &[
    OperatorNeeded,
    StatusInvalid,
    ErrorCodeInvalid,
    SearchInvalid,
    PromptOfInvalid,
    JobNotFound,
    SinceInvalid,
    UntilInvalid,
    LimitInvalid,
    CursorInvalid,
    BatchIdInvalid,
    FormulasInvalid,
];
/// Of an action on all jobs that match.
pub(crate) const BULK: Codes = &[
    PromptOfInvalid,
    JobNotFound,
    StatusInvalid,
    ErrorCodeInvalid,
    SearchInvalid,
    SinceInvalid,
    UntilInvalid,
    CursorInvalid,
    BatchIdInvalid,
    FilterMissing,
    ParameterInvalid,
];
/// Of submitting jobs again.
pub(crate) const RETRY: Codes =
    &[IdempotencyKeyInvalid, IdempotencyKeyReused, SpendLimit, RateLimit, TrackerNotFound];
/// Of an export of results.
pub(crate) const RESULTS: Codes = &[
    RowsInvalid,
    FormatInvalid,
    AfterInvalid,
    ParameterInvalid,
    SinceInvalid,
    UntilInvalid,
    LimitInvalid,
    BatchIdInvalid,
    FormulasInvalid,
];
/// Of every method that takes a key.
pub(crate) const KEYED: Codes = &[KeyMissing, KeyInvalid, TooManyInvalidKeys];
/// Of any request, whatever its path.
pub(crate) const ANY: Codes =
    &[QueryInvalid, ForeignHost, CrossSite, NotFound, MethodNotAllowed, UrlTooLong];
