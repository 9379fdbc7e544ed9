//! What the engine answers.

use super::*;
use crate::config::file::Practice;

const QUESTIONS: &[&str] = &[
    "How long are results kept?",
    "how can I simulate failures",
    "what does credits_used mean",
    "best CRM for small jobs",
    "hello",
];

fn answer(public_url: &str, question: &str, payload_bytes: usize) -> PracticeAnswer {
    let settings = Practice { payload_bytes, ..Practice::default() };
    Engine::new(public_url, settings).answer(question)
}

fn marks(markdown: &str) -> Vec<usize> {
    let ends = markdown.split(" [").skip(1).filter_map(|rest| rest.split_once(']'));
    ends.filter_map(|(number, _)| number.parse().ok()).collect()
}

#[test]
fn the_first_sentence_answers_and_every_statement_is_marked() {
    let answer = answer("http://h", "How long are results kept?", 0);
    let first = answer.markdown.lines().next().unwrap();
    assert!(first.contains("24 hours") && first.ends_with(" [1]"), "{first}");
    assert!(answer.sources[0].url.starts_with("http://h/docs/"));
    assert!(answer.sources[0].snippet.contains("24 hours"));
    let prose = answer.markdown.lines().filter(|line| !line.is_empty());
    assert!(prose.clone().all(|line| line.ends_with(']')), "{}", answer.markdown);
}

#[test]
fn every_mark_names_a_source_and_none_is_named_twice() {
    for (question, payload_bytes) in QUESTIONS.iter().flat_map(|q| [(q, 0), (q, 20_000)]) {
        let answer = answer("", question, payload_bytes);
        assert!(!answer.markdown.trim().is_empty());
        let marks = marks(&answer.markdown);
        assert!(marks.iter().all(|mark| (1..=answer.sources.len()).contains(mark)));
        let urls: BTreeSet<&str> = answer.sources.iter().map(|s| s.url.as_str()).collect();
        assert_eq!(urls.len(), answer.sources.len(), "{question}");
    }
}

#[test]
fn what_the_guide_does_not_cover_is_said_so() {
    let nothing = answer("", "hello", 0);
    assert!(nothing.markdown.contains("does not answer this question"));
    assert!(nothing.sources.is_empty() && !nothing.related_questions.is_empty());
    let near = answer("", "best CRM for small jobs", 0);
    assert!(near.markdown.contains("nearest") && !near.sources.is_empty());
}

#[test]
fn answers_are_filled_up_to_a_size() {
    for bytes in [1, 2_000, 6_000, 50_000, 1 << 20] {
        let found = answer("http://127.0.0.1:8080", "hello", bytes).markdown.len();
        assert!((bytes..bytes.max(100) + 1_024).contains(&found), "{bytes}: {found}");
    }
}

#[test]
fn the_same_question_gives_the_same_answer() {
    for question in QUESTIONS {
        let twice = [0, 1].map(|_| answer("", question, 5_000));
        assert_eq!(twice[0], twice[1]);
    }
}

#[test]
fn related_questions_are_others_than_the_one_asked() {
    let answer = answer("", "how long are results kept", 0);
    assert!((2..=RELATED_MAX).contains(&answer.related_questions.len()));
    assert!(!answer.related_questions.iter().any(|q| q == "How long are results kept?"));
}

#[test]
fn searches_are_the_question_its_key_terms_and_other_words_for_them() {
    let queries = |question: &str| answer("", question, 0).queries;
    let three = queries("  How long are\nresults KEPT? ");
    assert_eq!(three[0], "How long are results KEPT");
    assert_eq!(three[1], "long results kept");
    assert!(three[2].starts_with("long results kept ") && three[2].contains("expire"));
    assert_eq!(queries(" ?! "), ["?!"]);
    let respelt = queries("pratcice scraper");
    assert!(respelt[1].starts_with("pratcice scraper practice"));
    let long = queries(&"long words here ".repeat(200));
    assert!(long.iter().all(|query| query.chars().count() <= QUERY_CHARS_MAX));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_gets_an_answer(question in "\\PC{1,120}") {
        let answer = answer("", &question, 0);
        assert!(!answer.markdown.trim().is_empty());
        assert!(answer.queries.len() <= 3);
        let urls = answer.sources.iter().map(|source| source.url.as_str());
        assert!(urls.clone().all(|url| url.starts_with("/docs/")));
    }
}

#[test]
fn the_asked_share_of_questions_fails_evenly() {
    for percent in [0, 1, 25, 50, 99, 100] {
        let settings = Practice { failure_percent: percent, ..Practice::default() };
        let engine = Engine::new("", settings);
        let failed: Vec<bool> = (0..200).map(|_| engine.fails_next()).collect();
        for hundred in failed.chunks(100) {
            let count = hundred.iter().filter(|failed| **failed).count();
            assert_eq!(count, usize::from(percent));
        }
        if percent == 25 {
            assert_eq!(failed[..8], [false, false, false, true, false, false, false, true]);
        }
    }
}
