//! What the practice page answers with, and the question that it is asked.

use std::sync::Arc;

use actix_web::error::BlockingError;
use actix_web::web;

use crate::clock::Clock;
use crate::practice::{Engine, PracticeAnswer, QUESTION_CHARS_MAX};

/// The engine and the clock of the handlers.
pub(crate) struct PracticeState {
    pub engine: Arc<Engine>,
    pub clock: Clock,
}

/// The reason why a question has no answer.
pub(crate) enum Refusal {
    QuestionMissing,
    QuestionTooLong { chars: usize },
    ToldToFail { question: String },
    Stopping(BlockingError),
}

impl PracticeState {
    /// Answers the question of a query and renders the answer, on a thread that may take its time.
    ///
    /// # Errors
    /// Returns an error if there is no question, or if it shall have no answer.
    pub(crate) async fn answered<T: Send + 'static>(
        &self,
        query: &str,
        render: fn(&str, &PracticeAnswer) -> T,
    ) -> Result<T, Refusal> {
        let question = question(query)?;
        let fails = self.engine.fails_next();
        if self.engine.latency_ms() > 0 {
            let until_ms = self.clock.now_ms().saturating_add(self.engine.latency_ms());
            self.clock.sleep_until(until_ms).await;
        }
        if fails {
            return Err(Refusal::ToldToFail { question });
        }
        let engine = self.engine.clone();
        let work = move || render(&question, &engine.answer(&question));
        web::block(work).await.map_err(Refusal::Stopping)
    }
}

/// Returns the parameter `q` of a query.
fn question(query: &str) -> Result<String, Refusal> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let given = pairs.find(|(name, _)| name == "q").map(|(_, value)| value);
    let Some(question) = given.filter(|question| !question.trim().is_empty()) else {
        return Err(Refusal::QuestionMissing);
    };
    let chars = question.chars().count();
    if chars > QUESTION_CHARS_MAX {
        return Err(Refusal::QuestionTooLong { chars });
    }
    // No page can show U+0000.
    Ok(question.replace('\0', "\u{fffd}"))
}
