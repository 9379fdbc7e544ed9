//! What keeps a store.

use crate::store::embedded::Embedded;
use crate::store::shared::SharedStore;

/// The keepers of a store's bytes.
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub(in crate::store) enum Backend {
    Embedded(Embedded),
    Shared(SharedStore),
}

/// Asks what keeps a store: `ask!(self.backend, store => store.method(arguments))`.
macro_rules! ask {
    ($backend:expr, $keeper:ident => $answer:expr) => {
        match &$backend {
            Backend::Embedded($keeper) => $answer,
            Backend::Shared($keeper) => $answer,
        }
    };
}
pub(super) use ask;
