//! `force_search` and `include_sources` of an upstream: how it is asked for a search.

use super::file;
use super::redaction::quoted;
use super::upstream_kind::UpstreamKind;

/// Checks both, and returns whether a search is forced; `None`: the kind's own way.
pub(super) fn check(
    section: &str,
    kind: UpstreamKind,
    typed: &file::Upstream,
    problems: &mut Vec<String>,
) -> Option<bool> {
    if !typed.include_sources && kind != UpstreamKind::Openai {
        problems.push(format!(
            "`include_sources` in [{section}] must be left out: the kind `{}` does not ask for \
             them",
            kind.word()
        ));
    }
    let given = &typed.force_search;
    let forced = match (given.as_bool(), given.as_str()) {
        (Some(forced), _) => forced,
        (None, Some("")) => return None,
        // So it comes from the environment.
        (None, Some("true")) => true,
        (None, Some("false")) => false,
        (None, _) => {
            let shown = given.as_str().map_or_else(|| format!("`{given}`"), quoted);
            problems.push(format!(
                "`force_search` in [{section}] must be true or false, or \"\" for the kind's own \
                 way; it is {shown}"
            ));
            return None;
        }
    };
    if !kind.can_force_search() {
        problems.push(format!(
            "`force_search` in [{section}] must be left out: the kind `{}` cannot be made to \
             search, nor be kept from it",
            kind.word()
        ));
        return None;
    }
    Some(forced)
}

#[cfg(test)]
mod tests {
    use toml::Value;

    use super::*;

    fn checked(
        kind: UpstreamKind,
        force_search: Value,
        include_sources: bool,
    ) -> (Option<bool>, String) {
        let typed = file::Upstream { force_search, include_sources, ..file::Upstream::default() };
        let mut problems = Vec::new();
        let forced = check("upstreams.mine", kind, &typed, &mut problems);
        (forced, problems.join("; "))
    }

    #[test]
    fn search_is_forced_by_a_boolean_or_its_word() {
        let text = |text: &str| Value::String(text.to_owned());
        for (given, expected) in [
            (text(""), None),
            (Value::Boolean(true), Some(true)),
            (Value::Boolean(false), Some(false)),
            (text("true"), Some(true)),
            (text("false"), Some(false)),
        ] {
            let found = checked(UpstreamKind::Anthropic, given, true);
            assert_eq!(found, (expected, String::new()));
        }
    }

    #[test]
    fn what_a_kind_cannot_do_is_refused_with_its_name() {
        let (forced, problem) = checked(UpstreamKind::Gemini, Value::Boolean(true), true);
        assert_eq!(forced, None);
        assert_eq!(
            problem,
            "`force_search` in [upstreams.mine] must be left out: the kind `gemini` cannot be \
             made to search, nor be kept from it"
        );
        let (_, problem) = checked(UpstreamKind::Xai, Value::Integer(3), false);
        assert_eq!(
            problem,
            "`include_sources` in [upstreams.mine] must be left out: the kind `xai` does not ask \
             for them; `force_search` in [upstreams.mine] must be true or false, or \"\" for the \
             kind's own way; it is `3`"
        );
        assert_eq!(checked(UpstreamKind::Openai, Value::String(String::new()), false).1, "");
    }
}
