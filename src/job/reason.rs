//! Why an attempt or a job failed, and what follows from each reason: whether another attempt can
//! help, who is to blame, which status a waiting call gets. Contract 1.9 and 1.10.

/// The longest sentence kept as the reason of a failure, in bytes.
pub const FAILURE_BYTES_MAX: usize = 500;

/// Why an attempt, and in the end a job, failed. Every job that is not `done` ends with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No connection to the upstream, or it broke off.
    Unreachable,
    /// The upstream did not answer inside the attempt's deadline.
    UpstreamTimeout,
    /// The upstream said that it has too much to do (503, 529).
    Overloaded,
    /// The upstream limits how fast it may be asked (429).
    UpstreamRateLimited,
    /// The upstream failed (5xx, or a 200 that says so).
    UpstreamError,
    /// The reply was not what this upstream speaks.
    Garbled,
    /// The reply was well-formed and held no answer.
    Empty,
    /// The answer was cut short by a limit of the upstream.
    Incomplete,
    /// The reply was larger than the limit.
    TooLarge,
    /// The upstream refused our key.
    Auth,
    /// The operator's quota or balance at the upstream is used up.
    Quota,
    /// The upstream called the request invalid.
    BadRequest,
    /// The engine declined to answer this prompt.
    Refused,
    /// A page asked for a login, a captcha or another check, which we do not evade.
    Blocked,
    /// The page is not as its recipe says.
    RecipeOutdated,
    /// The upstream cannot serve this country.
    CountryUnsupported,
    /// None of the scraper's upstreams can take a request now.
    NoUpstream,
    /// The scraper's upstreams are at the limits that config.toml sets for them. Waiting for that
    /// spends no attempt.
    AtLimit,
    /// The attempt panicked: a defect, contained.
    Panicked,
    /// The process ended while the last attempt ran.
    Crashed,
    /// The whole scrape did not finish inside the client's `timeout`.
    Timeout,
    /// Canceled by its owner.
    Canceled,
    /// No attempt started inside the client's `start_within`.
    NotStartedInTime,
}

impl Reason {
    pub const ALL: [Reason; 23] = [
        Reason::Unreachable,
        Reason::UpstreamTimeout,
        Reason::Overloaded,
        Reason::UpstreamRateLimited,
        Reason::UpstreamError,
        Reason::Garbled,
        Reason::Empty,
        Reason::Incomplete,
        Reason::TooLarge,
        Reason::Auth,
        Reason::Quota,
        Reason::BadRequest,
        Reason::Refused,
        Reason::Blocked,
        Reason::RecipeOutdated,
        Reason::CountryUnsupported,
        Reason::NoUpstream,
        Reason::AtLimit,
        Reason::Panicked,
        Reason::Crashed,
        Reason::Timeout,
        Reason::Canceled,
        Reason::NotStartedInTime,
    ];

    /// The stable word that clients and the store see.
    pub const fn code(self) -> &'static str {
        match self {
            Reason::Unreachable => "upstream_unreachable",
            Reason::UpstreamTimeout => "upstream_timeout",
            Reason::Overloaded => "upstream_overloaded",
            Reason::UpstreamRateLimited => "upstream_rate_limited",
            Reason::UpstreamError => "upstream_error",
            Reason::Garbled => "upstream_garbled",
            Reason::Empty => "answer_empty",
            Reason::Incomplete => "answer_incomplete",
            Reason::TooLarge => "answer_too_large",
            Reason::Auth => "upstream_auth",
            Reason::Quota => "upstream_quota",
            Reason::BadRequest => "upstream_bad_request",
            Reason::Refused => "answer_refused",
            Reason::Blocked => "blocked",
            Reason::RecipeOutdated => "recipe_outdated",
            Reason::CountryUnsupported => "country_unsupported",
            Reason::NoUpstream => "no_upstream",
            Reason::AtLimit => "upstream_at_limit",
            Reason::Panicked => "attempt_panicked",
            Reason::Crashed => "attempt_crashed",
            Reason::Timeout => "timeout",
            Reason::Canceled => "canceled",
            Reason::NotStartedInTime => "not_started_in_time",
        }
    }

    /// The reason that a word from the store names.
    pub fn from_code(code: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Whether another attempt can end better (contract 1.9).
    pub const fn retryable(self) -> bool {
        match self {
            Reason::Unreachable
            | Reason::UpstreamTimeout
            | Reason::Overloaded
            | Reason::UpstreamRateLimited
            | Reason::UpstreamError
            | Reason::Garbled
            | Reason::Empty
            | Reason::NoUpstream
            | Reason::AtLimit
            | Reason::Panicked
            | Reason::Crashed => true,
            Reason::Incomplete
            | Reason::TooLarge
            | Reason::Auth
            | Reason::Quota
            | Reason::BadRequest
            | Reason::Refused
            | Reason::Blocked
            | Reason::RecipeOutdated
            | Reason::CountryUnsupported
            | Reason::Timeout
            | Reason::Canceled
            | Reason::NotStartedInTime => false,
        }
    }

    /// What it shows of the upstream: only an ill one is to blame, and is rested in the end.
    pub const fn verdict(self) -> Verdict {
        match self {
            Reason::Unreachable
            | Reason::UpstreamTimeout
            | Reason::Overloaded
            | Reason::UpstreamRateLimited
            | Reason::UpstreamError
            | Reason::Garbled
            | Reason::Auth
            | Reason::Quota
            | Reason::Blocked
            | Reason::RecipeOutdated => Verdict::Ill,
            // It read the request and answered it, if not as hoped.
            Reason::Empty
            | Reason::Incomplete
            | Reason::TooLarge
            | Reason::BadRequest
            | Reason::Refused => Verdict::Well,
            // It was not asked at all, or nobody waited for what it would say.
            Reason::CountryUnsupported
            | Reason::NoUpstream
            | Reason::AtLimit
            | Reason::Panicked
            | Reason::Crashed
            | Reason::Timeout
            | Reason::Canceled
            | Reason::NotStartedInTime => Verdict::Unknown,
        }
    }

    /// The HTTP status with which an interactive call reports it (contract 1.10).
    pub const fn http_status(self) -> u16 {
        match self {
            Reason::Timeout | Reason::NotStartedInTime => 408,
            Reason::Unreachable | Reason::UpstreamTimeout | Reason::NoUpstream => 504,
            Reason::Overloaded
            | Reason::UpstreamRateLimited
            | Reason::UpstreamError
            | Reason::Garbled
            | Reason::Empty
            | Reason::Incomplete
            | Reason::TooLarge
            | Reason::Auth
            | Reason::Quota
            | Reason::BadRequest
            | Reason::Refused
            | Reason::Blocked
            | Reason::RecipeOutdated
            | Reason::CountryUnsupported
            | Reason::AtLimit
            | Reason::Panicked
            | Reason::Crashed
            | Reason::Canceled => 500,
        }
    }
}

/// What an attempt shows of the upstream that made it fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Well,
    Ill,
    Unknown,
}

/// Why a job failed: the reason and one sentence without secrets or prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    pub sentence: String,
}

impl Failure {
    /// `sentence` is cut at [`FAILURE_BYTES_MAX`] and rid of control characters.
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

    /// The owner wanted the job to end.
    pub fn canceled() -> Failure {
        Failure::new(Reason::Canceled, "The job was canceled.")
    }

    /// No attempt started inside the client's `start_within`.
    pub fn not_started_in_time() -> Failure {
        Failure::new(
            Reason::NotStartedInTime,
            "No attempt could start inside the time that `start_within` gave.",
        )
    }

    /// The answer did not come inside the client's `timeout`.
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
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
        }
    }

    #[test]
    fn a_failure_is_one_bounded_line() {
        let failure = Failure::new(Reason::Empty, format!("a\nb{}", "é".repeat(400)));
        assert!(failure.sentence.len() <= FAILURE_BYTES_MAX + '…'.len_utf8());
        assert!(failure.sentence.starts_with("abé"));
    }
}
