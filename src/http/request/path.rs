//! The paths of routes, and what stands in the places of their parameters.

/// A path with parameters in braces, as in `/jobs/{job_id}`.
pub(crate) struct PathPattern {
    pub text: &'static str,
    /// What stands before the first parameter.
    prefix: &'static str,
}

impl PathPattern {
    pub(crate) fn new(text: &'static str) -> PathPattern {
        PathPattern { text, prefix: text.split('{').next().unwrap_or_default() }
    }

    /// Returns the names of its parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.text.split('{').skip(1).filter_map(|rest| rest.split('}').next())
    }

    /// Returns whether a path fits.
    pub(crate) fn fits(&self, path: &str) -> bool {
        // Most routes differ before their first parameter: this is asked of all of them, at every
        // request.
        if self.prefix.len() == self.text.len() {
            return path == self.text;
        }
        path.starts_with(self.prefix) && self.capture(path, "").is_some()
    }

    /// Returns what stands in the place of a parameter, or nothing if the pattern has none of this
    /// name; `None` if the path does not fit.
    pub(crate) fn capture<'a>(&self, path: &'a str, parameter: &str) -> Option<&'a str> {
        let mut captured = "";
        let mut pattern = &self.text[self.prefix.len()..];
        let mut path = path.strip_prefix(self.prefix)?;
        while !pattern.is_empty() {
            let (part, later) = split_segment(pattern).unwrap_or((pattern, ""));
            let (segment, rest) = match split_segment(path) {
                Some(_) if later.is_empty() => return None,
                Some(both) => both,
                None => (path, ""),
            };
            if let Some(part) = part.strip_prefix('{') {
                let (name, suffix) = part.split_once('}')?;
                let value = segment.strip_suffix(suffix).filter(|value| !value.is_empty())?;
                if parameter == name {
                    captured = value;
                }
            } else if part != segment {
                return None;
            }
            (pattern, path) = (later, rest);
        }
        path.is_empty().then_some(captured)
    }
}

/// Splits at the first `/`. Paths are short, for which this is faster than a searcher.
fn split_segment(path: &str) -> Option<(&str, &str)> {
    let at = path.bytes().position(|byte| byte == b'/')?;
    Some((&path[..at], &path[at + 1..]))
}
