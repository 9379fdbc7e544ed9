//! The store against the model of the embedded one, and against the second store that knows the
//! rules alone: by one node, and by two nodes in turn.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use super::check::checked;
use super::fixture::{Node, options};
use super::{Place, START_MS};
use crate::clock::UnixMs;
use crate::config::WakeBy;
use crate::job::{
    Batch, BatchKey, Delivery, DeliveryAttempt, Event, Job, Recipient, Subject, TransitionError,
};
use crate::store::accounts::Credits;
use crate::store::effects::Listener;
use crate::store::embedded::tests::model::{Content, Model, Tested, operation};
use crate::store::shared::options::SharedOptions;
use crate::store::{
    Blocking, Cached, NewIdentity, NewItem, NewResult, ResendError, Row, SubmitError, SubmitLimits,
};

/// Nodes of one store, of which each operation is by the next one.
pub(super) struct Nodes {
    nodes: Vec<Node>,
    turn: Cell<usize>,
    /// When the content was looked at.
    now_ms: Cell<UnixMs>,
}

impl Nodes {
    pub(super) fn new(nodes: Vec<Node>) -> Nodes {
        Nodes { nodes, turn: Cell::new(0), now_ms: Cell::new(START_MS) }
    }

    /// Returns the node whose turn it is, which has seen what the others have done.
    fn next(&self) -> &Node {
        self.turn.set(self.turn.get() + 1);
        let node = &self.nodes[self.turn.get() % self.nodes.len()];
        if self.nodes.len() > 1 {
            node.store.refresh(0).unwrap();
        }
        node
    }

    /// Returns the one that does what one node does at a time.
    fn leader(&self) -> &Node {
        let mut leaders = self.nodes.iter().filter(|node| node.store.process.status.leads());
        let leader = leaders.next().unwrap();
        assert!(leaders.next().is_none());
        leader
    }
}

impl Tested for Nodes {
    const DROPS_HOURS: bool = true;

    fn reopen(mut self, _: UnixMs) -> Nodes {
        let first = self.nodes.remove(0).reopen();
        self.nodes.push(first);
        self
    }

    fn finish(self, jobs: usize) {
        let report = checked(&self.nodes[0].options.pg, self.now_ms.get());
        assert_eq!(report.problems, Vec::<String>::new());
        // Those that have expired go later, with their hour.
        assert!(report.jobs >= jobs as u64, "{report:?}");
        for node in self.nodes {
            for scraper in 0..2 {
                node.store.refresh(0).unwrap();
                assert_eq!(node.depth(scraper), node.store.unfinished(scraper) as i64);
            }
            node.store.close();
        }
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.nodes.iter().for_each(|node| node.store.listen(listener.clone()));
    }

    fn new_identity(&self) -> NewIdentity {
        // By one node, so that rows rise.
        self.nodes[0].store.new_identity("team-a").unwrap()
    }

    fn new_batch_identity(&self, items: usize) -> (BatchKey, Vec<NewIdentity>) {
        self.nodes[0].store.new_batch_identity("team-a", items).unwrap()
    }

    fn id_of(&self, job: &Job) -> Uuid {
        self.nodes[0].store.id_of(job)
    }

    fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Result<Job, SubmitError> {
        self.next().store.submit(job, result, limits).wait().unwrap()
    }

    fn submit_batch(&self, batch: Batch, items: Vec<NewItem>) -> Result<Batch, SubmitError> {
        self.next().store.submit_batch(batch, items).wait().unwrap()
    }

    fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        event: Event,
        result: Option<NewResult>,
    ) -> Result<Job, TransitionError> {
        let decide = move |_: &Job| event.clone();
        self.next().store.begin_transition(row, now_ms, decide, result).wait().unwrap()
    }

    fn end_overdue(&self, now_ms: UnixMs) -> Vec<Job> {
        self.leader().store.end_overdue(now_ms).unwrap().ended
    }

    fn sweep(&self, now_ms: UnixMs, cache_from_ms: UnixMs) -> usize {
        self.leader().store.sweep(now_ms, cache_from_ms).unwrap().rows
    }

    fn note_delivery(&self, row: Row, attempt: DeliveryAttempt, resends: u32) -> Option<Delivery> {
        self.next().store.note_delivery(row, attempt, resends, None, 0).unwrap()
    }

    fn send_again(&self, id: Uuid, account: &str, now_ms: UnixMs) -> Result<Delivery, ResendError> {
        let again = self.next().store.send_again(Subject::Job, id, account.to_owned(), now_ms);
        again.wait().unwrap()
    }

    fn read_job(&self, id: Uuid, now_ms: UnixMs) -> Option<(Job, Option<Vec<u8>>)> {
        let read = |job: &Job, result: Option<&[u8]>| (job.clone(), result.map(<[u8]>::to_vec));
        self.nodes[0].store.read_job(id, now_ms, read).wait().unwrap()
    }

    fn batch(&self, id: Uuid, now_ms: UnixMs) -> Option<Batch> {
        self.next().store.batch(id, now_ms).wait().unwrap()
    }

    fn delivery(&self, row: Row) -> Option<Delivery> {
        self.next().store.delivery(row).wait().unwrap()
    }

    fn credits(&self, account: &str, month: u32) -> Credits {
        self.nodes[0].store.credits(account, month).wait().unwrap()
    }

    fn unfinished(&self, scraper: u16) -> usize {
        self.next().store.unfinished(scraper)
    }

    fn cached(&self, hash: u128, from_ms: UnixMs, now_ms: UnixMs) -> Option<Cached> {
        self.next().store.cached(hash, from_ms, now_ms).wait().unwrap()
    }

    fn ready(&self, scraper: u16, interactive: bool, now_ms: UnixMs) -> Vec<Row> {
        let ready = "SELECT row FROM queue WHERE scraper = $1 AND interactive = $2 \
                     AND due_ms <= $3 ORDER BY due_ms, row";
        let values: Vec<super::fixture::Value> =
            vec![Arc::new(scraper as i16), Arc::new(interactive), Arc::new(now_ms as i64)];
        let rows = self.nodes[0].ask(ready, values);
        rows.iter().map(|row| row.get::<_, i64>(0) as Row).collect()
    }

    fn outbox(&self) -> Vec<(Row, Recipient)> {
        let mut visited = Vec::new();
        let visit = |(_, row), recipient| {
            visited.push((row, recipient));
            ControlFlow::Continue(())
        };
        self.nodes[0].store.visit_outbox(UnixMs::MAX, None, visit).unwrap();
        visited
    }

    fn next_delivery_ms(&self, now_ms: UnixMs) -> Option<UnixMs> {
        self.nodes[0].store.next_delivery_ms(now_ms).unwrap()
    }

    fn content(&self, now_ms: UnixMs) -> Content {
        self.now_ms.set(now_ms);
        self.nodes[0].content(now_ms)
    }
}

proptest! {
    // Few: each operation is followed by a look at all that there is.
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn shared_store_does_what_the_model_does(
        operations in prop::collection::vec(operation(), 80..120),
    ) {
        let mut model = Model::new(Nodes::new(vec![Node::alone()]));
        operations.into_iter().for_each(|operation| model.run(operation));
        model.finish();
    }

    #[test]
    fn two_nodes_do_what_the_model_does(
        operations in prop::collection::vec(operation(), 80..120),
    ) {
        let place = Place::empty();
        // What one node does is not told to the other, whose listener is the same.
        let nodes = ["a", "b"].map(|name| {
            Node::of(SharedOptions { wake: WakeBy::Poll, ..options(&place, name) })
        });
        let mut model = Model::new(Nodes::new(nodes.into()));
        operations.into_iter().for_each(|operation| model.run(operation));
        model.finish();
    }
}
