//! The examples of the guide as programs: taken out of its pages, and run.

use std::path::Path;
use std::process::{Command, Output};

/// A piece of code of a page.
pub(crate) struct Example {
    /// The heading that it stands under.
    pub heading: String,
    pub language: String,
    pub code: String,
}

/// The code of a page, in order.
pub(crate) fn examples(page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut heading = String::new();
    let mut open: Option<Example> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let (heading, language) = (heading.clone(), language.to_owned());
                open = Some(Example { heading, language, code: String::new() });
            }
            (Some(_), Some(_)) => examples.extend(open.take()),
            (Some(example), None) => {
                example.code.push_str(line);
                example.code.push('\n');
            }
            (None, None) => {
                if let Some((_, text)) = line
                    .split_once("# ")
                    .filter(|(marks, _)| marks.bytes().all(|byte| byte == b'#'))
                {
                    text.clone_into(&mut heading);
                }
            }
        }
    }
    examples
}

/// The first code of a language under a heading.
#[track_caller]
pub(crate) fn example(page: &str, heading: &str, language: &str) -> String {
    let found = examples(&super::page(page)).into_iter();
    let mut found = found.filter(|it| it.heading == heading && it.language == language);
    found.next().unwrap_or_else(|| panic!("{page} has no {language} under {heading:?}")).code
}

/// Runs a program of the machine with an environment of the test's own: no proxy and no key of
/// whoever runs the tests.
#[track_caller]
pub(crate) fn run(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    at: &Path,
) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(at).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.envs(environment.iter().copied());
    command.output().unwrap_or_else(|error| {
        panic!("the guide's example cannot be run: {program}: {error}; install it")
    })
}
