//! A table of failures: providers that say something else than an answer, all upstreams of one
//! server, and what each of their jobs must end with.

use serde_json::Value;

use super::cases::{Case, KEY, PROMPT};
use super::server::{Provider, Says};
use crate::app::{App, Builder};

/// How often a job is tried here.
const ATTEMPTS: usize = 3;

/// What a job must end with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a> {
    code: &'a str,
    /// How many requests the provider got.
    asked: usize,
    /// What the sentence must contain.
    says: &'a str,
}

pub(crate) const fn at_once<'a>(code: &'a str, says: &'a str) -> Ends<'a> {
    Ends { code, asked: 1, says }
}

/// After every attempt that there is.
pub(crate) const fn in_the_end<'a>(code: &'a str, says: &'a str) -> Ends<'a> {
    Ends { code, asked: ATTEMPTS, says }
}

/// The rows so far, each a provider with an upstream and a scraper of its own.
#[derive(Default)]
pub(crate) struct Table<'a> {
    config: String,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    name: String,
    country: String,
    provider: Provider,
    ends: Ends<'a>,
}

impl<'a> Table<'a> {
    /// A provider of a kind that says the same to every request.
    pub(crate) fn row(&mut self, what: &str, case: &Case, says: Says, ends: Ends<'a>) {
        let number = self.rows.len();
        let name = format!("{} {what}", case.name);
        let provider = Provider::always(says);
        self.config.push_str(&case.upstream(&format!("local-{number}"), &provider));
        self.config.push_str(&format!(
            "[scrapers.row-{number}]\nupstreams = [\"local-{number}\"]\nworkers = 1\n"
        ));
        self.rows.push(Row { name, country: case.country.clone(), provider, ends });
    }

    /// Runs a job for every row, all at once.
    #[track_caller]
    pub(crate) fn check(self) {
        let app = Builder::new()
            .env("PLANTED_KEY", KEY)
            .config(&self.config)
            .set("RETRY__RETRIES", ATTEMPTS - 1)
            .set("RETRY__BACKOFF_MS", 1)
            .start();
        let rows = self.rows.iter().enumerate();
        let ids: Vec<String> = rows.map(|(number, row)| submit(&app, number, row)).collect();
        let rows = self.rows.iter().zip(ids);
        let wrong: Vec<String> =
            rows.filter_map(|(row, id)| row.difference(&app.ended(&id))).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

impl Row<'_> {
    /// Returns how a job has ended otherwise than it must, if it has.
    fn difference(&self, job: &Value) -> Option<String> {
        let Row { name, ends, .. } = self;
        let sentence = job["error"].as_str().unwrap_or_default();
        let asked = self.provider.asked().len();
        let as_expected = job["status"] == "failed"
            && job["error_code"] == ends.code
            && asked == ends.asked
            && job["attempts"] == ends.asked
            && sentence.contains(ends.says)
            && !private_parts().any(|part| sentence.contains(part));
        let found = || format!("{name}: {ends:?}, but asked {asked} times: {job}");
        (!as_expected).then(found)
    }
}

fn submit(app: &App, number: usize, row: &Row<'_>) -> String {
    let prompt = crate::app::encoded(PROMPT);
    let path = format!("/scrapers/row-{number}/jobs?prompt={prompt}&country={}", row.country);
    app.post(&path).expect(202)["job_id"].as_str().unwrap().to_owned()
}

/// What no sentence may hold, not even the owner's: the key or a half of it, an address.
fn private_parts() -> impl Iterator<Item = &'static str> {
    KEY.split(':').chain(["127.0.0.1"])
}
