//! The kinds of providers as the tests know them: how one is configured, what a scrape makes it hear,
//! what it says, and the result that follows.

mod apis;
mod chat;
mod responses;
mod serp;

pub use apis::{anthropic, deepseek, gemini, mistral};
pub use chat::{compatible, openrouter, sonar_gateway};
pub use responses::{azure, openai, perplexity, xai, xai_of_2025};
pub use serp::{
    dataforseo, dataforseo_chatgpt, searchapi_ai_mode, searchapi_chatgpt, searchapi_perplexity,
    serpapi, serpapi_products,
};

use serde_json::Value;

use super::server::{Asked, Provider, Says};
use crate::app::{App, Builder, encoded};

/// The planted key; of DataForSEO's form, which every other kind takes as well.
pub const KEY: &str = "planted-login:planted-password-5f1c";
/// What [`KEY`] is in an `authorization: Basic` header.
pub const KEY_BASIC: &str = "cGxhbnRlZC1sb2dpbjpwbGFudGVkLXBhc3N3b3JkLTVmMWM=";
/// A prompt with characters that every encoding on the way could spoil.
pub const PROMPT: &str = "Which Ruby is \"stable\"? 100 % naïve & <curious> + 🦀\nin two lines";

pub struct Case {
    pub name: &'static str,
    pub scraper: &'static str,
    pub kind: &'static str,
    /// What follows the server's address in `base_url`.
    pub base_path: &'static str,
    /// Further lines of its section.
    pub settings: &'static str,
    pub country: &'static str,
    pub sent: Sent,
    /// Its replies in one answer, in order.
    pub says: Vec<Value>,
    /// The fields of the result object that this kind decides.
    pub result: Value,
}

/// What the first request must look like.
pub struct Sent {
    pub method: &'static str,
    pub path: &'static str,
    pub key: Key,
    /// Where in the JSON, or under which name of the query, the prompt stands.
    pub prompt: &'static str,
    /// The same of the country, and how it is written there.
    pub country: (&'static str, Value),
}

/// How the key is sent.
pub enum Key {
    Bearer,
    Basic,
    Header(&'static str),
    Query(&'static str),
}

/// The official APIs, and those who speak like them.
pub fn apis() -> Vec<Case> {
    vec![
        openai(),
        azure(),
        perplexity(),
        sonar_gateway(),
        gemini(),
        xai(),
        xai_of_2025(),
        anthropic(),
        deepseek(),
        mistral(),
        compatible(),
        openrouter(),
    ]
}

/// The SERP vendors.
pub fn vendors() -> Vec<Case> {
    vec![
        searchapi_chatgpt(),
        searchapi_perplexity(),
        searchapi_ai_mode(),
        serpapi(),
        serpapi_products(),
        dataforseo(),
        dataforseo_chatgpt(),
    ]
}

pub fn every_kind() -> Vec<Case> {
    apis().into_iter().chain(vendors()).collect()
}

impl Case {
    /// The lines of config.toml that make `provider` an upstream of this kind.
    pub fn upstream(&self, name: &str, provider: &Provider) -> String {
        format!(
            "[upstreams.{name}]\nkind = \"{}\"\nbase_url = \"{}\"\napi_key_env = \"PLANTED_KEY\"\n{}\n",
            self.kind,
            provider.url(self.base_path),
            self.settings
        )
    }

    /// A server whose scraper has this one upstream, called `local`.
    pub fn builder(&self, provider: &Provider) -> Builder {
        Builder::new()
            .env("PLANTED_KEY", KEY)
            .config(&self.upstream("local", provider))
            .config(&format!("[scrapers.{}]\nupstreams = [\"local\"]", self.scraper))
    }

    /// What it says, as replies.
    pub fn replies(&self) -> Vec<Says> {
        self.says.iter().map(|body| Says::json(200, body)).collect()
    }

    /// Queues the prompt; gives the job's id.
    pub fn submit(&self, app: &App) -> String {
        self.submit_prompt(app, PROMPT)
    }

    pub fn submit_prompt(&self, app: &App, prompt: &str) -> String {
        let path = format!(
            "/scrapers/{}/jobs?prompt={}&country={}",
            self.scraper,
            encoded(prompt),
            self.country
        );
        app.post(&path).expect(202)["job_id"].as_str().unwrap().to_owned()
    }
}

impl Sent {
    /// Checks the first request for a prompt in a country.
    #[track_caller]
    pub fn check(&self, asked: &Asked, name: &str) {
        assert_eq!((asked.method.as_str(), asked.path()), (self.method, self.path), "{name}");
        let at = |place: &str| match self.method {
            "GET" => asked.query().get(place).map_or(Value::Null, |value| value.as_str().into()),
            _ => asked.json().pointer(place).cloned().unwrap_or_default(),
        };
        // DataForSEO decodes what it is sent as if it were an address.
        let prompt = match self.key {
            Key::Basic => PROMPT.replace('%', "%25").replace('+', "%2B"),
            Key::Bearer | Key::Header(_) | Key::Query(_) => PROMPT.to_owned(),
        };
        assert_eq!(at(self.prompt), prompt.as_str(), "{name}");
        assert_eq!(at(self.country.0), self.country.1, "{name}: {asked:?}");

        let header = |header: &str| asked.headers.get(header).map_or("", String::as_str);
        match self.key {
            Key::Bearer => assert_eq!(header("authorization"), format!("Bearer {KEY}"), "{name}"),
            Key::Basic => {
                assert_eq!(header("authorization"), format!("Basic {KEY_BASIC}"), "{name}");
            }
            Key::Header(of_key) => {
                assert_eq!((header(of_key), header("authorization")), (KEY, ""), "{name}");
            }
            Key::Query(of_key) => assert_eq!(asked.query()[of_key], KEY, "{name}"),
        }
        if !matches!(self.key, Key::Query(_)) {
            assert!(!asked.target.contains("planted"), "{name}: {}", asked.target);
        }
    }
}

/// The characters from the beginning of `part` in `text` to its end, as OpenAI counts them.
pub fn characters_of(part: &str, text: &str) -> (usize, usize) {
    let (before, _) = text.split_once(part).unwrap();
    let start = before.chars().count();
    (start, start + part.chars().count())
}
