//! What the settings amount to: where the service listens, who may use it, where its data is, and
//! which scrapers are ready or what they lack.

use std::fmt::Write;
use std::net::SocketAddr;

use serde::Serialize;

use super::client::DEFAULT_URL;
use super::console::{Style, Styled};
use super::settings::Origin;
use super::table::{Audience, Cell, Column, Table};
use crate::config::{self, Settings};

/// Scrapers that lack something and are named at a start.
const NAMES_SHOWN_MAX: usize = 3;

/// The settings as an operator looks at them; serializes for `--json`.
#[derive(Serialize)]
pub(crate) struct StartupSummary {
    /// The file they come from.
    settings: String,
    listen: SocketAddr,
    /// The directory of the store, or the database that it is in.
    data: String,
    keys_needed: bool,
    /// The names of the keys.
    keys: Vec<String>,
    scrapers: Vec<Scraper>,
}

#[derive(Serialize)]
struct Scraper {
    name: String,
    ready: bool,
    /// What would make it ready, as a sentence.
    missing: Option<String>,
    upstreams: Vec<String>,
    workers: usize,
    credits: u32,
    refused_countries: Vec<String>,
}

impl StartupSummary {
    /// Summarizes settings. `listen` is the address that was bound, or will be.
    pub(crate) fn new(settings: &Settings, origin: &Origin, listen: SocketAddr) -> StartupSummary {
        let data = match &settings.store.shared {
            // It has no password.
            Some(store) => {
                format!("{}, schema {}, as the node {}", store.url, store.schema, store.node)
            }
            None => {
                let path = &settings.store.path;
                // Without a working directory a relative path is all there is to show.
                std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
        };
        let mut scrapers: Vec<Scraper> =
            settings.scrapers.values().map(|scraper| row(settings, scraper)).collect();
        scrapers.sort_by_key(|scraper| !scraper.ready);
        StartupSummary {
            settings: origin.to_string(),
            listen,
            data,
            keys_needed: settings.http.keys_needed,
            keys: settings.keys.iter().map(|key| key.name.clone()).collect(),
            scrapers,
        }
    }

    /// Returns a warning if everybody may submit. Harmless on loopback.
    pub(crate) fn unauthenticated_warning(&self) -> Option<String> {
        (!self.keys_needed).then(|| {
            let reach = if self.listen.ip().is_loopback() {
                "any local process".to_owned()
            } else {
                format!("anyone who can reach {}", self.listen)
            };
            format!(
                "running without authentication: {reach} can submit jobs and use your provider \
                 quota"
            )
        })
    }

    /// Returns ten lines at most for a start: the facts, which scrapers are ready, where people
    /// look, and what to do next. `base` is where the service is reached from this machine.
    pub(crate) fn lines(&self, base: &str, styled: Styled) -> String {
        let mut text = self.facts(styled);
        let named = |ready: bool| {
            let names = self.scrapers.iter().filter(|scraper| scraper.ready == ready);
            names.map(|scraper| scraper.name.as_str()).collect::<Vec<&str>>()
        };
        let (ready, missing) = (named(true), named(false));
        let shown = if ready.is_empty() {
            styled.apply(Style::Bad, "none")
        } else {
            styled.apply(Style::Good, &ready.join(", "))
        };
        fact(&mut text, styled, "ready", &shown);
        if !missing.is_empty() {
            let names = shortened(&missing);
            let told = format!("{names}: `answerd check` says what each of them lacks");
            fact(&mut text, styled, "not ready", &told);
        }
        fact(&mut text, styled, "dashboard", &format!("{base}/"));
        fact(&mut text, styled, "guide", &format!("{base}/docs"));
        // An engine that was given a key says more than the one that answers from the guide.
        if let Some(scraper) = ready.iter().find(|name| **name != "practice").or(ready.first()) {
            fact(&mut text, styled, "try", &self.first_command(scraper, base));
        }
        text
    }

    /// What asks a scraper for the first time, in another terminal.
    fn first_command(&self, scraper: &str, base: &str) -> String {
        let url = if base == DEFAULT_URL { String::new() } else { format!(" --url {base}") };
        let key = if self.keys_needed { "ANSWERD_API_KEY=YOUR-KEY " } else { "" };
        format!("{key}answerd submit {scraper} \"What is a job?\" --wait{url}")
    }

    /// Returns the facts and a table of all scrapers.
    pub(crate) fn table(&self, audience: Audience, styled: Styled) -> String {
        let mut table = Table::new(&[
            Column::word("scraper"),
            Column::word("state"),
            Column::number("workers"),
            Column::number("credits"),
            Column::text("upstreams"),
        ])
        .always_named();
        for scraper in &self.scrapers {
            let state = if scraper.ready {
                Cell::styled("ready", Style::Good)
            } else {
                Cell::styled("not ready", Style::Warning)
            };
            let cells: [Cell; 5] = [
                scraper.name.as_str().into(),
                state,
                scraper.workers.into(),
                scraper.credits.into(),
                scraper.upstreams.join(", ").into(),
            ];
            table.row_with_notes(cells, scraper.missing.iter().cloned().collect());
        }
        format!("{}\n{}", self.facts(styled), table.text(audience, styled))
    }

    fn facts(&self, styled: Styled) -> String {
        let keys = match (self.keys_needed, self.keys.as_slice()) {
            (true, names) => format!("needed; there are {}", names.join(", ")),
            (false, []) => {
                "not needed, none configured; `answerd keygen NAME` makes one".to_owned()
            }
            (false, names) => format!("not needed; there are {}", names.join(", ")),
        };
        let mut text = String::new();
        fact(&mut text, styled, "settings", &self.settings);
        fact(&mut text, styled, "listen", &self.listen.to_string());
        fact(&mut text, styled, "keys", &keys);
        fact(&mut text, styled, "data", &self.data);
        text
    }
}

/// Names for one line: the first few, and how many more there are.
fn shortened(names: &[&str]) -> String {
    match names.get(..NAMES_SHOWN_MAX) {
        Some(first) if names.len() > NAMES_SHOWN_MAX + 1 => {
            format!("{} and {} more", first.join(", "), names.len() - NAMES_SHOWN_MAX)
        }
        Some(_) | None => names.join(", "),
    }
}

fn row(settings: &Settings, scraper: &config::Scraper) -> Scraper {
    let missing = settings.missing(scraper);
    Scraper {
        name: scraper.name.clone(),
        ready: missing.is_none(),
        missing,
        upstreams: scraper.upstreams.clone(),
        workers: scraper.workers,
        credits: scraper.credits,
        refused_countries: scraper.refused_countries.clone(),
    }
}

/// Appends one line: a name in a column of its own, and what there is to say.
pub(crate) fn fact(text: &mut String, styled: Styled, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}  {value}", styled.apply(Style::Aside, &format!("{name:<9}")));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use std::path::PathBuf;

    use super::*;

    fn summary(pairs: &[(&str, &str)]) -> StartupSummary {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut settings = Settings::load_from(None, &pairs.collect::<BTreeMap<_, _>>()).unwrap();
        settings.store.path = PathBuf::from("/var/lib/answerd");
        settings
            .scrapers
            .retain(|name, _| ["practice", "chatgpt", "claude"].contains(&name.as_str()));
        StartupSummary::new(&settings, &Origin::Defaults, settings.http.bind)
    }

    #[test]
    fn a_start_says_in_a_few_lines_what_there_is() {
        insta::assert_snapshot!(summary(&[]).lines(DEFAULT_URL, Styled::PLAIN), @r#"
        settings   the built-in defaults
        listen     127.0.0.1:8080
        keys       not needed, none configured; `answerd keygen NAME` makes one
        data       /var/lib/answerd
        ready      practice
        not ready  chatgpt, claude: `answerd check` says what each of them lacks
        dashboard  http://127.0.0.1:8080/
        guide      http://127.0.0.1:8080/docs
        try        answerd submit practice "What is a job?" --wait
        "#);
    }

    #[test]
    fn a_start_names_an_engine_that_has_its_key() {
        let lines = summary(&[("OPENAI_API_KEY", "secret")]).lines(DEFAULT_URL, Styled::PLAIN);
        let tried = "try        answerd submit chatgpt \"What is a job?\" --wait\n";
        assert!(lines.ends_with(tried), "{lines}");
    }

    #[test]
    fn many_names_are_shortened() {
        assert_eq!(shortened(&["a", "b", "c", "d"]), "a, b, c, d");
        assert_eq!(shortened(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn a_check_shows_a_table() {
        let summary = summary(&[("ANTHROPIC_API_KEY", "secret")]);
        insta::assert_snapshot!(summary.table(Audience::Terminal { columns: 80, now_ms: 0 }, Styled::PLAIN), @r"
    settings   the built-in defaults
    listen     127.0.0.1:8080
    keys       not needed, none configured; `answerd keygen NAME` makes one
    data       /var/lib/answerd

    scraper   state      workers  credits  upstreams
    claude    ready            8        3  anthropic
    practice  ready            8        3  practice
    chatgpt   not ready        8        3  openai, searchapi_chatgpt
              set the variable OPENAI_API_KEY for [upstreams.openai], or set the
              variable SEARCHAPI_API_KEY for [upstreams.searchapi_chatgpt]
    ");
        assert!(!serde_json::to_string(&summary).unwrap().contains("secret"));
    }

    #[test]
    fn an_open_door_is_told_and_whom_it_is_open_to() {
        insta::assert_snapshot!(summary(&[]).unauthenticated_warning().unwrap(), @"running without authentication: any local process can submit jobs and use your provider quota");
        let open = [("ANSWERD_HTTP__BIND", "0.0.0.0:80"), ("ANSWERD_HTTP__AUTH", "open")];
        assert!(
            summary(&open)
                .unauthenticated_warning()
                .unwrap()
                .contains("anyone who can reach 0.0.0.0:80")
        );
    }
}
