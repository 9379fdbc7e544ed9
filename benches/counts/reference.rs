//! The reference: what a poll, a submit and a whole job cost when somebody last accepted it, and how
//! far from it they may be.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// How to accept what was counted.
const ACCEPT: &str = "cargo bench --bench counts -- --accept";
/// How far a count may be from the reference when the file is written, percent.
const MARGIN_PERCENT: u64 = 10;

/// Instructions of one request; of a job, those of its submit and of a long poll for its end too.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Counts {
    pub poll: u64,
    pub submit: u64,
    pub job: u64,
}

/// What the file says.
#[derive(Deserialize, Serialize)]
pub(crate) struct Reference {
    /// The compiler that it was recorded with.
    rustc: String,
    /// How far a count may be from it, percent.
    margin_percent: u64,
    instructions: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the margin.
    Kept,
    Better,
    Worse,
}

impl Reference {
    /// What was counted now.
    pub(crate) fn of(instructions: Counts) -> Reference {
        Reference { rustc: rustc(), margin_percent: MARGIN_PERCENT, instructions }
    }

    pub(crate) fn read() -> Reference {
        toml::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
    }

    pub(crate) fn write(&self) {
        std::fs::write(path(), self.to_string()).unwrap();
    }

    /// What has become of each count, with a sentence that says it.
    pub(crate) fn compare(&self, counts: Counts) -> [(Verdict, String); 3] {
        [
            self.verdict("poll", self.instructions.poll, counts.poll),
            self.verdict("submit", self.instructions.submit, counts.submit),
            self.verdict("job", self.instructions.job, counts.job),
        ]
    }

    fn verdict(&self, name: &str, reference: u64, counted: u64) -> (Verdict, String) {
        let by_percent = (counted as f64 / reference as f64 - 1.0) * 100.0;
        let margin = self.margin_percent;
        let said = format!(
            "counts: a {name} takes {counted} instructions, {by_percent:+.1} % of {reference}"
        );
        if by_percent.abs() <= margin as f64 {
            return (Verdict::Kept, format!("{said}; up to {margin} % is allowed."));
        }
        let rustc = rustc();
        let other = if rustc == self.rustc {
            String::new()
        } else {
            format!(" That was with {}, and this is {rustc}.", self.rustc)
        };
        if by_percent < 0.0 {
            return (Verdict::Better, format!("{said}: better.{other} Accept it: {ACCEPT}"));
        }
        let sentence = format!(
            "{said}, and only {margin} % is allowed.{other} To see where they go, run it with \
             CARGO_PROFILE_BENCH_STRIP=none and then callgrind_annotate \
             target/tmp/counts/{name}s.callgrind. If it has to cost that, accept it: {ACCEPT}"
        );
        (Verdict::Worse, sentence)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = toml::to_string(self).map_err(|_| fmt::Error)?;
        write!(
            formatter,
            "# What a poll, a submit and a whole job cost the service, instructions. It depends on the compiler, on\n\
             # the versions of the crates, and a little on what the processor can do. After a change of these,\n\
             # and after one that is meant to cost more or less, update it: {ACCEPT}\n\n{fields}"
        )
    }
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "benches", "counts", "reference.toml"].iter().collect()
}

/// The compiler's version, in its own words.
fn rustc() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
