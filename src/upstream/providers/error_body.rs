//! What a provider's error says, in any of the shapes they use, and which of our reasons that is.
//! The rules are those that hold for all of them: a refused key is 401 for most and 400 for some,
//! and a used-up balance looks like a rate limit but must never be tried again.

use serde_json::Value;

use crate::job::Reason;

use super::json_path;

/// How far an error nests its message (`{"error": {"error": {...}}}` happens behind gateways).
const NESTING_MAX: usize = 4;

/// An error as a provider words it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProviderError {
    /// The sentence for people; empty when there is none.
    pub message: String,
    /// Every code, type, status and reason, in lower case.
    words: Vec<String>,
    /// An HTTP status that the body states: gateways pass on failures inside a 200.
    pub status: Option<u16>,
    /// `RetryInfo.retryDelay`, such as "34.4s"; empty when there is none.
    pub delay: String,
    /// A quota that fills again tomorrow, not in a minute.
    daily: bool,
}

/// The reason behind a provider's error, and what the job's owner is told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub reason: Reason,
    /// What the provider did, following its name: "refused the key".
    pub phrase: &'static str,
    /// The settings of its section that the operator should look at; empty when none can help.
    pub look_at: &'static str,
    /// Whether the provider's own message is withheld: what it says of a key it refused may hold
    /// the key, whole or in part.
    pub untold: bool,
}

impl Verdict {
    pub(crate) const KEY_REFUSED: Verdict = Verdict {
        untold: true,
        ..Verdict::new(Reason::Auth, "refused the key").look_at("api_key_env")
    };
    pub(crate) const NO_PERMISSION: Verdict =
        Verdict::new(Reason::Auth, "refused permission").look_at("api_key_env");
    pub(crate) const NO_QUOTA: Verdict =
        Verdict::new(Reason::Quota, "has no quota or balance left for this key");
    pub(crate) const RATE_LIMITED: Verdict =
        Verdict::new(Reason::UpstreamRateLimited, "rate limit exceeded");
    pub(crate) const DECLINED: Verdict =
        Verdict::new(Reason::Refused, "declined to answer this prompt");
    pub(crate) const BUSY: Verdict = Verdict::new(Reason::Overloaded, "is overloaded");
    const LATE: Verdict = Verdict::new(Reason::UpstreamTimeout, "took too long by its own account");
    /// The country's code follows the phrase.
    pub(crate) const NO_COUNTRY: Verdict =
        Verdict::new(Reason::CountryUnsupported, "cannot serve the country");
    pub(crate) const NO_PLACE: Verdict =
        Verdict::new(Reason::PlaceUnsupported, "cannot apply the place that is asked for");
    pub(crate) const INVALID: Verdict =
        Verdict::new(Reason::BadRequest, "called the request invalid");
    pub(crate) const UNKNOWN: Verdict =
        Verdict::new(Reason::BadRequest, "knows no such model or address")
            .look_at("model` and `base_url");
    const MOVED: Verdict =
        Verdict::new(Reason::BadRequest, "sent us to another address").look_at("base_url");
    pub(crate) const FAILED: Verdict = Verdict::new(Reason::UpstreamError, "failed");

    pub(crate) const fn new(reason: Reason, phrase: &'static str) -> Verdict {
        Verdict { reason, phrase, look_at: "", untold: false }
    }

    const fn look_at(mut self, settings: &'static str) -> Verdict {
        self.look_at = settings;
        self
    }
}

impl ProviderError {
    /// Reads an error body, or the part of a body that holds the error.
    pub(crate) fn read(body: &Value) -> ProviderError {
        let mut error = ProviderError::default();
        error.take(body, 0);
        error
    }

    fn take(&mut self, value: &Value, depth: usize) {
        if depth == NESTING_MAX {
            return;
        }
        match value {
            Value::String(text) => self.say(text),
            // FastAPI's `detail`, and Gemini's errors when it was asked to stream.
            Value::Array(items) => {
                if let Some(item) = items.first() {
                    self.take(item, depth + 1);
                }
            }
            Value::Object(_) => {
                for key in ["error", "detail", "message", "msg", "status_message"] {
                    self.take(&value[key], depth + 1);
                }
                for key in ["code", "type", "status", "reason", "error_code", "param"] {
                    self.word(&value[key]);
                }
                self.details(value);
                self.fields(value);
                // OpenRouter's, where the model's provider takes offence at the prompt.
                if value["metadata"]["flagged_input"].is_string() {
                    self.words.push(FLAGGED.to_owned());
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn say(&mut self, text: &str) {
        if self.message.is_empty() {
            text.trim().clone_into(&mut self.message);
        }
    }

    fn word(&mut self, value: &Value) {
        if let Some(status) = value.as_u64().filter(|status| (400..600).contains(status)) {
            self.status = self.status.or(u16::try_from(status).ok());
        }
        let word = json_path::scalar(value).to_lowercase();
        if !word.is_empty() {
            self.words.push(word);
        }
    }

    /// Google's typed details, and Anthropic's one object of that name.
    fn details(&mut self, value: &Value) {
        let details = &value["details"];
        self.word(&details["error_code"]);
        for detail in details.as_array().into_iter().flatten() {
            self.word(&detail["reason"]);
            if self.delay.is_empty() {
                json_path::text(detail, "retryDelay").clone_into(&mut self.delay);
            }
            self.daily |= json_path::list(detail, "violations")
                .iter()
                .any(|violation| json_path::text(violation, "quotaId").contains("PerDay"));
        }
    }

    /// The fields that are called invalid: cloro's `details`, Bright Data's `errors`.
    fn fields(&mut self, value: &Value) {
        for detail in json_path::list(value, "details") {
            self.word(&detail["field"]);
        }
        for error in json_path::list(value, "errors") {
            self.word(&error[0]);
        }
    }

    /// Whether a word is one of these fields, or the end of a path to it.
    fn has_field(&self, fields: &[&str]) -> bool {
        let last = |word: &String| word.rsplit('.').next().is_some_and(|it| fields.contains(&it));
        self.words.iter().any(last)
    }

    fn has(&self, words: &[&str]) -> bool {
        self.words.iter().any(|word| words.contains(&word.as_str()))
    }

    /// Whether a word holds one of these, or the message does.
    fn names(&self, parts: &[&str]) -> bool {
        let in_words = self.words.iter().any(|word| parts.iter().any(|part| word.contains(part)));
        in_words || self.says(parts)
    }

    fn says(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }
}

const QUOTA_WORDS: &[&str] = &[
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "insufficient_balance",
    "insufficient_credits",
    "payment_required",
    // Another answerd's.
    "credit_limit",
    "spend_limit",
];
// Not "exceeded your current quota": Gemini says that of a limit per minute too.
const QUOTA_PHRASES: &[&str] = &[
    "credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "api usage limits",
    "used all available credits",
    "monthly spending limit",
    "run out of searches",
    "used all of the searches",
    "account is suspended",
    "credit limit reached",
    // Gemini's, in countries where it answers those who pay.
    "please enable billing",
];
const KEY_WORDS: &[&str] = &[
    "invalid_api_key",
    "authentication_error",
    "api_key_invalid",
    "api_key_expired",
    "unauthenticated",
    "invalid_authentication",
];
const KEY_PHRASES: &[&str] = &[
    "incorrect api key",
    "invalid api key",
    "api key not valid",
    "api key expired",
    "api key not found",
    "missing api key",
];
/// The word for a prompt that was flagged.
const FLAGGED: &str = "moderation_blocked";
const POLICY_WORDS: &[&str] = &[
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "invalid_prompt",
    FLAGGED,
    "refusal",
];
const POLICY_PHRASES: &[&str] = &["usage guidelines", "content management policy"];
const BUSY_WORDS: &[&str] =
    &["overloaded_error", "overloaded", "server_is_overloaded", "engine_overloaded", "unavailable"];
const RATE_WORDS: &[&str] = &[
    "rate_limit_exceeded",
    "rate_limit_error",
    "request_rate_limit_exceeded",
    "resource_exhausted",
    "too_many_requests",
];
const MODEL_WORDS: &[&str] = &["model_not_found"];
const TOO_LARGE_WORDS: &[&str] = &["request_too_large"];
const LATE_WORDS: &[&str] = &["timeout_error", "deadline_exceeded", "timeout"];
/// Another answerd's words for a place that it does not serve.
const LOCATION_WORDS: &[&str] =
    &["city_invalid", "region_invalid", "timezone_invalid", "place_unsupported"];
const COUNTRY_WORDS: &[&str] = &["country_invalid", "country_refused", "country_unsupported"];
const PLACE_FIELDS: &[&str] = &["country", "gl", "location", "geo_location"];
/// The parts of a place below its country.
const LOCATION_PHRASES: &[&str] =
    &["user_location.city", "user_location.region", "user_location.timezone"];
const PLACE_PHRASES: &[&str] = &[
    "user_location",
    "location_code",
    "location_name",
    "location parameter",
    "geo_location",
    "country",
];

/// Returns the reason of an error. `status` is the reply's, or the best guess where a 200 holds the
/// error. Codes go before the status, since several providers send the wrong one.
pub(crate) fn judge(status: u16, error: &ProviderError) -> Verdict {
    let client = (400..500).contains(&status);
    let spent = error.daily || error.has(QUOTA_WORDS) || error.says(QUOTA_PHRASES);
    if spent || status == 402 {
        return Verdict::NO_QUOTA;
    }
    if error.has(KEY_WORDS) || client && error.says(KEY_PHRASES) {
        return Verdict::KEY_REFUSED;
    }
    if error.has(POLICY_WORDS) || client && error.says(POLICY_PHRASES) {
        return Verdict::DECLINED;
    }
    if error.has(BUSY_WORDS) {
        return Verdict::BUSY;
    }
    if error.has(RATE_WORDS) {
        return Verdict::RATE_LIMITED;
    }
    if error.has(LATE_WORDS) {
        return Verdict::LATE;
    }
    if error.has(TOO_LARGE_WORDS) {
        return Verdict::INVALID;
    }
    if error.has(MODEL_WORDS) {
        return Verdict::UNKNOWN;
    }
    if matches!(status, 400 | 422) {
        if error.has(LOCATION_WORDS) || error.names(LOCATION_PHRASES) {
            return Verdict::NO_PLACE;
        }
        let is_field = error.has_field(PLACE_FIELDS) || error.names(&["user_location"]);
        if is_field || error.has(COUNTRY_WORDS) || error.says(PLACE_PHRASES) {
            return Verdict::NO_COUNTRY;
        }
    }
    by_status(status)
}

fn by_status(status: u16) -> Verdict {
    match status {
        300..400 => Verdict::MOVED,
        401 => Verdict::KEY_REFUSED,
        403 => Verdict::NO_PERMISSION,
        404 => Verdict::UNKNOWN,
        408 | 504 | 524 => Verdict::LATE,
        // Two calls met; the next one may go through.
        409 => Verdict::FAILED,
        429 => Verdict::RATE_LIMITED,
        400..500 => Verdict::INVALID,
        503 | 529 => Verdict::BUSY,
        _ => Verdict::FAILED,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(status: u16, body: &Value) -> Reason {
        judge(status, &ProviderError::read(body)).reason
    }

    #[test]
    fn every_shape_of_an_error_body_yields_its_message() {
        for body in [
            json!({"error": {"message": "No.", "type": "t", "param": null, "code": "c"}}),
            json!({"error": "No.", "code": "invalid-argument"}),
            json!({"detail": "No."}),
            json!({"detail": [{"loc": ["body"], "msg": "No.", "type": "missing"}]}),
            json!({"object": "error", "message": "No.", "type": "t", "code": "1"}),
            json!([{"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}]),
            json!({"error": {"error": {"message": "No."}}}),
            json!({"status_code": 40501, "status_message": "No."}),
            json!("No."),
        ] {
            assert_eq!(ProviderError::read(&body).message, "No.", "{body}");
        }
        assert_eq!(ProviderError::read(&json!({"error": null})), ProviderError::default());
    }

    #[test]
    fn a_bad_key_is_one_reason_whatever_the_status() {
        let gemini = json!({"error": {"code": 400, "message": "x", "status": "INVALID_ARGUMENT",
            "details": [{"@type": "ErrorInfo", "reason": "API_KEY_INVALID"}]}});
        let xai = json!({"code": "invalid-argument", "error": "Incorrect API key provided. Go."});
        let mistral = json!({"detail": "Invalid API Key"});
        assert_eq!(reason(400, &gemini), Reason::Auth);
        assert_eq!(reason(400, &xai), Reason::Auth);
        assert_eq!(reason(401, &mistral), Reason::Auth);
        assert_eq!(reason(401, &Value::Null), Reason::Auth);
        assert_eq!(reason(403, &json!({"error": {"type": "permission_error"}})), Reason::Auth);
    }

    #[test]
    fn a_used_up_balance_is_never_a_rate_limit() {
        let openai = json!({"error": {"type": "insufficient_quota", "code": "insufficient_quota",
            "message": "You exceeded your current quota"}});
        let anthropic = json!({"type": "error", "error": {"type": "rate_limit_error",
            "message": "x", "details": {"error_code": "enforced_spend_limit_reached"}}});
        let credit = json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "Your credit balance is too low to access the API."}});
        let daily = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]}});
        let serpapi = json!({"error": "Your account has run out of searches."});
        assert_eq!(reason(429, &openai), Reason::Quota);
        assert_eq!(reason(429, &anthropic), Reason::Quota);
        assert_eq!(reason(400, &credit), Reason::Quota);
        assert_eq!(reason(429, &daily), Reason::Quota);
        assert_eq!(reason(429, &serpapi), Reason::Quota);
        assert_eq!(reason(402, &Value::Null), Reason::Quota);
        let minute = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota, please check your plan.", "details": [
            {"violations": [{"quotaId": "GenerateRequestsPerMinute-FreeTier"}]},
            {"retryDelay": "34.4s"}]}});
        assert_eq!(reason(429, &minute), Reason::UpstreamRateLimited);
        assert_eq!(ProviderError::read(&minute).delay, "34.4s");
    }

    #[test]
    fn field_that_is_called_invalid_tells_a_place_from_the_rest() {
        let cloro = |field: &str| {
            json!({"success": false, "error": "Request validation failed",
                "details": [{"field": field, "message": "No."}]})
        };
        let bright = |field: &str| {
            json!({"error": "Invalid input provided", "code": "validation_error",
                "errors": [[field, "No."]]})
        };
        assert_eq!(reason(400, &cloro("payload.country")), Reason::CountryUnsupported);
        assert_eq!(reason(400, &cloro("payload.prompt")), Reason::BadRequest);
        assert_eq!(reason(400, &bright("country")), Reason::CountryUnsupported);
        assert_eq!(reason(400, &bright("prompt")), Reason::BadRequest);
    }

    #[test]
    fn the_status_decides_where_no_code_does() {
        for (status, expected) in [
            (302, Reason::BadRequest),
            (400, Reason::BadRequest),
            (404, Reason::BadRequest),
            (408, Reason::UpstreamTimeout),
            (409, Reason::UpstreamError),
            (413, Reason::BadRequest),
            (422, Reason::BadRequest),
            (424, Reason::BadRequest),
            (429, Reason::UpstreamRateLimited),
            (500, Reason::UpstreamError),
            (502, Reason::UpstreamError),
            (503, Reason::Overloaded),
            (504, Reason::UpstreamTimeout),
            (524, Reason::UpstreamTimeout),
            (529, Reason::Overloaded),
            (599, Reason::UpstreamError),
        ] {
            assert_eq!(reason(status, &Value::Null), expected, "{status}");
        }
        let overloaded = json!({"error": {"type": "overloaded_error", "message": "Overloaded"}});
        assert_eq!(reason(500, &overloaded), Reason::Overloaded);
        let filter = json!({"error": {"code": "content_filter", "message": "x"}});
        assert_eq!(reason(400, &filter), Reason::Refused);
        let place = json!({"error": {"message": "Invalid value", "code": "invalid_value",
            "param": "tools[0].user_location.country"}});
        assert_eq!(reason(400, &place), Reason::CountryUnsupported);
        let city = json!({"error": {"message": "Invalid value", "code": "invalid_value",
            "param": "tools[0].user_location.city"}});
        assert_eq!(reason(400, &city), Reason::PlaceUnsupported);
        let large = json!({"type": "error", "error": {"type": "request_too_large",
            "message": "Request exceeds the maximum size"}});
        assert_eq!(reason(413, &large), Reason::BadRequest);
        assert_eq!(reason(500, &large), Reason::BadRequest);
    }
}
