//! Where an answer was had.

/// The kind of place where an answer was had: the word in `provenance.kind` (contract part 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Api,
    Browser,
    Serp,
    Practice,
}

impl Kind {
    /// The words that a request may ask for.
    pub const WORDS: &[&str] = &["api", "serp", "browser"];

    pub const fn word(self) -> &'static str {
        match self {
            Kind::Api => "api",
            Kind::Browser => "browser",
            Kind::Serp => "serp",
            Kind::Practice => "practice",
        }
    }

    /// Returns the kind that a request asks for by a word of [`Kind::WORDS`].
    pub fn asked(word: &str) -> Option<Kind> {
        [Kind::Api, Kind::Serp, Kind::Browser].into_iter().find(|kind| kind.word() == word)
    }
}
