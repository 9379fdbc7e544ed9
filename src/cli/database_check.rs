//! What `answerd check` says of the database that processes share.

use serde_json::{Value, json};

use super::console::{Styled, printable};
use super::startup_summary::fact;
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::{DatabaseReport, OpenOptions, StandbyReport, Store};

/// A look at the database; nothing where the store is a file.
#[derive(Default)]
pub(super) struct DatabaseCheck(Option<DatabaseReport>);

impl DatabaseCheck {
    /// Looks at the database of the settings.
    pub(super) fn run(settings: &Settings) -> DatabaseCheck {
        let found = Store::inspect(&OpenOptions::of(settings, &Clock::System));
        DatabaseCheck(found.unwrap_or_else(|error| {
            let problems = vec![error.to_string()];
            Some(DatabaseReport { problems, ..DatabaseReport::default() })
        }))
    }

    /// Returns the reasons why a start would be refused.
    pub(super) fn problems(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |report| &report.problems)
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.0.as_ref().map_or_else(Vec::new, |report| report.warnings.clone())
    }

    /// Adds what was found to the document of the command.
    pub(super) fn add_to(&self, document: &mut Value) {
        let Some(report) = &self.0 else { return };
        let standby = |standby: &StandbyReport| {
            let StandbyReport { name, state, lag_ms } = standby;
            json!({ "name": name, "state": state, "lag_ms": lag_ms })
        };
        let DatabaseReport { server_version, schema, schema_version, nodes, .. } = report;
        document["database"] = json!({
            "server_version": server_version,
            "schema": schema,
            "schema_version": schema_version,
            "standbys": report.standbys.iter().map(standby).collect::<Vec<_>>(),
            "clock_ahead_ms": report.clock_ahead_ms,
            "nodes": nodes,
            "problems": report.problems,
        });
    }

    /// Returns what people are shown; `None` if the database has not answered.
    pub(super) fn text(&self, styled: Styled) -> Option<String> {
        let report = self.0.as_ref().filter(|report| !report.server_version.is_empty())?;
        let tables = match report.schema_version {
            Some(version) => format!("{}, tables of version {version}", report.schema),
            None if report.problems.is_empty() => {
                format!("{}, whose tables the first start makes", report.schema)
            }
            None => report.schema.clone(),
        };
        let standbys: Vec<String> = report.standbys.iter().map(standby_text).collect();
        let list = |items: &[String]| match items {
            [] => "none".to_owned(),
            items => items.join(", "),
        };
        let mut text = String::new();
        let mut add = |name, value: &str| fact(&mut text, styled, name, &printable(value));
        add("database", &format!("PostgreSQL {}", report.server_version));
        add("schema", &tables);
        add("standbys", &list(&standbys));
        if let Some(ahead_ms) = report.clock_ahead_ms {
            let way = if ahead_ms < 0 { "behind" } else { "ahead of" };
            add("clock", &format!("{} ms {way} this machine's", ahead_ms.unsigned_abs()));
        }
        add("nodes", &list(&report.nodes));
        Some(text.trim_end().to_owned())
    }
}

fn standby_text(standby: &StandbyReport) -> String {
    let lag = standby.lag_ms.map_or_else(String::new, |lag_ms| format!(", {lag_ms} ms behind"));
    format!("{} ({}{lag})", standby.name, standby.state)
}
