//! The practice engine as an upstream, called in process.

use std::sync::Arc;
use std::time::Duration;

use super::raw_capture::{RawCapture, RawReply};
use super::{Call, Upstream, UpstreamError};
use crate::answer::{Answer, Kind, Source};
use crate::clock::Clock;
use crate::config::KeepRaw;
use crate::job::{Reason, ScrapeRequest};
use crate::practice::{Engine, MODEL, PracticeAnswer};

/// How often a wait looks whether the answer is still wanted.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// What a planned failure asks a client to wait, milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// The practice engine as an upstream.
pub(crate) struct PracticeUpstream {
    name: String,
    engine: Arc<Engine>,
    /// The address of this server, where the practice page shows the same answer.
    local_url: String,
    timeout: Duration,
    keep_raw: KeepRaw,
    clock: Clock,
}

impl PracticeUpstream {
    /// Creates the upstream. `local_url` has no slash at its end.
    pub(crate) fn new(
        name: String,
        engine: Arc<Engine>,
        local_url: &str,
        timeout_seconds: u64,
        clock: Clock,
    ) -> PracticeUpstream {
        let timeout = Duration::from_secs(timeout_seconds);
        let local_url = local_url.to_owned();
        PracticeUpstream { name, engine, local_url, timeout, keep_raw: KeepRaw::None, clock }
    }

    /// Returns the same upstream with another setting for raw replies.
    pub(crate) fn keeping(self, keep_raw: KeepRaw) -> PracticeUpstream {
        PracticeUpstream { keep_raw, ..self }
    }

    /// Hands the engine's answer to the caller as a raw reply.
    fn hand_over(&self, answer: &PracticeAnswer, call: &Call) {
        let Ok(body) = serde_json::to_vec(answer) else { return };
        let content_type = Some("application/json".to_owned());
        call.keep_raw(RawCapture {
            upstream: self.name.clone(),
            keep: self.keep_raw,
            replies: vec![RawReply { status: None, content_type, body }],
            ..RawCapture::default()
        });
    }

    /// Waits for as long as `practice.latency_ms` says.
    fn wait(&self, call: &Call) -> Result<(), UpstreamError> {
        let until_ms = self.clock.now_ms().saturating_add(self.engine.latency_ms());
        let deadline = call.deadline.min(self.clock.instant() + self.timeout);
        let (_open, nothing) = crossbeam_channel::bounded::<()>(0);
        loop {
            let left = deadline.saturating_duration_since(self.clock.instant());
            if call.is_canceled() {
                return Err(UpstreamError::canceled());
            }
            if left.is_zero() {
                let sentence = format!("Upstream `{}` did not answer in time.", self.name);
                return Err(UpstreamError::new(Reason::UpstreamTimeout, sentence));
            }
            if self.clock.now_ms() >= until_ms {
                return Ok(());
            }
            let _ = nothing.recv_timeout(POLL_INTERVAL.min(left));
        }
    }
}

impl Upstream for PracticeUpstream {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        if request.location.strict {
            let sentence = format!("Upstream `{}` answers the same everywhere.", self.name);
            return Err(UpstreamError::new(Reason::PlaceUnsupported, sentence));
        }
        let fails = self.engine.fails_next();
        self.wait(call)?;
        if fails {
            let sentence = format!("Upstream `{}` is set to fail this question.", self.name);
            let error = UpstreamError::new(Reason::Overloaded, sentence);
            return Err(error.retry_after_ms(Some(RETRY_AFTER_MS)));
        }
        let question: String =
            url::form_urlencoded::byte_serialize(request.prompt.as_bytes()).collect();
        let url = Some(format!("{}/practice?q={question}", self.local_url));
        let given = self.engine.answer(&request.prompt);
        if call.may_keep_raw(self.keep_raw) {
            self.hand_over(&given, call);
        }
        Ok(Answer { url, ..answer(given) })
    }
}

fn answer(practice: PracticeAnswer) -> Answer {
    let sources = practice.sources.into_iter();
    let source = |it: crate::practice::PracticeSource| Source {
        url: it.url,
        title: it.title,
        snippet: it.snippet,
        ..Source::default()
    };
    let sources: Vec<Source> = sources.map(source).collect();
    let passages = |at: usize| -> Vec<String> {
        let marks = practice.citations.iter().filter(|mark| mark.source == at);
        marks.map(|mark| mark.passage.clone()).collect()
    };
    // Sources are in the order of their first marks.
    let cited = sources.iter().enumerate().map(|(at, source)| (source, passages(at)));
    let cited = cited.filter(|(_, highlights)| !highlights.is_empty());
    let citations = cited.map(|(source, highlights)| Source {
        snippet: highlights[0].clone(),
        highlights,
        ..source.clone()
    });
    Answer {
        citations: Some(citations.collect()),
        markdown: practice.markdown,
        model: Some(MODEL.to_owned()),
        queries: Some(practice.queries),
        sources: Some(sources),
        related_questions: Some(practice.related_questions),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Practice;
    use crate::job::RawRequest;

    fn ask(settings: Practice, prompt: &str, wait_ms: u64) -> Result<Answer, UpstreamError> {
        let engine = Arc::new(Engine::new("http://h", settings));
        let upstream =
            PracticeUpstream::new("practice".into(), engine, "http://local", 10, Clock::System);
        let deadline = Clock::System.instant() + Duration::from_millis(wait_ms);
        let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
        upstream.ask(&raw.check("practice", &[]).unwrap(), &Call::until(deadline))
    }

    #[test]
    fn upstream_returns_what_the_engine_answers() {
        let engine = Engine::new("http://h", Practice::default());
        for question in ["How long are results kept?", "What is in a result & why? ÄÖ+%", "hello"]
        {
            let own = engine.answer(question);
            let got = ask(Practice::default(), question, 10_000).unwrap();
            assert_eq!(got.markdown, own.markdown);
            assert_eq!(got.model.as_deref(), Some(MODEL));
            assert_eq!(got.queries, Some(own.queries));
            assert_eq!(got.related_questions, Some(own.related_questions));
            let sources = got.sources.unwrap();
            let urls = |sources: &[Source]| -> Vec<String> {
                sources.iter().map(|source| source.url.clone()).collect()
            };
            let own_urls: Vec<String> = own.sources.into_iter().map(|it| it.url).collect();
            assert_eq!(urls(&sources), own_urls);
            let cited = got.citations.unwrap();
            assert_eq!(urls(&cited), own_urls[..cited.len()]);
            assert!(cited.iter().all(|source| !source.snippet.is_empty()));
            assert!(got.url.unwrap().starts_with("http://local/practice?q="));
        }
    }

    #[test]
    fn settings_shape_what_the_upstream_returns() {
        let failing = Practice { failure_percent: 100, ..Practice::default() };
        let error = ask(failing, "answerd", 10_000).unwrap_err();
        assert_eq!((error.reason, error.retry_after_ms), (Reason::Overloaded, Some(1_000)));

        let slow = Practice { latency_ms: 60_000, ..Practice::default() };
        assert_eq!(ask(slow, "answerd", 100).unwrap_err().reason, Reason::UpstreamTimeout);

        let large = Practice { payload_bytes: 100_000, ..Practice::default() };
        let bytes = ask(large, "answerd", 30_000).unwrap().markdown.len();
        assert!((98_000..103_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn cancel_ends_a_slow_call() {
        let slow = Practice { latency_ms: 60_000, ..Practice::default() };
        let engine = Arc::new(Engine::new("", slow));
        let upstream = PracticeUpstream::new("practice".into(), engine, "", 100, Clock::System);
        let call = Call::until(Clock::System.instant() + Duration::from_secs(60));
        let raw = RawRequest { prompt: Some("answerd".to_owned()), ..RawRequest::default() };
        let request = raw.check("practice", &[]).unwrap();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| upstream.ask(&request, &call));
            call.canceled.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(asked.join().unwrap().unwrap_err().reason, Reason::Canceled);
        });
    }
}
