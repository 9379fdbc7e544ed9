//! Where the next look for the open jobs of a lane begins. A lane has the jobs of a scraper that
//! a client waits for, or its others.

use std::collections::HashMap;

use crate::clock::UnixMs;

/// The places where the next reserves begin, by scraper and whether a client waits.
pub(super) type LaneHeads = HashMap<(u16, bool), LaneHead>;

/// The place where the next reserve of a lane begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneHead {
    pub due_ms: UnixMs,
    /// When it begins at the start again, by the monotonic clock.
    pub until_ms: u64,
}
