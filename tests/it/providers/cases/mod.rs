//! Cases of providers: data in folders beside this file. A case is what a scrape asks of an upstream
//! of a kind, what that says, and what comes of it. `README.md` tells how to add one.

pub(crate) mod pattern;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::server::{Provider, Says};
use crate::app::{App, Builder, encoded};

/// The planted key; of DataForSEO's form, which every other kind takes as well.
pub(crate) const KEY: &str = "planted-login:planted-password-5f1c";
/// What [`KEY`] is in an `authorization: Basic` header.
pub(crate) const KEY_BASIC: &str = "cGxhbnRlZC1sb2dpbjpwbGFudGVkLXBhc3N3b3JkLTVmMWM=";
/// A prompt with characters that every encoding on the way could spoil.
pub(crate) const PROMPT: &str =
    "Which Ruby is \"stable\"? 100 % naïve & <curious> + 🦀\nin two lines";

/// The files of a case.
const REQUEST: &str = "request.toml";
const REPLY: &str = "reply.json";
const EXPECTED: &str = "expected.json";
const ERRORS: &str = "errors.json";

/// A case as its folder has it.
#[derive(Clone)]
pub(crate) struct Case {
    /// The folder's name.
    pub name: String,
    pub scraper: String,
    pub country: String,
    pub prompt: String,
    /// Further parameters of the scrape, as the query writes them.
    parameters: Vec<(String, String)>,
    /// The upstream's section without its address and its key.
    upstream: toml::Table,
    /// What follows the server's address in `base_url`.
    base_path: String,
    /// What the provider says in one answer, in order.
    replies: Vec<Says>,
    /// What the provider must have heard, and the job that must follow.
    pub expected: Value,
    /// The sorts of cases that this one is of.
    pub shows: Vec<String>,
    /// What its kind can have no case of, each with the reason.
    pub lacks: BTreeMap<String, String>,
}

/// An error that a provider documents, and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentedError {
    pub status: u16,
    /// The body as JSON; left out where it is `text`.
    body: Option<Value>,
    text: Option<String>,
    pub error_code: String,
    /// What the job's sentence must contain.
    pub says: String,
    pub tried_again: bool,
}

impl DocumentedError {
    /// Returns the reply that it is.
    pub(crate) fn says(&self) -> Says {
        match (&self.body, &self.text) {
            (Some(body), None) => Says::json(self.status, body),
            (None, Some(text)) => Says::text(self.status, "text/plain", text.as_str()),
            _ => panic!("an error has a `body` or a `text`: {} {}", self.status, self.error_code),
        }
    }
}

/// `request.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    shows: Vec<String>,
    #[serde(default)]
    lacks: BTreeMap<String, String>,
    scraper: String,
    country: Option<String>,
    prompt: Option<String>,
    #[serde(default)]
    base_path: String,
    #[serde(default)]
    parameters: toml::Table,
    upstream: toml::Table,
    /// Status and headers of the replies that have others than 200 and none.
    #[serde(default)]
    replies: Vec<Head>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Head {
    status: Option<u16>,
    headers: BTreeMap<String, String>,
}

/// Returns every case, by name.
pub(crate) fn all() -> Vec<Case> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.iter().map(|folder| Case::read(folder)).collect()
}

/// Returns the case in the folder of that name.
pub(crate) fn named(name: &str) -> Case {
    Case::read(&root().join(name))
}

/// Returns the case of each kind that stands for it: the one in the folder with the kind's name.
pub(crate) fn every_kind() -> Vec<Case> {
    let mut kinds: Vec<String> = all().iter().map(|case| case.kind().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds.iter().map(|kind| named(kind)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/providers/cases")
}

fn read(folder: &Path, file: &str) -> Vec<u8> {
    let path = folder.join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    fn read(folder: &Path) -> Case {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let request = String::from_utf8(read(folder, REQUEST)).unwrap();
        let request: Request =
            toml::from_str(&request).unwrap_or_else(|error| panic!("{name}/{REQUEST}: {error}"));
        let mut expected: Value = serde_json::from_slice(&read(folder, EXPECTED))
            .unwrap_or_else(|error| panic!("{name}/{EXPECTED}: {error}"));
        let prompt = request.prompt.unwrap_or_else(|| PROMPT.to_owned());
        pattern::fill(
            &mut expected,
            &[("{prompt}", &prompt), ("{key}", KEY), ("{key in base64}", KEY_BASIC)],
        );
        let written = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let parameters = request.parameters.iter();
        Case {
            replies: replies(folder, &request.replies),
            name,
            scraper: request.scraper,
            country: request.country.unwrap_or_else(|| "US".to_owned()),
            prompt,
            parameters: parameters.map(|(name, value)| (name.clone(), written(value))).collect(),
            upstream: request.upstream,
            base_path: request.base_path,
            expected,
            shows: request.shows,
            lacks: request.lacks,
        }
    }

    /// Returns the word of its upstream's kind.
    pub(crate) fn kind(&self) -> &str {
        self.upstream["kind"].as_str().unwrap()
    }

    /// Returns the errors that its kind documents, which stand beside the case that stands for it.
    pub(crate) fn errors(&self) -> Vec<DocumentedError> {
        serde_json::from_slice(&read(&root().join(&self.name), ERRORS))
            .unwrap_or_else(|error| panic!("{}/{ERRORS}: {error}", self.name))
    }

    /// Returns the case with another setting of its upstream.
    pub(crate) fn setting(mut self, name: &str, value: impl Into<toml::Value>) -> Case {
        self.upstream.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the lines of config.toml that make `provider` an upstream of this kind.
    pub(crate) fn upstream(&self, name: &str, provider: &Provider) -> String {
        let mut section = self.upstream.clone();
        section.insert("base_url".to_owned(), provider.url(&self.base_path).into());
        section.insert("api_key_env".to_owned(), "PLANTED_KEY".into());
        let table = |name: &str, table| {
            toml::Table::from_iter([(name.to_owned(), toml::Value::Table(table))])
        };
        toml::to_string(&table("upstreams", table(name, section))).unwrap()
    }

    /// Returns a server whose scraper has this one upstream, called `local`.
    pub(crate) fn builder(&self, provider: &Provider) -> Builder {
        Builder::new()
            .env("PLANTED_KEY", KEY)
            .config(&self.upstream("local", provider))
            .config(&self.scraper("local"))
    }

    /// Returns the lines of config.toml that make an upstream the only one of the scraper.
    pub(crate) fn scraper(&self, upstream: &str) -> String {
        format!("[scrapers.{}]\nupstreams = [\"{upstream}\"]", self.scraper)
    }

    /// Returns what the provider says, in order.
    pub(crate) fn replies(&self) -> Vec<Says> {
        self.replies.clone()
    }

    /// Returns a provider that says its replies, and then that it failed.
    pub(crate) fn provider(&self) -> Provider {
        Provider::start(self.replies(), Says::json(500, &Value::Null))
    }

    /// Queues its scrape; returns the job's id.
    pub(crate) fn submit(&self, app: &App) -> String {
        self.submit_prompt(app, &self.prompt)
    }

    /// Queues its scrape with another prompt; returns the job's id.
    pub(crate) fn submit_prompt(&self, app: &App, prompt: &str) -> String {
        let mut path = format!(
            "/scrapers/{}/jobs?prompt={}&country={}",
            self.scraper,
            encoded(prompt),
            self.country
        );
        for (name, value) in &self.parameters {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
        app.post(&path).expect(202)["job_id"].as_str().unwrap().to_owned()
    }
}

/// The bodies of `reply.json`, or else of `reply-1.json` and those that follow; none where nothing is
/// sent.
fn replies(folder: &Path, heads: &[Head]) -> Vec<Says> {
    let numbered = (1..).map(|number| format!("reply-{number}.json"));
    let mut files: Vec<String> = numbered.take_while(|file| folder.join(file).exists()).collect();
    if folder.join(REPLY).exists() {
        files.push(REPLY.to_owned());
    }
    assert!(heads.len() <= files.len(), "{}: more heads than replies", folder.display());
    let mut heads = heads.iter();
    files
        .iter()
        .map(|file| {
            let default = Head::default();
            let head = heads.next().unwrap_or(&default);
            let status = head.status.unwrap_or(200);
            let says = Says::text(status, "application/json", read(folder, file));
            head.headers.iter().fold(says, |says, (name, value)| says.with(name, value))
        })
        .collect()
}
