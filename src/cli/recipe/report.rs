//! What `answerd recipe run` tells: the steps, the answer, and how its arrays are filled.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::{Answer, Source};
use crate::api::EvidenceStep;
use crate::cli::console::{Console, Style, printable};
use crate::cli::error::CommandError;
use crate::cli::exit_code::ExitCode;
use crate::upstream::UpstreamError;
use crate::upstream::browser::make_private;
use crate::upstream::evidence_capture::Evidence;

/// How many entries of an array are shown.
const ENTRIES_SHOWN_MAX: usize = 5;

/// One run of a recipe.
pub(crate) struct Run {
    pub recipe: String,
    pub answer: Result<Answer, UpstreamError>,
    pub evidence: Evidence,
    pub took: Duration,
}

/// Returns a step as one line, and a line for each element that could have been meant.
pub(crate) fn step_line(step: &EvidenceStep) -> String {
    let seconds = step.at_ms as f64 / 1000.0;
    let mut line = format!("{seconds:7.2} s {:>6} ms  {}", step.took_ms, step.name);
    if let Some(matched) = &step.matched {
        let alternative = step.alternative.as_deref().unwrap_or_default();
        line.push_str(&format!("  {matched}  ({alternative})"));
    }
    if let Some(note) = &step.note {
        line.push_str(&format!("  {note}"));
    }
    for nearest in &step.nearest {
        line.push_str(&format!("\n{:24}perhaps {nearest}", ""));
    }
    printable(&line)
}

impl Run {
    /// Prints the answer or why there is none.
    ///
    /// # Errors
    /// Returns an error if stdout cannot be written to.
    pub(crate) fn print(&self, console: &mut Console) -> Result<ExitCode, CommandError> {
        if console.is_json() {
            console.document(&self.document())?;
        } else {
            match &self.answer {
                Ok(answer) => console.result(&printable(&self.text(answer, console)))?,
                Err(error) => {
                    let code = error.reason.code();
                    let told = format!("{} ({code})", printable(error.for_owner()));
                    console.note(&console.err_styled().apply(Style::Bad, &told));
                }
            }
        }
        Ok(if self.answer.is_ok() { ExitCode::Done } else { ExitCode::Failed })
    }

    fn text(&self, answer: &Answer, console: &Console) -> String {
        let mut text = format!("{}\n", answer.markdown.trim_end());
        let heading = |name: &str, count: usize| {
            format!("\n{}\n", console.styled().apply(Style::Heading, &format!("{name} ({count})")))
        };
        let mut list = |name: &str, lines: Option<Vec<String>>| {
            let Some(lines) = lines else { return };
            text.push_str(&heading(name, lines.len()));
            for line in lines.iter().take(ENTRIES_SHOWN_MAX) {
                text.push_str(&format!("  {line}\n"));
            }
        };
        let pages = |pages: &Option<Vec<Source>>| {
            let line = |page: &Source| format!("{}  {}", page.title, page.url);
            pages.as_ref().map(|pages| pages.iter().map(line).collect())
        };
        list("sources", pages(&answer.sources));
        list("citations", pages(&answer.citations));
        list("x_results", pages(&answer.x_results));
        list("search_queries", answer.queries.clone());
        list("related_questions", answer.related_questions.clone());
        let products = answer.products.as_ref();
        list("products", products.map(|list| list.iter().map(|it| it.title.clone()).collect()));
        list("warnings", (!answer.warnings.is_empty()).then(|| answer.warnings.clone()));
        text.push_str(&format!("\n{:.2} s\n", self.took.as_secs_f64()));
        text
    }

    fn document(&self) -> Value {
        let error = self.answer.as_ref().err();
        json!({
            "ok": self.answer.is_ok(),
            "recipe": self.recipe,
            "took_seconds": self.took.as_secs_f64(),
            "url": self.evidence.url,
            "steps": self.evidence.steps,
            "answer": self.answer.as_ref().ok().map(shown),
            "error": error.map(UpstreamError::for_owner),
            "code": error.map(|error| error.reason.code()),
        })
    }

    /// Writes the steps, the screenshot and the page.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be made or written to.
    pub(crate) fn write_evidence(&self, folder: &Path) -> std::io::Result<()> {
        make_private(folder)?;
        let steps =
            serde_json::to_vec_pretty(&self.evidence.steps).map_err(std::io::Error::from)?;
        std::fs::write(folder.join("steps.json"), steps)?;
        if let Some(png) = &self.evidence.screenshot {
            std::fs::write(folder.join("screenshot.png"), png)?;
        }
        if let Some(html) = &self.evidence.html {
            std::fs::write(folder.join("page.html"), html)?;
        }
        Ok(())
    }
}

fn shown(answer: &Answer) -> Value {
    let pages = |pages: &Option<Vec<Source>>| {
        let page = |page: &Source| {
            json!({
                "url": page.url, "title": page.title, "snippet": page.snippet,
                "website_name": page.website_name, "favicon": page.favicon,
                "highlights": page.highlights,
            })
        };
        pages.as_ref().map(|pages| pages.iter().map(page).collect::<Vec<_>>())
    };
    let products = answer.products.as_ref().map(|products| {
        let product = |it: &crate::answer::Product| {
            json!({
                "asin": it.asin, "title": it.title, "url": it.url, "rating": it.rating,
                "reviews": it.reviews,
            })
        };
        products.iter().map(product).collect::<Vec<_>>()
    });
    let link = |link: &crate::answer::Link| json!({ "url": link.url, "text": link.text });
    json!({
        "text": answer.text,
        "markdown": answer.markdown,
        "model": answer.model,
        "url": answer.url,
        "links": answer.links.iter().map(link).collect::<Vec<_>>(),
        "sources": pages(&answer.sources),
        "citations": pages(&answer.citations),
        "x_results": pages(&answer.x_results),
        "search_queries": answer.queries,
        "related_questions": answer.related_questions,
        "products": products,
        "warnings": answer.warnings,
    })
}
