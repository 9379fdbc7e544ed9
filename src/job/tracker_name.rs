//! The name of a tracker, as requests and paths give it.

use super::invalid::{Invalid, Rule};

/// The longest name of a tracker, characters.
pub const TRACKER_NAME_CHARS_MAX: usize = 64;

/// Returns whether a text is a tracker's name: lower-case letters, digits, `-` and `_`, a letter or
/// digit first.
pub fn is_tracker_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=TRACKER_NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(|c| is_plain(c) || c == '-' || c == '_')
        && name.starts_with(is_plain)
}

/// Checks the parameter `track`; an empty one is none.
pub(super) fn check_track(track: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(track) = track.filter(|track| !track.is_empty()) else { return Ok(None) };
    if is_tracker_name(&track) {
        return Ok(Some(track));
    }
    let must_be = format!(
        "the name of a tracker: 1 to {TRACKER_NAME_CHARS_MAX} lower-case letters, digits, `-` and \
         `_`, a letter or digit first"
    );
    Err(Invalid::parameter(Rule::TrackInvalid, "track", &must_be, &track))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_trackers_fit_a_path() {
        for name in ["acme", "a", "acme-eu_2", "9lives"] {
            assert!(is_tracker_name(name), "{name}");
        }
        for name in ["", "Acme", "-a", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_tracker_name(name), "{name}");
        }
    }
}
