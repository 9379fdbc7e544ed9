//! The codes that several routes share. `tests/it/openapi/errors.rs` provokes them.

use crate::api::ErrorCode::{self, *};

/// A list of codes; `errors::all_of` puts lists together.
pub type Codes = &'static [ErrorCode];

/// Of a scrape, wherever it stands, beside its [`ErrorCode::RULES`].
pub const ASKED: Codes = &[
    ParameterInvalid,
    ParameterRepeated,
    ScraperUnknown,
    ScraperNotConfigured,
    WebhooksNotConfigured,
    TrackerNotFound,
];
/// Of what is queued with a body.
pub const QUEUED: Codes = &[
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
pub const WAITING: Codes = &[UpstreamsPaused, IdempotencyKeyInvalid, IdempotencyKeyReused];
/// Of what costs credits and a place in a queue.
pub const LIMITED: Codes = &[CreditLimit, SpendLimit, RateLimit, QueueFull];
pub const BATCH: Codes = &[
    BatchInvalid,
    BatchTooLarge,
    LabelInvalid,
    WebhookUrlInvalid,
    ScraperUnknown,
    TrackerNotFound,
];
/// Of what reads the store, and of what writes it.
pub const READS: Codes = &[StorageFailed, StorageDown, ShuttingDown];
pub const WRITES: Codes = &[StorageFailed, StorageDown, ShuttingDown, StorageBusy, StorageFull];
/// Of a webhook, and of sending it again.
pub const WEBHOOK: Codes = &[WebhookNotFound];
pub const WEBHOOK_AGAIN: Codes = &[WebhookPending, RateLimit, WebhooksNotConfigured];
/// Of deleting jobs by their label.
pub const DELETION: Codes = &[LabelMissing, LabelInvalid, ParameterInvalid, ParameterRepeated];
/// Of what names a tracker.
pub const TRACKER: Codes = &[TrackerNotFound];
/// Of a body that is read.
pub const BODY: Codes = &[BodyInvalid, BodyTimeout, BodyTooLarge, BodiesFull];
/// Of a report.
pub const REPORT: Codes = &[
    TrackerMissing,
    VersionInvalid,
    TrackerVersionUnknown,
    ByInvalid,
    BrandedInvalid,
    FormatInvalid,
    SinceInvalid,
    UntilInvalid,
    WindowInvalid,
    ReportTooLong,
];
/// Of raw replies.
pub const RAW: Codes = &[RawNotKept];
pub const POLL: Codes = &[WaitInvalid, FieldsInvalid];
pub const LIST: Codes = &[
    StatusInvalid,
    SearchInvalid,
    SinceInvalid,
    UntilInvalid,
    LimitInvalid,
    CursorInvalid,
    BatchIdInvalid,
    FormulasInvalid,
];
/// Of an export of results.
pub const RESULTS: Codes = &[
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
pub const KEYED: Codes = &[KeyMissing, KeyInvalid, TooManyInvalidKeys];
/// Of any request, whatever its path.
pub const ANY: Codes =
    &[QueryInvalid, ForeignHost, CrossSite, NotFound, MethodNotAllowed, UrlTooLong];
