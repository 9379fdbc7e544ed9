//! Mangled input for whatever reads what others write. Each parser's tests try some of it in every
//! run; `ANSWERD_FUZZ_SECONDS=600 ANSWERD_FUZZ_INPUTS=10000000 cargo test --release --locked --lib
//! fuzzed -- --nocapture --test-threads 2` tries each until the first of both bounds, from
//! `ANSWERD_FUZZ_SEED`. More threads than processors take the time of each other.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures its own time")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// How many inputs a target gets when no time is set.
const INPUTS: u64 = 2_000;
/// The most changes that are made to an example.
const EDITS_MAX: usize = 6;
/// The most bytes that an input grows to: what is larger is refused before it is parsed.
const INPUT_BYTES_MAX: usize = 16 << 10;
/// Pieces that parsers trip over.
const PIECES: &[&str] = &[
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "🦀",
    "%",
    "%0",
    "%00",
    "%ff",
    "+",
    "&",
    "=",
    ";",
    "\"",
    "\\u0000",
    "\\ud800",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "</",
    "<!--",
    "```",
    "~~~",
    "|",
    "| - |",
    "\n",
    "\r\n",
    "\t",
    "#",
    "* ",
    "1. ",
    "> ",
    "![",
    "](",
    "http://",
    "javascript:",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "NaN",
    "null",
    "true",
    "2026-02-30T25:61:61Z",
    "[1]",
    "[^1]",
    "&#0;",
    "&amp;",
    "\u{e000}",
];

/// Numbers that a seed determines (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// How long a target is tried: until the first bound that is set.
struct Bounds {
    began: Instant,
    duration_max: Option<Duration>,
    inputs_max: Option<u64>,
}

impl Bounds {
    fn from_environment() -> Bounds {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
        };
        Bounds {
            began: Instant::now(),
            duration_max: number("ANSWERD_FUZZ_SECONDS").map(Duration::from_secs),
            inputs_max: number("ANSWERD_FUZZ_INPUTS"),
        }
    }

    /// Whether another input is tried after so many; as many as `default` where nothing is set.
    fn allow(&self, inputs: u64, default: u64) -> bool {
        match (self.duration_max, self.inputs_max) {
            (None, None) => inputs < default,
            (duration, max) => {
                duration.is_none_or(|duration| self.began.elapsed() < duration)
                    && max.is_none_or(|max| inputs < max)
            }
        }
    }

    fn print(&self, name: &str, inputs: u64, from: &str) {
        println!("{name}: {inputs} inputs in {} s, {from}", self.began.elapsed().as_secs());
    }
}

/// Runs what tries so many inputs each time: once, or until a bound that is set.
pub(crate) fn repeated(name: &str, inputs_per_run: u64, mut run: impl FnMut()) {
    let bounds = Bounds::from_environment();
    let mut inputs = 0;
    while bounds.allow(inputs, inputs_per_run) {
        run();
        inputs += inputs_per_run;
    }
    bounds.print(name, inputs, "seeds of the system");
}

/// Gives `check` mangled forms of the examples. It panics on what must not be; the input is printed
/// then.
pub(crate) fn bytes(name: &str, examples: &[&str], check: impl Fn(&[u8])) {
    let seed = std::env::var("ANSWERD_FUZZ_SEED").map_or(7, |seed| seed.parse().expect("a number"));
    let mut dice = Dice::new(seed);
    let bounds = Bounds::from_environment();
    let mut inputs: u64 = 0;
    while bounds.allow(inputs, INPUTS) {
        let input = mangled(examples, &mut dice);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&input))) {
            println!("{name}, seed {seed}, input {inputs}: {:?}", String::from_utf8_lossy(&input));
            resume_unwind(panic);
        }
        inputs += 1;
    }
    bounds.print(name, inputs, &format!("seed {seed}"));
}

/// As [`bytes`], for what only takes text.
pub(crate) fn text(name: &str, examples: &[&str], check: impl Fn(&str)) {
    bytes(name, examples, |input| check(&String::from_utf8_lossy(input)));
}

fn mangled(examples: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut input = examples[dice.below(examples.len())].as_bytes().to_vec();
    for _ in 0..dice.below(EDITS_MAX + 1) {
        let at = dice.below(input.len() + 1);
        let end = at + dice.below((input.len() - at).min(64) + 1);
        match dice.below(6) {
            0 => drop(input.drain(at..end)),
            1 => {
                let piece = PIECES[dice.below(PIECES.len())];
                input.splice(at..at, piece.bytes());
            }
            2 => {
                let piece = PIECES[dice.below(PIECES.len())];
                input.splice(at..end, piece.bytes());
            }
            3 => {
                let again = input[at..end].repeat(1 + dice.below(200));
                input.splice(at..at, again);
            }
            4 => {
                let other = examples[dice.below(examples.len())].as_bytes();
                let from = dice.below(other.len() + 1);
                input.splice(at..end, other[from..].iter().copied());
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}
