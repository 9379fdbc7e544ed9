//! What the model asks of the store that is compared with it.

use super::*;

/// A store that the model is compared with.
pub(crate) trait Tested: Sized {
    /// Whether what has ended goes with the tables of its hour, and not one by one.
    const DROPS_HOURS: bool;

    fn reopen(self, now_ms: UnixMs) -> Self;
    /// Ends the test with a check of its own.
    fn finish(self, jobs: usize);
    fn listen(&self, listener: Arc<dyn Listener>);
    fn new_identity(&self) -> NewIdentity;
    fn new_batch_identity(&self, items: usize) -> (BatchKey, Vec<NewIdentity>);
    fn id_of(&self, job: &Job) -> Uuid;
    fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Result<Job, SubmitError>;
    fn submit_batch(&self, batch: Batch, items: Vec<NewItem>) -> Result<Batch, SubmitError>;
    fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        event: Event,
        result: Option<NewResult>,
    ) -> Result<Job, TransitionError>;
    fn end_overdue(&self, now_ms: UnixMs) -> Vec<Job>;
    /// Returns how many rows were swept.
    fn sweep(&self, now_ms: UnixMs, cache_from_ms: UnixMs) -> usize;
    fn note_delivery(&self, row: Row, attempt: DeliveryAttempt, resends: u32) -> Option<Delivery>;
    fn send_again(&self, id: Uuid, account: &str, now_ms: UnixMs) -> Result<Delivery, ResendError>;
    fn read_job(&self, id: Uuid, now_ms: UnixMs) -> Option<(Job, Option<Vec<u8>>)>;
    fn batch(&self, id: Uuid, now_ms: UnixMs) -> Option<Batch>;
    fn delivery(&self, row: Row) -> Option<Delivery>;
    fn credits(&self, account: &str, month: u32) -> Credits;
    fn unfinished(&self, scraper: u16) -> usize;
    fn cached(&self, hash: u128, from_ms: UnixMs, now_ms: UnixMs) -> Option<Cached>;
    /// Returns the unfinished jobs that are due, in their order.
    fn ready(&self, scraper: u16, interactive: bool, now_ms: UnixMs) -> Vec<Row>;
    /// Returns all deliveries that are due some time, in their order.
    fn outbox(&self) -> Vec<(Row, Recipient)>;
    fn next_delivery_ms(&self, now_ms: UnixMs) -> Option<UnixMs>;
    fn content(&self, now_ms: UnixMs) -> Content;
}
