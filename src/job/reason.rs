//! Why an attempt or a job failed, and what follows from each reason. Contract 1.9 and 1.10.

/// The longest sentence kept as the reason of a failure, in bytes.
pub const FAILURE_BYTES_MAX: usize = 500;
/// The most of an answer that stands behind such a sentence, in bytes.
pub const UNSEARCHED_BYTES_MAX: usize = 16_384;

/// Declares [`Reason`]: a row has the code, the status of a waiting call, what can help, whom it
/// blames, whether the scraper's health counts it, a sentence that it comes with, and what an
/// operator does about it where that sentence leaves it open.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident:
        $code:literal, $status:literal, $retry:ident, $blame:ident, $health:ident,
        $example:literal, $advice:literal;)*) => {
        /// The reason why an attempt, and in the end a job, failed. Every job that is not `done`
        /// ends with one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// Returns all that is known of the reason.
            pub const fn info(self) -> ReasonInfo {
                match self {
                    $(Reason::$name => ReasonInfo {
                        code: $code,
                        status: $status,
                        retry: Retry::$retry,
                        blame: Blame::$blame,
                        health: HealthEffect::$health,
                        example: $example,
                        advice: $advice,
                    },)*
                }
            }
        }
    };
}

/// The properties of a reason: what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct ReasonInfo {
    /// The stable word that clients and the store see.
    pub code: &'static str,
    /// The HTTP status with which a waiting call reports it (contract 1.10).
    pub status: u16,
    pub retry: Retry,
    pub blame: Blame,
    pub health: HealthEffect,
    /// A sentence that it comes with.
    pub example: &'static str,
    /// What an operator can do, `{section}` being the upstream's in config.toml; empty where the
    /// sentence says it, and where it cannot come of a single call.
    pub advice: &'static str,
}

/// The retry that can end better (contract 1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Another attempt.
    Again,
    /// Another upstream; this one answers the same whenever it is asked.
    Elsewhere,
    /// Nothing: the client does not wait any more.
    Never,
}

/// Whom a failure blames. Only one of the upstream counts toward opening its circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Upstream,
    /// The upstream read the request and answered it, if not as hoped.
    None,
    /// The upstream was not asked, or its answer came too late.
    Unknown,
}

/// The effect of an attempt on the health of its scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthEffect {
    Counts,
    /// No upstream was asked, or the client did not wait for the answer.
    Ignores,
}

reasons! {
    /// No connection to the upstream, or it broke off.
    Unreachable: "upstream_unreachable", 504, Again, Upstream, Counts,
        "openai could not be reached: connection refused.",
        "look at `base_url` and `proxy` of {section}, and at this machine's network";
    /// The upstream did not answer inside the attempt's deadline.
    UpstreamTimeout: "upstream_timeout", 504, Again, Upstream, Counts,
        "openai did not answer in time.",
        "raise `timeout_seconds` of {section}, or choose a faster `model`";
    /// The upstream is overloaded (503, 529).
    Overloaded: "upstream_overloaded", 500, Again, Upstream, Counts,
        "openai answered with status 503.",
        "it may pass: try again in a minute";
    /// The upstream's rate limit is exceeded (429).
    UpstreamRateLimited: "upstream_rate_limited", 500, Again, Upstream, Counts,
        "openai answered with status 429.",
        "it may pass: try again in a minute";
    /// The upstream failed (5xx, or a 200 that says so).
    UpstreamError: "upstream_error", 500, Again, Upstream, Counts,
        "openai answered with status 500.",
        "it may pass: try again in a minute";
    /// The reply was not what this upstream speaks.
    InvalidResponse: "upstream_invalid_response", 500, Again, Upstream, Counts,
        "openai sent what is no JSON.",
        "does `base_url` of {section} lead to an API of its `kind`?";
    /// The reply was well-formed and held no answer.
    Empty: "answer_empty", 500, Again, None, Counts,
        "openai gave an answer without text.",
        "it may pass: try again in a minute";
    /// The answer was cut short by a limit of the upstream.
    Incomplete: "answer_incomplete", 500, Elsewhere, None, Counts,
        "openai cut the answer short.",
        "try another prompt with --prompt";
    /// The reply was larger than the limit.
    TooLarge: "answer_too_large", 500, Elsewhere, None, Counts,
        "openai sent more than the limit.",
        "try another prompt with --prompt";
    /// The upstream refused our key.
    Auth: "upstream_auth", 500, Elsewhere, Upstream, Counts,
        "openai refused our key.",
        "";
    /// The operator's quota or balance at the upstream is used up.
    Quota: "upstream_quota", 500, Elsewhere, Upstream, Counts,
        "openai says that our quota is used up.",
        "look at the plan and the balance with the provider";
    /// The upstream called the request invalid.
    BadRequest: "upstream_bad_request", 500, Elsewhere, None, Counts,
        "openai called the request invalid.",
        "";
    /// The engine declined to answer this prompt.
    Refused: "answer_refused", 500, Elsewhere, None, Counts,
        "openai declined to answer this prompt.",
        "try another prompt with --prompt";
    /// A page asked for a login, a captcha or another check, which we do not evade.
    Blocked: "blocked", 500, Elsewhere, Upstream, Counts,
        "The page asked for a login.",
        "something before the API refuses this machine: look at `base_url` and `proxy` of {section}";
    /// The page is not as its recipe says.
    RecipeOutdated: "recipe_outdated", 500, Elsewhere, Upstream, Counts,
        "The page is not as the recipe says: there is no answer.",
        "the page has changed: look at it with `answerd recipe run`";
    /// The upstream cannot serve this country.
    CountryUnsupported: "country_unsupported", 500, Elsewhere, Unknown, Ignores,
        "openai cannot serve this country.",
        "";
    /// The upstream cannot apply the place, and the request wants it applied.
    PlaceUnsupported: "place_unsupported", 500, Elsewhere, Unknown, Ignores,
        "openai cannot ask from the city of Austin.",
        "";
    /// The engine answered without the search that the request requires.
    NoSearch: "no_search", 500, Again, None, Counts,
        "openai answered without a search.",
        "set `force_search` of {section}, where its `kind` has it";
    /// None of the scraper's upstreams can take a request now.
    NoUpstreamAvailable: "no_upstream", 504, Again, Unknown, Counts,
        "No upstream of the scraper can take a request now.",
        "";
    /// The scraper's upstreams are at the limits that config.toml sets for them. Waiting for that
    /// spends no attempt.
    UpstreamSaturated: "upstream_at_limit", 500, Again, Unknown, Ignores,
        "The upstreams are at their limits.",
        "";
    /// The key's jobs have cost what they may in a day. Waiting for the next spends no attempt.
    KeyAtLimit: "key_at_limit", 500, Again, Unknown, Ignores,
        "The key has spent its `usd_per_day` of 5 USD for today (UTC).",
        "";
    /// The attempt panicked: a defect, contained.
    Panicked: "attempt_panicked", 500, Again, Unknown, Counts,
        "The attempt ended in a defect of answerd; the log has its trace.",
        "";
    /// The process ended while the last attempt ran.
    Crashed: "attempt_crashed", 500, Again, Unknown, Counts,
        "The process ended while attempt 4 of 4 ran.",
        "";
    /// The whole scrape did not finish inside the client's `timeout`.
    Timeout: "timeout", 408, Never, Unknown, Ignores,
        "The answer did not come inside the timeout of 300 seconds.",
        "";
    /// Canceled by its owner.
    Canceled: "canceled", 500, Never, Unknown, Ignores,
        "The job was canceled.",
        "";
    /// No attempt started inside the client's `start_within`.
    NotStartedInTime: "not_started_in_time", 408, Never, Unknown, Ignores,
        "No attempt could start inside the time that `start_within` gave.",
        "";
}

impl Reason {
    /// Returns the stable word that clients and the store see.
    pub const fn code(self) -> &'static str {
        self.info().code
    }

    /// Returns whether another attempt can end better.
    pub const fn retryable(self) -> bool {
        matches!(self.info().retry, Retry::Again)
    }

    /// Returns the reason that a word from the store names.
    pub fn from_code(code: &str) -> Option<Reason> {
        // Jobs that 0.1.0 has stored may have it.
        if code == "upstream_garbled" {
            return Some(Reason::InvalidResponse);
        }
        Reason::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

/// A failure of a job: the reason and one sentence without secrets or prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    pub sentence: String,
}

impl Failure {
    /// Creates a failure. `sentence` is cut at [`FAILURE_BYTES_MAX`] and rid of control characters.
    pub fn new(reason: Reason, sentence: impl Into<String>) -> Failure {
        let mut sentence: String = sentence.into();
        sentence.retain(|c| !c.is_control());
        if sentence.len() > FAILURE_BYTES_MAX {
            let end = sentence.floor_char_boundary(FAILURE_BYTES_MAX);
            sentence.truncate(end);
            sentence.push('…');
        }
        Failure { reason, sentence }
    }

    /// Puts an answer behind the sentence, cut at [`UNSEARCHED_BYTES_MAX`] and rid of control
    /// characters but tabs and line breaks.
    #[must_use]
    pub fn with_answer(mut self, answer: &str) -> Failure {
        let end = answer.floor_char_boundary(UNSEARCHED_BYTES_MAX);
        let is_kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        self.sentence.push_str("\n\n");
        self.sentence.extend(answer.get(..end).unwrap_or_default().chars().filter(is_kept));
        if end < answer.len() {
            self.sentence.push('…');
        }
        self
    }

    /// Creates the failure of a job that its owner wanted to end.
    pub fn canceled() -> Failure {
        Failure::new(Reason::Canceled, "The job was canceled.")
    }

    /// Creates the failure of a job without an attempt inside the client's `start_within`.
    pub fn not_started_in_time() -> Failure {
        Failure::new(
            Reason::NotStartedInTime,
            "No attempt could start inside the time that `start_within` gave.",
        )
    }

    /// Creates the failure of a job without an answer inside the client's `timeout`.
    pub fn timeout(timeout_ms: u32) -> Failure {
        let seconds = f64::from(timeout_ms) / 1000.0;
        Failure::new(
            Reason::Timeout,
            format!("The answer did not come inside the timeout of {seconds} seconds."),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_code() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
    }

    #[test]
    fn a_failure_is_one_bounded_line() {
        let failure = Failure::new(Reason::Empty, format!("a\nb{}", "é".repeat(400)));
        assert!(failure.sentence.len() <= FAILURE_BYTES_MAX + '…'.len_utf8());
        assert!(failure.sentence.starts_with("abé"));
    }
}
