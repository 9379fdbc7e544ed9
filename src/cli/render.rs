//! A job as text for people.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::console::{Style, Styled, printable};
use super::table::Cell;
use crate::api::{JobPhase, JobStatus, JobView};

/// How much of a prompt is shown above its answer, characters.
const PROMPT_CHARS_MAX: usize = 72;

/// The arrays of a result that list pages. The first that holds any is shown: the others of the
/// same result repeat it (contract 1.6).
const PAGE_ARRAYS: [&str; 7] =
    ["sources", "citations", "web_sources", "search_results", "links", "x_results", "products"];

/// A job object: what commands look at, and the whole of it as it came.
#[derive(Clone, Debug)]
pub(crate) struct ShownJob {
    pub view: JobView<'static, ShownAnswer>,
    pub document: Value,
}

/// The parts of a result object that are shown.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ShownAnswer {
    pub result: String,
    pub result_markdown: String,
    pub llm_model: Option<String>,
    #[serde(default)]
    pub credits_used: u64,
    #[serde(default)]
    pub elapsed_ms: f64,
    #[serde(default)]
    pub cached: bool,
    #[serde(default)]
    pub markdown_url: String,
}

impl ShownJob {
    /// Reads a job object.
    ///
    /// # Errors
    /// Returns an error if it is not a job object.
    pub(crate) fn read(document: Value) -> Result<ShownJob, serde_json::Error> {
        let view = JobView::deserialize(&document)?;
        Ok(ShownJob { view, document })
    }

    /// Returns whether it will not change any more.
    pub(crate) fn is_finished(&self) -> bool {
        match self.view.status {
            JobStatus::Pending => false,
            JobStatus::Done | JobStatus::Failed => true,
        }
    }

    /// Returns one line for people who wait.
    pub(crate) fn progress(&self) -> String {
        let attempts = self.view.attempts;
        match (self.view.status, self.view.phase) {
            (JobStatus::Done, _) => "done".to_owned(),
            (JobStatus::Failed, _) => "failed".to_owned(),
            (JobStatus::Pending, JobPhase::Queued) => {
                "queued: on disk, waiting for a worker".to_owned()
            }
            (JobStatus::Pending, JobPhase::Running) => format!("running: attempt {attempts}"),
            (JobStatus::Pending, JobPhase::WaitingRetry) => {
                format!("waiting to try again: attempt {attempts} failed")
            }
            (JobStatus::Pending, JobPhase::Finished | JobPhase::Unknown) => "pending".to_owned(),
        }
    }

    /// Returns the whole job as text: what was asked, how it went, the answer, its pages.
    pub(crate) fn text(&self, styled: Styled) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "{}  {}", styled.apply(Style::Aside, &format!("{name:<6}")), value);
        };
        line("job", &printable(&self.view.job_id.0));
        line("status", &self.status_text(styled));
        line(
            "asked",
            &format!("{} ({})", printable(&self.view.scraper), printable(&self.view.country)),
        );
        line("prompt", &shortened(&self.view.prompt));
        let Some(answer) = &self.view.result else { return text };
        if let Some(model) = &answer.llm_model {
            line("model", &printable(model));
        }
        if !answer.markdown_url.is_empty() {
            line("link", &printable(&answer.markdown_url));
        }
        let _ = write!(text, "\n{}\n", printable(answer.result.trim()));
        text.push_str(&self.pages(styled));
        text
    }

    /// Returns its status for a list.
    pub(crate) fn status_cell(&self) -> Cell {
        match self.view.status {
            JobStatus::Pending => Cell::styled("pending", Style::Warning),
            JobStatus::Done => Cell::styled("done", Style::Good),
            JobStatus::Failed => Cell::styled("failed", Style::Bad),
        }
    }

    fn status_text(&self, styled: Styled) -> String {
        match self.view.status {
            JobStatus::Pending => styled.apply(Style::Warning, &self.progress()),
            JobStatus::Failed => {
                let sentence = self.view.error.as_deref().unwrap_or("no reason was given");
                let code = self.view.error_code.as_ref().map(|code| format!(" ({code})"));
                let told = printable(&(sentence.to_owned() + code.unwrap_or_default().as_str()));
                format!("{}: {told}", styled.apply(Style::Bad, "failed"))
            }
            JobStatus::Done => {
                let done = styled.apply(Style::Good, "done");
                let Some(answer) = &self.view.result else { return done };
                let how = if answer.cached {
                    "from the cache".to_owned()
                } else {
                    format!("in {}", duration(answer.elapsed_ms))
                };
                let attempts = match self.view.attempts {
                    attempts @ 2.. => format!(", {attempts} attempts"),
                    0 | 1 => String::new(),
                };
                format!("{done} {how}{attempts}, {} credits", answer.credits_used)
            }
        }
    }

    fn pages(&self, styled: Styled) -> String {
        let of = |name| self.document["result"][name].as_array().filter(|pages| !pages.is_empty());
        let Some((name, pages)) =
            PAGE_ARRAYS.iter().find_map(|name| of(*name).map(|pages| (name, pages)))
        else {
            return String::new();
        };
        let mut text = format!("\n{}\n", styled.apply(Style::Heading, &name.replace('_', " ")));
        for (at, page) in pages.iter().enumerate() {
            let field = |name| page[name].as_str().map(str::trim).unwrap_or_default();
            let title = [field("title"), field("text"), field("url")]
                .into_iter()
                .find(|title| !title.is_empty())
                .unwrap_or_default();
            let _ = writeln!(text, "{:>3}  {}", at + 1, printable(title).replace('\n', " "));
            let url = printable(field("url"));
            if !url.is_empty() && url != title {
                let _ = writeln!(text, "     {}", styled.apply(Style::Aside, &url));
            }
        }
        text
    }
}

/// The first line of a prompt, cut where it gets long.
fn shortened(prompt: &str) -> String {
    let prompt = printable(prompt);
    let first = prompt.trim().lines().next().unwrap_or_default();
    let mut short: String = first.chars().take(PROMPT_CHARS_MAX).collect();
    if short.len() < prompt.trim().len() {
        short.push('…');
    }
    short
}

fn duration(elapsed_ms: f64) -> String {
    if elapsed_ms < 1_000.0 {
        format!("{elapsed_ms:.0} ms")
    } else {
        format!("{:.1} s", elapsed_ms / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pending() -> Value {
        json!({
            "job_id": "6f1c", "status": "pending", "scraper": "chatgpt", "prompt": "What?\nAnd why?",
            "country": "US", "created_at": "2026-05-11T12:00:00+00:00", "completed_at": null,
        })
    }

    fn done() -> Value {
        let mut job = pending();
        job["status"] = json!("done");
        job["attempts"] = json!(2);
        job["result"] = json!({
            "result": "An answer.\u{1b}[2J\n", "result_markdown": "*An* answer.", "sources": [],
            "links": [
                {"url": "https://a.example/", "text": "A\npage"},
                {"url": "https://b.example/", "text": ""},
            ],
            "search_queries": ["what"], "llm_model": "some-model", "credits_used": 3,
            "elapsed_ms": 1234.5, "cached": false, "markdown_url": "http://host/md/6f1c.md",
        });
        job
    }

    fn text(document: Value) -> String {
        ShownJob::read(document).unwrap().text(Styled::PLAIN)
    }

    #[test]
    fn a_finished_job_shows_its_answer_and_pages() {
        insta::assert_snapshot!(text(done()), @r"
    job     6f1c
    status  done in 1.2 s, 2 attempts, 3 credits
    asked   chatgpt (US)
    prompt  What?…
    model   some-model
    link    http://host/md/6f1c.md

    An answer.[2J

    links
      1  A page
         https://a.example/
      2  https://b.example/
    ");
    }

    #[test]
    fn a_cached_answer_says_so() {
        let mut job = done();
        job["result"]["cached"] = json!(true);
        job["result"]["credits_used"] = json!(0);
        assert!(text(job).contains("done from the cache, 2 attempts, 0 credits"));
    }

    #[test]
    fn a_failed_job_shows_why() {
        let mut job = pending();
        job["status"] = json!("failed");
        job["error"] = json!("The key was refused.");
        job["error_code"] = json!("upstream_auth");
        insta::assert_snapshot!(text(job), @r"
    job     6f1c
    status  failed: The key was refused. (upstream_auth)
    asked   chatgpt (US)
    prompt  What?…
    ");
    }

    #[test]
    fn progress_names_the_phase_where_the_server_tells_it() {
        let progress = |phase: Value| {
            let mut job = pending();
            job["phase"] = phase;
            job["attempts"] = json!(1);
            ShownJob::read(job).unwrap().progress()
        };
        assert_eq!(progress(json!("queued")), "queued: on disk, waiting for a worker");
        assert_eq!(progress(json!("running")), "running: attempt 1");
        assert_eq!(progress(json!("waiting_retry")), "waiting to try again: attempt 1 failed");
        assert_eq!(progress(json!("a later word")), "pending");
        assert_eq!(ShownJob::read(pending()).unwrap().progress(), "pending");
    }

    #[test]
    fn what_is_no_job_is_refused() {
        let mut job = pending();
        job["status"] = json!("queued");
        assert!(ShownJob::read(job).is_err());
        assert!(ShownJob::read(json!({})).is_err());
        assert!(ShownJob::read(json!([])).is_err());
    }
}
