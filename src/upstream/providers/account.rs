//! An operator's account at a provider: its address, key and model, how requests are signed, and
//! how its failures are told without the key and without the prompt.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::config::{self, Secret};
use crate::job::{Reason, ScrapeRequest};
use crate::net::{HeaderValue, HttpReply, HttpRequest, Method};
use crate::upstream::UpstreamError;
use crate::upstream::provider::ModelQuery;
use crate::upstream::secret_spellings::SecretSpellings;

use super::error_body::{self, ProviderError, Verdict};
use super::json_text;
use crate::net::retry_after_ms;

/// The most of a provider's own message that a sentence carries, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// The longest body that is read as a sentence, in bytes.
const PLAIN_TEXT_BYTES_MAX: usize = 500;

/// The settings that a kind of provider ships with.
pub(crate) struct Shipped {
    pub base_url: &'static str,
    pub model: &'static str,
    pub sign_in: SignIn,
}

/// The way in which a kind of provider takes its key, unless `auth_header` names a header for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
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
pub(crate) struct Account {
    upstream: String,
    base_url: String,
    /// What is asked there: a model, or at SERP vendors an engine.
    pub model: String,
    key: Option<Secret>,
    secrets: SecretSpellings,
    auth_header: String,
    sign_in: SignIn,
    /// Whether the address is the kind's own and not a gateway or a look-alike.
    pub own_address: bool,
    /// Whether a search is forced; `None`: the kind's own way.
    pub force_search: Option<bool>,
    /// The most searches of one answer; `None`: the provider's or the kind's own.
    pub searches_max: Option<u32>,
    /// The most tokens of one answer; `None`: the provider's or the kind's own.
    pub output_tokens_max: Option<u32>,
}

impl Account {
    /// Creates the account of a section, with what its kind ships with where it is empty.
    pub(crate) fn new(settings: &config::Upstream, shipped: &Shipped) -> Account {
        let or = |given: &str, default: &str| {
            if given.is_empty() { default.to_owned() } else { given.to_owned() }
        };
        Account {
            upstream: settings.name.clone(),
            base_url: or(&settings.base_url, shipped.base_url),
            model: or(&settings.model, shipped.model),
            key: settings.api_key.clone(),
            secrets: SecretSpellings::of(settings),
            auth_header: settings.auth_header.clone(),
            sign_in: shipped.sign_in,
            own_address: settings.base_url.is_empty() || settings.base_url == shipped.base_url,
            force_search: settings.force_search,
            searches_max: settings.searches_max,
            output_tokens_max: settings.output_tokens_max,
        }
    }

    /// Returns what asks for the models at a path under the base address.
    pub(crate) fn models_at(&self, path: &str) -> ModelQuery {
        ModelQuery { request: self.get(path), model: self.model.clone() }
    }

    /// Returns the model to ask: the request's, else that of the settings.
    pub(crate) fn model_for<'a>(&'a self, request: &'a ScrapeRequest) -> &'a str {
        request.model.as_deref().unwrap_or(&self.model)
    }

    /// Returns a signed GET of a path (with its query) under the base address.
    pub(crate) fn get(&self, path: &str) -> HttpRequest {
        self.signed(Method::Get, path, None)
    }

    /// Returns a signed POST of JSON to a path under the base address.
    pub(crate) fn post(&self, path: &str, body: Value) -> HttpRequest {
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

    /// Reads the JSON of the latest reply.
    ///
    /// # Errors
    /// Returns an error if the reply is one, or is no JSON.
    pub(crate) fn read(
        &self,
        request: &ScrapeRequest,
        replies: &[HttpReply],
    ) -> Result<Value, UpstreamError> {
        let Some(reply) = replies.last() else {
            return Err(self.invalid_response("gave no reply"));
        };
        let body = json_text::parse(&reply.body);
        if (200..300).contains(&reply.status) {
            return body.ok_or_else(|| self.not_json(request, reply));
        }
        let body = body.unwrap_or_else(|| Value::from(plain_text(&reply.body)));
        let error = ProviderError::read(&body);
        let mut verdict = error_body::judge(reply.status, &error);
        if verdict == Verdict::NO_PERMISSION && !body.is_object() {
            // Not the API but something before it that shows a page: no key would help.
            verdict = Verdict::new(Reason::Blocked, "answered with a page instead of data");
        }
        let final_word = reply.header("x-should-retry").is_some_and(|word| word == "false");
        if final_word && verdict.reason.retryable() {
            verdict.reason = given_up(verdict.reason);
        }
        let how = format!(" (HTTP {})", reply.status);
        let wait_ms = retry_after_ms(reply, &error.delay);
        Err(self.tell(request, verdict, &how, &error.message, wait_ms))
    }

    /// Returns the failure of a reply that should have been JSON. Bright Data says in plain text
    /// that an account is suspended.
    fn not_json(&self, request: &ScrapeRequest, reply: &HttpReply) -> UpstreamError {
        let error = ProviderError::read(&Value::from(plain_text(&reply.body)));
        let verdict = error_body::judge(reply.status, &error);
        if verdict == Verdict::NO_QUOTA {
            return self.tell(request, verdict, "", &error.message, None);
        }
        self.invalid_response("answered with something that is not JSON")
    }

    /// Returns the failure that a reply with status 200 holds in `body`.
    pub(crate) fn failure(&self, request: &ScrapeRequest, body: &Value) -> UpstreamError {
        let error = ProviderError::read(body);
        // Without a code, such a failure is the provider's own.
        let verdict = error_body::judge(error.status.unwrap_or(500), &error);
        self.tell(request, verdict, "", &error.message, None)
    }

    /// Returns a failure that the adapter has classified itself, with the provider's words for it.
    pub(crate) fn fail(
        &self,
        request: &ScrapeRequest,
        verdict: Verdict,
        message: &str,
    ) -> UpstreamError {
        self.tell(request, verdict, "", message, None)
    }

    /// Returns the failure of a reply of a shape that this provider does not speak.
    pub(crate) fn invalid_response(&self, phrase: &str) -> UpstreamError {
        UpstreamError::new(Reason::InvalidResponse, format!("{} {phrase}.", self.upstream))
    }

    /// Returns the failure of a reply that holds no answer.
    pub(crate) fn empty(&self) -> UpstreamError {
        UpstreamError::new(Reason::Empty, format!("{} gave an answer without text.", self.upstream))
    }

    /// Returns the failure of an answer that was cut short; `limit` is the provider's word for what
    /// cut it.
    pub(crate) fn incomplete(&self, limit: &str) -> UpstreamError {
        self.with_word(Reason::Incomplete, "cut its answer short", limit)
    }

    /// Returns the failure of an engine that declined; `why` is the provider's word for it, if
    /// there is one. What the engine wrote instead of an answer is left out: it is no reason.
    pub(crate) fn refused(&self, why: &str) -> UpstreamError {
        self.with_word(Reason::Refused, "declined to answer this prompt", why)
    }

    fn with_word(&self, reason: Reason, phrase: &'static str, word: &str) -> UpstreamError {
        let own = format!("{} {phrase}", self.upstream);
        let error = UpstreamError::new(reason, format!("{own}."));
        if word.is_empty() { error } else { error.quoting(format!("{own} ({word}).")) }
    }

    /// Returns the failure of a request whose place must be applied, and of which this part cannot
    /// be. Nothing was sent.
    pub(crate) fn place_unsupported(&self, part: &str) -> UpstreamError {
        let sentence = format!("{} cannot apply the {part} that is asked for.", self.upstream);
        UpstreamError::new(Reason::PlaceUnsupported, sentence)
    }

    /// Returns the one of a vendor's engines that `model` names.
    ///
    /// # Errors
    /// Returns an error if it names none of them; nothing was sent.
    pub(crate) fn engine<E: Copy>(&self, engines: &[(&str, E)]) -> Result<E, UpstreamError> {
        let named = engines.iter().find(|(name, _)| *name == self.model);
        named.map(|(_, engine)| *engine).ok_or_else(|| {
            let names: Vec<&str> = engines.iter().map(|(name, _)| *name).collect();
            self.model_unknown(&names.join(", "))
        })
    }

    /// Returns the failure of settings whose `model` is none of those that this kind knows. Nothing
    /// was sent.
    pub(crate) fn model_unknown(&self, known: &str) -> UpstreamError {
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
        let place = &request.location;
        let has_place = place.region.is_some() || place.city.is_some();
        // Which of the two it was, its words do not tell.
        let is_either = has_place && verdict.reason == Reason::CountryUnsupported;
        let verdict = if is_either { Verdict::NO_PLACE } else { verdict };
        let Verdict { reason, phrase, look_at, untold } = verdict;
        let sentence = |message: &str| {
            let mut sentence = format!("{} {phrase}", self.upstream);
            if reason == Reason::CountryUnsupported {
                sentence.push_str(&format!(" {}", request.country));
            }
            sentence.push_str(how);
            if !message.is_empty() {
                sentence.push_str(&format!(": {}", message.trim_end_matches('.')));
            }
            if !look_at.is_empty() {
                let section = &self.upstream;
                sentence.push_str(&format!("; look at `{look_at}` of [upstreams.{section}]"));
            }
            sentence.push('.');
            sentence
        };
        let wait_ms = wait_ms.filter(|_| reason.retryable());
        let error = UpstreamError::new(reason, sentence("")).retry_after_ms(wait_ms);
        let message = if untold { String::new() } else { self.quotable(message) };
        if message.is_empty() { error } else { error.quoting(sentence(&message)) }
    }

    /// Returns a provider's message as the job's owner may read it: short and on one line; empty
    /// if it is a page or holds the key.
    fn quotable(&self, message: &str) -> String {
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        if message.starts_with('<') || self.holds_key(&message) {
            return String::new();
        }
        match message.char_indices().nth(MESSAGE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default().trim_end()),
            None => message,
        }
    }

    /// Returns whether a message holds the key or a part of it, in any case and percent-encoded
    /// too.
    pub(super) fn holds_key(&self, message: &str) -> bool {
        self.secrets.are_in(message.as_bytes())
    }
}

/// Returns a body that is a sentence and no page; empty if it is none.
fn plain_text(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    if text.starts_with('<') || text.len() > PLAIN_TEXT_BYTES_MAX { "" } else { text }
}

/// The reason for a failure that the provider says is final though its kind usually is not.
fn given_up(reason: Reason) -> Reason {
    if reason == Reason::UpstreamRateLimited { Reason::Quota } else { Reason::BadRequest }
}

/// `login:password` in base64; a key without a colon is taken to be that already.
fn basic(key: &str) -> String {
    if key.contains(':') { BASE64_STANDARD.encode(key) } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::UpstreamKind;
    use crate::upstream::providers::test_support::{account, reply, request, settings};

    const OURS: &str = "test called the request invalid (HTTP 400).";

    /// The sentences for everybody and for the job's owner.
    fn sentences(message: &str) -> (String, String) {
        let body = json!({"error": {"message": message}});
        let error = account().read(&request(), &[reply(400, &[], &body)]).unwrap_err();
        (error.sentence.clone(), error.for_owner().to_owned())
    }

    #[test]
    fn a_providers_message_goes_to_the_owner_short_and_on_one_line() {
        let (ours, owners) = sentences("Unknown\n field `x`.");
        assert_eq!(ours, OURS);
        assert_eq!(owners, "test called the request invalid (HTTP 400): Unknown field `x`.");
        let (ours, long) = sentences(&"é ".repeat(400));
        assert_eq!(ours, OURS);
        assert!(long.chars().count() < MESSAGE_CHARS_MAX + 80 && long.contains('…'), "{long}");
        assert_eq!(sentences("<html>oops").1, OURS);
    }

    #[test]
    fn a_message_with_the_key_in_any_spelling_is_not_quoted() {
        for spelling in ["key-of-tests", "KEY-of-Tests", "key%2Dof%2dtests", "%6Bey-of-tests&x=1"] {
            let (ours, owners) = sentences(&format!("I saw {spelling} there."));
            assert_eq!((ours.as_str(), owners.as_str()), (OURS, OURS), "{spelling}");
        }
        let mut settings = settings(UpstreamKind::Dataforseo);
        settings.api_key = Some(Secret::new("login:password"));
        let shipped = Shipped { base_url: "x", model: "x", sign_in: SignIn::Basic };
        let account = Account::new(&settings, &shipped);
        for spelling in ["Password", "login%3Apassword", "bG9naW46cGFzc3dvcmQ="] {
            assert!(account.holds_key(spelling), "{spelling}");
        }
        assert!(!account.holds_key("Unknown field `x`."));
    }

    #[test]
    fn words_of_a_provider_are_the_owners() {
        let error = account().incomplete("which-ruby");
        assert_eq!(error.sentence, "test cut its answer short.");
        assert_eq!(error.for_owner(), "test cut its answer short (which-ruby).");
        let error = account().refused("which-ruby");
        assert_eq!(error.sentence, "test declined to answer this prompt.");
        assert_eq!(error.failure().sentence, "test declined to answer this prompt (which-ruby).");
        assert_eq!(account().refused("").for_owner(), "test declined to answer this prompt.");
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
