//! The searches that a reply tells of, counted.

use crate::answer::Search;
use crate::job::ScrapeRequest;

/// What asks a model for a search where it cannot be made to search.
pub(crate) const SEARCH_FIRST: &str = "Search the web before you answer.";

/// The searches of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchCount {
    /// All that were made, those that failed included.
    pub calls: u32,
    pub failed: u32,
}

impl SearchCount {
    /// Counts a search.
    pub(crate) fn add(&mut self, has_failed: bool) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(has_failed));
    }

    /// Returns what that says of an answer that can tell of its searches. `has_found`: whether it
    /// holds anything that only a search finds, such as pages; where no call is told, their number
    /// is unknown.
    pub(crate) fn told(self, request: &ScrapeRequest, has_found: bool) -> Search {
        let has_worked = self.calls > self.failed;
        Search {
            asked: request.web_search,
            made: Some(has_worked || has_found),
            calls: (has_worked || !has_found).then_some(self.calls),
            failed: self.failed,
        }
    }
}

/// Returns the warning of an answer whose searches failed, with the provider's word for it, or for
/// which a search was wanted and none was made: legal, and worth knowing.
pub(crate) fn warning(search: &Search, code: &str) -> Option<String> {
    match search {
        Search { failed: 1.., .. } if code.is_empty() => Some("A search failed.".to_owned()),
        Search { failed: 1.., .. } => Some(format!("A search failed: {code}.")),
        Search { asked: true, made: Some(false), .. } => {
            Some("The engine made no search.".to_owned())
        }
        Search { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::providers::test_support::request;

    #[test]
    fn search_is_made_if_one_worked_or_found_something() {
        let search = |made, calls, failed| Search { asked: true, made: Some(made), calls, failed };
        for (calls, failed, has_found, expected) in [
            (0, 0, false, search(false, Some(0), 0)),
            (0, 0, true, search(true, None, 0)),
            (2, 0, false, search(true, Some(2), 0)),
            (1, 1, false, search(false, Some(1), 1)),
            (2, 1, true, search(true, Some(2), 1)),
        ] {
            let count = SearchCount { calls, failed };
            assert_eq!(count.told(&request(), has_found), expected);
        }
    }

    #[test]
    fn warning_tells_a_failed_search_from_none() {
        let count = |calls, failed| SearchCount { calls, failed }.told(&request(), false);
        assert_eq!(warning(&count(0, 0), "").unwrap(), "The engine made no search.");
        assert_eq!(warning(&count(1, 1), "").unwrap(), "A search failed.");
        assert_eq!(warning(&count(2, 1), "busy").unwrap(), "A search failed: busy.");
        assert_eq!(warning(&count(1, 0), ""), None);
        let quiet = ScrapeRequest { web_search: false, ..request() };
        assert_eq!(warning(&SearchCount::default().told(&quiet, false), ""), None);
    }
}
