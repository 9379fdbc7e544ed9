//! What may be done with a store, and how often.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Submit {
        scraper: usize,
        account: usize,
        price: u32,
        interactive: bool,
        long: bool,
        start_within_ms: Option<u64>,
        /// The hashes of an idempotency key and of a request.
        key: Option<(u128, u128)>,
        webhook: bool,
    },
    Batch {
        account: usize,
        prices: Vec<u32>,
    },
    BornDone {
        account: usize,
    },
    /// An attempt to deliver, with this status.
    Deliver {
        at: usize,
        status: u16,
    },
    SendAgain(usize),
    Start(usize),
    /// With the lease that holds or, when `stale`, one before it.
    ServeCached(usize),
    Succeed {
        at: usize,
        stale: bool,
        hash: u128,
    },
    Retry {
        at: usize,
        wait_ms: u64,
    },
    Fail(usize),
    Release(usize),
    Stop(usize),
    Advance(u64),
    EndOverdue,
    Sweep,
    Reopen,
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let at = 0..30_usize;
    prop_oneof![
        8 => (
            (0..2_usize, 0..2_usize, 0..4_u32, any::<bool>(), prop::bool::weighted(0.2)),
            prop::option::of(0..4_000_u64),
            prop::option::weighted(0.3, (0..4_u128, 0..2_u128)),
            any::<bool>(),
        ).prop_map(|(what, start_within_ms, key, webhook)| {
            let (scraper, account, price, interactive, long) = what;
            Operation::Submit {
                scraper, account, price, interactive, long, start_within_ms, key, webhook,
            }
        }),
        1 => (0..2_usize).prop_map(|account| Operation::BornDone { account }),
        1 => (0..2_usize, prop::collection::vec(0..4_u32, 0..5))
            .prop_map(|(account, prices)| Operation::Batch { account, prices }),
        8 => at.clone().prop_map(Operation::Start),
        6 => (at.clone(), prop::bool::weighted(0.2), 0..3_u128)
            .prop_map(|(at, stale, hash)| Operation::Succeed { at, stale, hash }),
        2 => at.clone().prop_map(Operation::ServeCached),
        4 => (at.clone(), 0..3_000_u64)
            .prop_map(|(at, wait_ms)| Operation::Retry { at, wait_ms }),
        2 => at.clone().prop_map(Operation::Fail),
        2 => at.clone().prop_map(Operation::Release),
        2 => at.clone().prop_map(Operation::Stop),
        6 => (at.clone(), prop::sample::select(vec![204, 410, 500]))
            .prop_map(|(at, status)| Operation::Deliver { at, status }),
        2 => at.prop_map(Operation::SendAgain),
        5 => (0..3_000_u64).prop_map(Operation::Advance),
        3 => Just(Operation::EndOverdue),
        2 => Just(Operation::Sweep),
        1 => Just(Operation::Reopen),
    ]
}
