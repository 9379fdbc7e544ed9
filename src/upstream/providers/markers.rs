//! Citation marks in a text, such as `[7]` and `[web:7]`, rewritten so that `[k]` names the k-th
//! source. Code and links are left alone.

/// The longest mark, in bytes: `[web:1, web:2, …]` of a dozen pages.
const MARK_BYTES_MAX: usize = 120;

/// Rewrites the marks of `markdown`. `number` gives the new number of an id; a mark with an id that
/// it does not know stays as it is.
pub fn rewritten(markdown: &str, mut number: impl FnMut(u64) -> Option<usize>) -> String {
    let mut written = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(at) = rest.find(['[', '`']) {
        let (before, from) = rest.split_at(at);
        written.push_str(before);
        let taken = if from.starts_with('`') {
            let end = code_end(from);
            written.push_str(from.get(..end).unwrap_or_default());
            end
        } else if let Some((numbers, end)) = mark(from, line_begins(&written), &mut number) {
            for number in numbers {
                let mark = format!("[{number}]");
                // Two ids of one page side by side are one mark.
                if !written.ends_with(&mark) {
                    written.push_str(&mark);
                }
            }
            end
        } else {
            written.push('[');
            1
        };
        rest = from.get(taken..).unwrap_or_default();
    }
    written.push_str(rest);
    written
}

/// Where the code that `from` begins with ends: at the same run of backticks, or, when there is
/// none, after its own.
fn code_end(from: &str) -> usize {
    let run = from.len() - from.trim_start_matches('`').len();
    let fence = from.get(..run).unwrap_or_default();
    let mut at = run;
    while let Some(found) = from.get(at..).and_then(|rest| rest.find(fence)) {
        let start = at + found;
        let length =
            from.get(start..).map_or(0, |rest| rest.len() - rest.trim_start_matches('`').len());
        if length == run {
            return start + run;
        }
        at = start + length;
    }
    run
}

/// The new numbers of the mark that `from` begins with, and where it ends.
fn mark(
    from: &str,
    line_begins: bool,
    number: &mut impl FnMut(u64) -> Option<usize>,
) -> Option<(Vec<usize>, usize)> {
    let end = from.bytes().take(MARK_BYTES_MAX).position(|byte| byte == b']')?;
    let after = from.get(end + 1..)?;
    // `[1](address)`, `[1][name]` and a line `[1]: address` are links, `[[1]]` is somebody's own.
    let link = after.starts_with(['(', ']'])
        || after.starts_with('[') && !another_mark(after)
        || after.starts_with(':') && line_begins;
    if link {
        return None;
    }
    let numbers: Option<Vec<usize>> =
        from.get(1..end)?.split(',').map(|id| number(id_of(id)?)).collect();
    Some((numbers?, end + 1))
}

fn line_begins(before: &str) -> bool {
    before.trim_end_matches(' ').is_empty() || before.trim_end_matches(' ').ends_with('\n')
}

/// Whether a bracket right behind a mark begins the next mark.
fn another_mark(rest: &str) -> bool {
    let Some(inner) = rest.strip_prefix('[') else { return false };
    inner.split_once(']').is_some_and(|(ids, _)| ids.split(',').all(|id| id_of(id).is_some()))
}

/// The number in `7` and in `web:7`.
pub fn id_of(mark: &str) -> Option<u64> {
    let mark = mark.trim();
    let digits = match mark.split_once(':') {
        Some((kind, digits)) if kind.bytes().all(|byte| byte.is_ascii_lowercase()) => digits,
        Some(_) => return None,
        None => mark,
    };
    let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if sound { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids 3, 7 and 12 are the first, second and third source.
    fn number(id: u64) -> Option<usize> {
        [3, 7, 12].iter().position(|known| *known == id).map(|at| at + 1)
    }

    #[test]
    fn marks_name_their_sources_afterwards() {
        for (before, after) in [
            ("Types.[7]", "Types.[2]"),
            ("Types.[web:7][web:3] And", "Types.[2][1] And"),
            ("[3, 12]", "[1][3]"),
            ("[web:3,web:7]", "[1][2]"),
            ("[web:7][7] [7]", "[2] [2]"),
            ("no mark [99] [a] [] [3", "no mark [99] [a] [] [3"),
            ("a [7](https://a.example/) link", "a [7](https://a.example/) link"),
            ("[7]: https://a.example/", "[7]: https://a.example/"),
            ("as told [7]: so", "as told [2]: so"),
            ("code `x[7]` and [7]", "code `x[7]` and [2]"),
            ("```\nx[3]\n``` [3]", "```\nx[3]\n``` [1]"),
            ("stray ` [3]", "stray ` [1]"),
            ("é🦀[3]é", "é🦀[1]é"),
        ] {
            assert_eq!(rewritten(before, number), after);
        }
    }

    #[test]
    fn numbers_of_one_mark_do_not_become_those_of_another() {
        // 1 → 2 and 2 → 1 at once.
        let swapped = rewritten("[1][2]", |id| Some(3 - id as usize));
        assert_eq!(swapped, "[2][1]");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None,
            ..ProptestConfig::default() })]
        #[test]
        fn any_text_survives(text in "[\\[\\]`0-9:,a-z(é🦀 \n]{0,60}") {
            prop_assert_eq!(rewritten(&text, |_| None), text);
        }
    }
}
