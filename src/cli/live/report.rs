//! What a live check found: a table for people, a document for programs.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::cli::console::{Style, printable};
use crate::cli::table::{Cell, Column, Table};
use crate::config::Upstream;
use crate::job::Reason;
use crate::upstream::UpstreamError;

/// The outcome of a call to one upstream.
pub(crate) struct Trial {
    upstream: String,
    kind: &'static str,
    /// As the answer names it, else as it is configured; empty for the kind's default.
    model: String,
    pub(super) outcome: Outcome,
    /// What the provider's list says of the models that are configured.
    pub(super) model_warnings: Vec<String>,
}

pub(crate) enum Outcome {
    Answered { seconds: f64, answer: Box<Answer> },
    Failed { seconds: f64, error: UpstreamError },
    NotReady { missing: String },
    Skipped,
}

impl Outcome {
    /// The word for programs and its form for people.
    const fn word(&self) -> &'static str {
        match self {
            Outcome::Answered { .. } => "answered",
            Outcome::Failed { .. } => "failed",
            Outcome::NotReady { .. } => "not_ready",
            Outcome::Skipped => "skipped",
        }
    }

    const fn style(&self) -> Style {
        match self {
            Outcome::Answered { .. } => Style::Good,
            Outcome::Failed { .. } => Style::Bad,
            Outcome::NotReady { .. } => Style::Warning,
            Outcome::Skipped => Style::Aside,
        }
    }
}

/// The outcomes of all upstreams.
pub(crate) struct Report {
    /// In the order of their names; those that were called come first.
    pub(super) trials: Vec<Trial>,
}

/// The lists of an answer by their columns; `None` where the upstream cannot give the list.
fn fields(answer: &Answer) -> [(&'static str, Option<usize>); 5] {
    [
        ("queries", answer.queries.as_ref().map(Vec::len)),
        ("sources", answer.sources.as_ref().map(Vec::len)),
        ("citations", answer.citations.as_ref().map(Vec::len)),
        ("related", answer.related_questions.as_ref().map(Vec::len)),
        ("products", answer.products.as_ref().map(Vec::len)),
    ]
}

impl Report {
    /// Creates a report. Those that were called come first.
    pub(crate) fn new(trials: Vec<Trial>) -> Report {
        Report { trials }
    }

    /// Returns whether every upstream that was called has answered.
    pub(crate) fn all_answered(&self) -> bool {
        self.count("failed") == 0
    }

    /// Returns the counts of all outcomes, in a line.
    pub(crate) fn summary(&self) -> String {
        if self.count("answered") + self.count("failed") == 0 {
            return "no upstream was called: none is ready".to_owned();
        }
        format!(
            "{} answered, {} failed, {} not ready",
            self.count("answered"),
            self.count("failed"),
            self.count("not_ready")
        )
    }

    fn count(&self, word: &str) -> usize {
        self.trials.iter().filter(|trial| trial.outcome.word() == word).count()
    }

    /// Returns the report for programs.
    pub(crate) fn document(&self) -> Value {
        self.trials.iter().map(Trial::document).collect()
    }

    /// Returns the report for people: a row for each upstream, and below it what there is to say.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(&[
            Column::word("upstream"),
            Column::word("kind"),
            Column::word("state"),
            Column::text("model"),
            Column::number("seconds"),
            Column::number("queries"),
            Column::number("sources"),
            Column::number("citations"),
            Column::number("related"),
            Column::number("products"),
        ])
        .always_named();
        for trial in &self.trials {
            let of_models = trial.model_warnings.iter().map(|warning| one_line(warning));
            table.row_with_notes(
                trial.cells(),
                trial.remarks().into_iter().chain(of_models).collect(),
            );
        }
        table
    }
}

impl Trial {
    /// Creates the trial of the upstream `configured`.
    pub(crate) fn new(configured: &Upstream, outcome: Outcome) -> Trial {
        let named = match &outcome {
            Outcome::Answered { answer, .. } => answer.model.clone(),
            Outcome::Failed { .. } | Outcome::NotReady { .. } | Outcome::Skipped => None,
        };
        Trial {
            upstream: configured.name.clone(),
            kind: configured.kind.word(),
            model: named.unwrap_or_else(|| configured.model.clone()),
            outcome,
            model_warnings: Vec::new(),
        }
    }

    fn document(&self) -> Value {
        let mut document = json!({
            "upstream": self.upstream,
            "kind": self.kind,
            "model": (!self.model.is_empty()).then_some(&self.model),
            "state": self.outcome.word(),
        });
        match &self.outcome {
            Outcome::Answered { seconds, answer } => {
                document["seconds"] = json!(seconds);
                for (name, count) in fields(answer) {
                    document["fields"][name] = json!(count);
                }
                document["answer"] = json!(answer.text);
                document["warnings"] = json!(answer.warnings);
            }
            Outcome::Failed { seconds, error } => {
                document["seconds"] = json!(seconds);
                document["detail"] = json!(error.for_owner());
                document["code"] = json!(error.reason.code());
                document["advice"] = json!(advice(error.reason, &self.upstream));
            }
            Outcome::NotReady { missing } => document["missing"] = json!(missing),
            Outcome::Skipped => {}
        }
        if !self.model_warnings.is_empty() {
            document["model_warnings"] = json!(self.model_warnings);
        }
        document
    }

    fn cells(&self) -> Vec<Cell> {
        let model = if self.model.is_empty() { "-" } else { &self.model };
        let state = Cell::styled(self.outcome.word().replace('_', " "), self.outcome.style());
        let mut cells: Vec<Cell> =
            vec![self.upstream.as_str().into(), self.kind.into(), state, model.into()];
        match &self.outcome {
            Outcome::Answered { seconds, answer } => {
                cells.push(format!("{seconds:.1}").into());
                let count = |count: Option<usize>| count.map_or("-".into(), Cell::from);
                cells.extend(fields(answer).into_iter().map(|(_, found)| count(found)));
            }
            Outcome::Failed { seconds, .. } => cells.push(format!("{seconds:.1}").into()),
            Outcome::NotReady { .. } | Outcome::Skipped => {}
        }
        cells
    }

    /// What there is to say below the row.
    fn remarks(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Answered { answer, .. } => {
                answer.warnings.iter().map(|warning| one_line(warning)).collect()
            }
            Outcome::Failed { error, .. } => {
                let what = format!("{} ({})", one_line(error.for_owner()), error.reason.code());
                [what].into_iter().chain(advice(error.reason, &self.upstream)).collect()
            }
            Outcome::NotReady { missing } => vec![one_line(missing)],
            Outcome::Skipped => {
                vec!["it is part of the service; `answerd demo` shows it answer".to_owned()]
            }
        }
    }
}

/// Returns what to do about a failure, where its own sentence leaves that open.
fn advice(reason: Reason, upstream: &str) -> Option<String> {
    let advice = reason.info().advice;
    let section = format!("[upstreams.{upstream}]");
    (!advice.is_empty()).then(|| advice.replace("{section}", &section))
}

fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}
