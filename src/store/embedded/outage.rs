//! The state in which every write is refused, until the store has recovered.

use crate::store::StoreError;
use crossbeam_channel::{Receiver, Sender};

/// The error that stops every write, and a channel that tells when that is over.
pub(super) struct WriteOutage {
    pub error: StoreError,
    /// Disconnected when it is over. Nothing is ever sent.
    pub over: (Sender<()>, Receiver<()>),
}

impl WriteOutage {
    /// Notes an error; whether it is the first.
    pub(crate) fn set(outage: &mut Option<WriteOutage>, error: StoreError) -> bool {
        match outage {
            Some(known) => {
                known.error = error;
                false
            }
            None => {
                *outage = Some(WriteOutage { error, over: crossbeam_channel::bounded(0) });
                true
            }
        }
    }
}
