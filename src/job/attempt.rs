//! How one attempt of a job has ended, and what it did with each upstream of its scraper.

use super::{Failure, Reason, UpstreamUsage};
use crate::clock::UnixMs;
use crate::config::RETRIES_MAX;

/// The most attempts that are kept of one job, as many as one can have; the oldest give way.
pub const ATTEMPTS_KEPT_MAX: usize = RETRIES_MAX as usize + 1;
/// The most upstreams that are kept of one attempt: those that it came to first.
pub const CALLS_KEPT_MAX: usize = 32;

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// From 1 on.
    pub number: u32,
    /// When it was due; `None` where that was not kept.
    pub due_ms: Option<UnixMs>,
    pub started_ms: UnixMs,
    pub run_ms: u64,
    /// The upstream that answered or failed, by its name in config.toml; `None` where no single one
    /// did.
    pub upstream: Option<String>,
    /// `None` if it succeeded.
    pub failure: Option<Failure>,
    /// The upstreams that it called or passed over, in their order.
    pub calls: Vec<AttemptCall>,
}

/// An upstream that an attempt called or passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptCall {
    /// The upstream's name in config.toml.
    pub upstream: String,
    pub ended_ms: UnixMs,
    pub outcome: CallOutcome,
    /// `None` where that was not kept.
    pub took_ms: Option<u64>,
    /// The HTTP status of its latest reply.
    pub http_status: Option<u16>,
    /// Empty where it is not known what the call used.
    pub usage: UpstreamUsage,
}

/// The end of a call of an upstream, or the reason why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Answered,
    Failed(Reason),
    /// `wait_ms` is how long the upstream would not be called, milliseconds.
    PassedOver {
        why: PassedOver,
        wait_ms: Option<u64>,
    },
}

/// Declares why an upstream is passed over, each with its word.
macro_rules! passed_over {
    ($($(#[$doc:meta])* $name:ident: $word:literal;)*) => {
        /// The reason why an upstream was not called.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum PassedOver {
            $($(#[$doc])* $name,)*
        }

        impl PassedOver {
            /// Every reason.
            pub const ALL: &[PassedOver] = &[$(PassedOver::$name),*];

            /// Returns the word for it, of replies and on disk.
            pub const fn word(self) -> &'static str {
                match self {
                    $(PassedOver::$name => $word,)*
                }
            }
        }
    };
}

passed_over! {
    /// Its breaker is open.
    Paused: "paused";
    /// Its cap of calls in flight is reached.
    InFlight: "in_flight_max";
    /// Its rate limit is used up.
    RateLimit: "requests_per_minute";
    /// It has cost as much as it may today.
    DaySpend: "usd_per_day";
    /// The request asks for another kind.
    Kind: "kind";
    /// It does not allow the model of the request.
    Model: "model";
    /// It does not serve the country of the request.
    Country: "country";
    /// It does not take so long a prompt.
    PromptLength: "prompt_length";
}

impl PassedOver {
    /// Returns the reason with a word.
    pub fn from_word(word: &str) -> Option<PassedOver> {
        PassedOver::ALL.iter().copied().find(|why| why.word() == word)
    }

    /// Returns whether a limit of our own holds the upstream back.
    pub const fn is_limit(self) -> bool {
        match self {
            PassedOver::InFlight | PassedOver::RateLimit | PassedOver::DaySpend => true,
            PassedOver::Paused
            | PassedOver::Kind
            | PassedOver::Model
            | PassedOver::Country
            | PassedOver::PromptLength => false,
        }
    }
}

impl AttemptCall {
    /// Returns why it failed; `None` if it did not.
    pub const fn reason(&self) -> Option<Reason> {
        match self.outcome {
            CallOutcome::Failed(reason) => Some(reason),
            CallOutcome::Answered | CallOutcome::PassedOver { .. } => None,
        }
    }

    /// Returns whether the upstream was called.
    pub const fn is_call(&self) -> bool {
        match self.outcome {
            CallOutcome::Answered | CallOutcome::Failed(_) => true,
            CallOutcome::PassedOver { .. } => false,
        }
    }
}

impl AttemptEnd {
    /// Returns the calls of which it is known what they used.
    pub fn used(&self) -> impl Iterator<Item = &AttemptCall> {
        self.calls.iter().filter(|call| !call.usage.is_empty())
    }

    /// Returns what all its calls have used; `None` if of none that is known.
    pub fn usage(&self) -> Option<UpstreamUsage> {
        self.used().map(|call| &call.usage).cloned().reduce(UpstreamUsage::and)
    }

    /// Returns whether the result says how it came about: the first upstream of the first attempt
    /// has answered.
    pub fn is_told_by_result(&self) -> bool {
        let is_first = match self.calls.as_slice() {
            [call] => call.outcome == CallOutcome::Answered,
            calls => calls.is_empty(),
        };
        self.number == 1 && self.failure.is_none() && is_first
    }
}
