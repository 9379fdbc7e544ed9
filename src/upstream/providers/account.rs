//! An operator's account at a provider: its address, key and model, how requests are signed, and
//! how its failures are told without the key and without the prompt.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::config::{self, Secret};
use crate::job::{Reason, ScrapeRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{HeaderValue, HttpReply, HttpRequest, Method};

use super::error_body::{self, Complaint, Verdict};
use super::retry_after::retry_after_ms;

/// The most of a provider's own message that a sentence carries, in characters.
const MESSAGE_CHARS_MAX: usize = 200;
/// So many characters in a row of the prompt make a message one that repeats the prompt.
const ECHO_CHARS: usize = 24;
/// A shorter part of a key (of `login:password`) is no secret by itself, in bytes.
const SECRET_BYTES_MIN: usize = 4;
/// A shorter prompt may turn up in any message by chance, in characters.
const ECHO_CHARS_MIN: usize = 4;

/// What a kind of provider ships with.
pub struct Shipped {
    pub base_url: &'static str,
    pub model: &'static str,
    pub sign_in: SignIn,
}

/// How a kind of provider takes its key, unless `auth_header` names a header for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// `Authorization: Basic BASE64`, from a key of the form `login:password`.
    Basic,
    /// The key as it is in a header of that name.
    Header(&'static str),
    /// The key in a query parameter of that name.
    Query(&'static str),
}

/// The settings of one upstream that every kind needs.
pub struct Account {
    upstream: String,
    base_url: String,
    /// What is asked there: a model, or at SERP vendors an engine.
    pub model: String,
    key: Option<Secret>,
    auth_header: String,
    sign_in: SignIn,
    /// Whether the address is the kind's own and not a gateway or a look-alike.
    pub own_address: bool,
}

impl Account {
    /// The settings of a section, with what its kind ships with where they are empty.
    pub fn new(settings: &config::Upstream, shipped: &Shipped) -> Account {
        let or = |given: &str, default: &str| {
            if given.is_empty() { default.to_owned() } else { given.to_owned() }
        };
        Account {
            upstream: settings.name.clone(),
            base_url: or(&settings.base_url, shipped.base_url),
            model: or(&settings.model, shipped.model),
            key: settings.api_key.clone(),
            auth_header: settings.auth_header.clone(),
            sign_in: shipped.sign_in,
            own_address: settings.base_url.is_empty() || settings.base_url == shipped.base_url,
        }
    }

    /// A signed GET of a path (with its query) under the base address.
    pub fn get(&self, path: &str) -> HttpRequest {
        self.signed(Method::Get, path, None)
    }

    /// A signed POST of JSON to a path under the base address.
    pub fn post(&self, path: &str, body: Value) -> HttpRequest {
        self.signed(Method::Post, path, Some(body))
    }

    fn signed(&self, method: Method, path: &str, body: Option<Value>) -> HttpRequest {
        let mut request = HttpRequest {
            method,
            url: format!("{}{path}", self.base_url),
            headers: Vec::new(),
            body,
            secret_query: None,
        };
        let Some(key) = &self.key else { return request };
        let mut header = |name: &str, secret: Secret| {
            request.headers.push((name.to_owned(), HeaderValue::Secret(secret)));
        };
        if !self.auth_header.is_empty() {
            header(&self.auth_header, key.clone());
            return request;
        }
        match self.sign_in {
            SignIn::Bearer => {
                header("authorization", Secret::new(format!("Bearer {}", key.reveal())));
            }
            SignIn::Basic => {
                header("authorization", Secret::new(format!("Basic {}", basic(key.reveal()))));
            }
            SignIn::Header(name) => header(name, key.clone()),
            SignIn::Query(name) => request.secret_query = Some((name.to_owned(), key.clone())),
        }
        request
    }

    /// The JSON of the latest reply.
    ///
    /// # Errors
    /// What the reply says went wrong, or [`Reason::Garbled`] when it is no JSON.
    pub fn read(
        &self,
        request: &ScrapeRequest,
        replies: &[HttpReply],
    ) -> Result<Value, UpstreamError> {
        let Some(reply) = replies.last() else {
            return Err(self.garbled("gave no reply"));
        };
        let body = serde_json::from_slice::<Value>(&reply.body);
        if (200..300).contains(&reply.status) {
            return body.map_err(|_| self.garbled("answered with something that is not JSON"));
        }
        let body = body.unwrap_or_default();
        let complaint = Complaint::read(&body);
        let mut verdict = error_body::judge(reply.status, &complaint);
        if reply.status == 403 && !body.is_object() {
            // Not the API but something before it that shows a page: no key would help.
            verdict = Verdict::new(Reason::Blocked, "answered with a page instead of data");
        }
        let final_word = reply.header("x-should-retry").is_some_and(|word| word == "false");
        if final_word && verdict.reason.retryable() {
            verdict.reason = given_up(verdict.reason);
        }
        let how = format!(" (HTTP {})", reply.status);
        let wait_ms = retry_after_ms(reply, &complaint.delay);
        Err(self.tell(request, verdict, &how, &complaint.message, wait_ms))
    }

    /// The failure that a reply with status 200 holds in `body`.
    pub fn failure(&self, request: &ScrapeRequest, body: &Value) -> UpstreamError {
        let complaint = Complaint::read(body);
        // Without a code, such a failure is the provider's own.
        let verdict = error_body::judge(complaint.status.unwrap_or(500), &complaint);
        self.tell(request, verdict, "", &complaint.message, None)
    }

    /// A failure that the adapter has classified itself, with the provider's words for it.
    pub fn fail(&self, request: &ScrapeRequest, verdict: Verdict, message: &str) -> UpstreamError {
        self.tell(request, verdict, "", message, None)
    }

    /// The reply is JSON of a shape that this provider does not speak.
    pub fn garbled(&self, phrase: &str) -> UpstreamError {
        UpstreamError::new(Reason::Garbled, format!("{} {phrase}.", self.upstream))
    }

    /// The reply holds no answer.
    pub fn empty(&self) -> UpstreamError {
        UpstreamError::new(Reason::Empty, format!("{} gave an answer without text.", self.upstream))
    }

    /// The answer was cut short; `limit` is the provider's word for what cut it.
    pub fn incomplete(&self, limit: &str) -> UpstreamError {
        let sentence = format!("{} cut its answer short ({limit}).", self.upstream);
        UpstreamError::new(Reason::Incomplete, sentence)
    }

    /// The engine declined; `why` is the provider's word for it, if there is one. What the engine
    /// wrote instead of an answer is left out: it may repeat the prompt.
    pub fn refused(&self, why: &str) -> UpstreamError {
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        let sentence = format!("{} declined to answer this prompt{why}.", self.upstream);
        UpstreamError::new(Reason::Refused, sentence)
    }

    /// Nothing was sent: the country of `request` cannot be asked for there.
    pub fn country_unsupported(&self, request: &ScrapeRequest, why: &str) -> UpstreamError {
        let sentence =
            format!("{} cannot serve the country {}: {why}.", self.upstream, request.country);
        UpstreamError::new(Reason::CountryUnsupported, sentence)
    }

    /// Nothing was sent: `model` is none of those that this kind knows.
    pub fn model_unknown(&self, known: &str) -> UpstreamError {
        let sentence = format!(
            "`model` of [upstreams.{}] must be one of {known}; it is `{}`.",
            self.upstream, self.model
        );
        UpstreamError::new(Reason::BadRequest, sentence)
    }

    fn tell(
        &self,
        request: &ScrapeRequest,
        verdict: Verdict,
        how: &str,
        message: &str,
        wait_ms: Option<u64>,
    ) -> UpstreamError {
        let Verdict { reason, phrase, look_at, untold } = verdict;
        let mut sentence = format!("{} {phrase}", self.upstream);
        if reason == Reason::CountryUnsupported {
            sentence.push_str(&format!(" {}", request.country));
        }
        sentence.push_str(how);
        let message = if untold { String::new() } else { self.quotable(message, request) };
        if !message.is_empty() {
            sentence.push_str(&format!(": {}", message.trim_end_matches('.')));
        }
        if !look_at.is_empty() {
            sentence.push_str(&format!("; look at `{look_at}` of [upstreams.{}]", self.upstream));
        }
        sentence.push('.');
        let wait_ms = wait_ms.filter(|_| reason.retryable());
        UpstreamError::new(reason, sentence).retry_after_ms(wait_ms)
    }

    /// A provider's message as it may be shown: short, on one line, without the key, and not at
    /// all when it repeats the prompt or is a page.
    fn quotable(&self, message: &str, request: &ScrapeRequest) -> String {
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        if message.starts_with('<') || echoes(&message, &request.prompt) {
            return String::new();
        }
        let mut message = message;
        if let Some(key) = &self.key {
            for secret in key.reveal().split(':').chain([key.reveal(), &basic(key.reveal())]) {
                if secret.len() >= SECRET_BYTES_MIN {
                    message = message.replace(secret, "[key]");
                }
            }
        }
        match message.char_indices().nth(MESSAGE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default().trim_end()),
            None => message,
        }
    }
}

/// The reason for a failure that the provider says is final though its kind usually is not.
fn given_up(reason: Reason) -> Reason {
    if reason == Reason::UpstreamRateLimited { Reason::Quota } else { Reason::BadRequest }
}

/// `login:password` in base64; a key without a colon is taken to be that already.
fn basic(key: &str) -> String {
    if key.contains(':') { BASE64_STANDARD.encode(key) } else { key.to_owned() }
}

/// Whether a message repeats the prompt, or a stretch of it.
fn echoes(message: &str, prompt: &str) -> bool {
    let prompt: Vec<char> =
        prompt.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    if prompt.len() < ECHO_CHARS_MIN {
        return false;
    }
    prompt
        .windows(ECHO_CHARS.min(prompt.len()))
        .any(|stretch| message.contains(&stretch.iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::providers::trials::{account, reply, request};

    fn sentence(message: &str) -> String {
        let body = json!({"error": {"message": message}});
        account().read(&request(), &[reply(400, &[], &body)]).unwrap_err().sentence
    }

    #[test]
    fn messages_are_told_short_and_on_one_line() {
        assert_eq!(
            sentence("Unknown\n field `x`."),
            "test called the request invalid (HTTP 400): Unknown field `x`."
        );
        let long = sentence(&"é ".repeat(400));
        assert!(long.chars().count() < MESSAGE_CHARS_MAX + 80 && long.contains('…'), "{long}");
        assert_eq!(sentence("<html>oops"), "test called the request invalid (HTTP 400).");
    }

    #[test]
    fn neither_key_nor_prompt_is_told() {
        assert!(sentence("I saw key-of-tests there.").contains("I saw [key] there"));
        for message in [
            format!("Cannot answer: {}", request().prompt),
            "Bad input: 'should I install on the harbour cra'...".to_owned(),
            "Bad input: should I\n install  on the harbour crane".to_owned(),
        ] {
            assert_eq!(sentence(&message), "test called the request invalid (HTTP 400).");
        }
        let short = ScrapeRequest { prompt: "key".to_owned(), ..request() };
        let body = json!({"error": "A key is missing here."});
        let error = account().read(&short, &[reply(400, &[], &body)]).unwrap_err();
        assert!(error.sentence.contains("A key is missing here"), "{error}");
    }

    #[test]
    fn a_final_word_is_final() {
        let busy = json!({"error": {"message": "Busy."}});
        let last = [("x-should-retry", "false"), ("retry-after", "3")];
        for status in [429, 500, 503, 529] {
            let error = account().read(&request(), &[reply(status, &last, &busy)]).unwrap_err();
            assert!(!error.reason.retryable() && error.retry_after_ms.is_none(), "{error:?}");
        }
        let error = account().read(&request(), &[reply(503, &last[1..], &busy)]).unwrap_err();
        assert_eq!((error.reason, error.retry_after_ms), (Reason::Overloaded, Some(3_000)));
    }
}
