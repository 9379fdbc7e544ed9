//! An engine that makes its answers up, for the tracker of the demo. Whatever it writes says so:
//! its name, the names of its scrapers, its model, and the first line of each answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::{Answer, Kind, Search, Source};
use crate::clock::{Clock, UnixMs};
use crate::job::ScrapeRequest;
use crate::upstream::{Call, Upstream, UpstreamError};

/// Its name as an upstream.
pub(super) const UPSTREAM: &str = "made_up";
/// The scrapers that it answers.
pub(super) const SCRAPERS: [&str; 3] = ["made_up_chat", "made_up_search", "made_up_assistant"];
/// The brands that answers name, each with its domain: reserved ones, which are no company's.
pub(super) const BRANDS: [(&str, &str); 3] =
    [("Acme", "example.com"), ("Globex", "example.net"), ("Initech", "example.org")];
/// How many days of answers there are.
pub(super) const DAYS: u64 = 30;
pub(super) const DAY_MS: u64 = 86_400_000;

/// What is said of a brand.
const REASONS: [&str; 5] = [
    "solid, and not expensive",
    "the usual choice of small workshops",
    "easy to get, with spare parts for years",
    "heavier than the others",
    "well reviewed, though delivery takes a while",
];
/// Sites that write of every brand: the days on which each is found, and how often, percent.
const SITES: [(&str, std::ops::Range<u64>, u64); 8] = [
    ("reviews.example/anvils", 0..DAYS, 70),
    ("forum.example/thread/4711", 0..DAYS, 45),
    ("magazine.example/best-anvils", 0..DAYS, 35),
    ("forum.example/thread/815", 0..DAYS, 20),
    ("oldshop.example/catalog", 0..23, 40),
    ("archive.example/anvils-compared", 0..23, 25),
    ("newblog.example/a-smith-writes", 23..DAYS, 55),
    ("reviews.example/small-forges", 23..DAYS, 35),
];

/// The engine.
pub(super) struct MadeUp {
    clock: Clock,
    /// The first day.
    first_ms: UnixMs,
    asked: AtomicU64,
}

impl MadeUp {
    pub(super) fn new(clock: Clock, first_ms: UnixMs) -> MadeUp {
        MadeUp { clock, first_ms, asked: AtomicU64::new(0) }
    }

    /// Returns the day since the first one.
    fn day(&self) -> u64 {
        self.clock.now_ms().saturating_sub(self.first_ms) / DAY_MS
    }
}

impl Upstream for MadeUp {
    fn name(&self) -> &str {
        UPSTREAM
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, request: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(made_up(request, self.day(), number))
    }
}

/// Throws dice that fall the same way for the same answer.
struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    /// Returns a number below `sides`.
    fn below(&mut self, sides: u64) -> u64 {
        self.thrown += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, self.thrown).hash(&mut hasher);
        hasher.finish() % sides.max(1)
    }

    fn is_within(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Returns how often an engine names a brand on a day, percent: the chat learns of the first one
/// as time passes, and the search forgets the second.
fn percent(scraper: &str, brand: usize, day: u64) -> u64 {
    match (scraper, brand) {
        ("made_up_chat", 0) => 15 + 2 * day.min(DAYS),
        ("made_up_search", 1) => 80 - day.min(DAYS),
        (_, 0) => 40,
        (_, 1) => 65,
        (_, _) => 30,
    }
}

/// Makes up the `number`-th answer.
fn made_up(request: &ScrapeRequest, day: u64, number: u64) -> Answer {
    let mut hasher = DefaultHasher::new();
    (&request.scraper, &request.prompt, day, number).hash(&mut hasher);
    let mut dice = Dice { seed: hasher.finish(), thrown: 0 };
    let searched = !dice.is_within(10);
    let mut named: Vec<(usize, &str)> = BRANDS
        .iter()
        .enumerate()
        .filter(|(at, _)| dice.is_within(percent(&request.scraper, *at, day)))
        .map(|(at, (name, _))| (at, *name))
        .collect();
    let turns = dice.below(named.len() as u64) as usize;
    named.rotate_left(turns);
    let mut sources = Vec::new();
    let mut lines = vec!["Made up for the demo; no engine was asked.".to_owned(), String::new()];
    if named.is_empty() {
        lines.push("It depends on the work: ask a smith near you before you buy one.".to_owned());
    } else {
        lines.push("For a small forge these are named most often:".to_owned());
        lines.push(String::new());
    }
    for (place, (brand, name)) in (1..).zip(&named) {
        let reason = REASONS[dice.below(REASONS.len() as u64) as usize];
        let mut line = format!("{place}. **{name}**: {reason}.");
        if searched && dice.is_within(60) {
            sources.push(page(&format!("{}/anvils", BRANDS[*brand].1)));
            line.push_str(&format!(" [{}]", sources.len()));
        }
        lines.push(line);
    }
    let cited = sources.len();
    let sites = SITES.iter().filter(|(_, days, _)| searched && days.contains(&day.min(DAYS - 1)));
    for (address, _, often) in sites {
        if dice.is_within(*often) {
            sources.push(page(address));
        }
    }
    let cited = sources.len().min(cited + 2);
    for at in lines_cited(&sources, cited, &lines) {
        lines.push(String::new());
        lines.push(format!("More is in a comparison. [{at}]"));
    }
    Answer {
        markdown: lines.join("\n"),
        model: Some("made-up-1".to_owned()),
        queries: Some(if searched { vec!["anvil small forge".to_owned()] } else { Vec::new() }),
        citations: Some(sources.iter().take(cited).cloned().collect()),
        sources: Some(sources),
        search: Some(Search {
            asked: true,
            made: Some(searched),
            calls: Some(u32::from(searched)),
            failed: 0,
        }),
        ..Answer::default()
    }
}

/// Returns the numbers of the sources, up to `cited`, that no line has a mark of.
fn lines_cited(sources: &[Source], cited: usize, lines: &[String]) -> Vec<usize> {
    let text = lines.join("\n");
    let unmarked = (1..=cited.min(sources.len())).filter(|at| !text.contains(&format!("[{at}]")));
    unmarked.collect()
}

fn page(address: &str) -> Source {
    Source {
        url: format!("https://{address}"),
        title: format!("A made-up page: {address}"),
        snippet: "Made up for the demo.".to_owned(),
        ..Source::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::RawRequest;

    fn request(scraper: &str) -> ScrapeRequest {
        let prompt = Some("Which anvil should a small forge buy?".to_owned());
        RawRequest { prompt, ..RawRequest::default() }.check(scraper, &[]).unwrap()
    }

    #[test]
    fn every_made_up_answer_says_so_and_is_the_same_again() {
        for scraper in SCRAPERS {
            let request = request(scraper);
            for number in 0..200 {
                let answer = made_up(&request, number % DAYS, number);
                assert!(answer.markdown.starts_with("Made up for the demo"), "{answer:?}");
                assert_eq!(answer, made_up(&request, number % DAYS, number));
            }
        }
    }

    #[test]
    fn answers_change_over_the_days_in_what_they_name_and_in_what_they_use() {
        let request = request("made_up_chat");
        let of = |day: u64| (0..100).map(move |number| (day, number));
        let named = |day| {
            let answers = of(day).map(|(day, number)| made_up(&request, day, number));
            answers.filter(|answer| answer.markdown.contains("**Acme**")).count()
        };
        assert!(named(29) > named(0) + 20, "{} and {}", named(0), named(29));
        let uses = |day, site: &str| {
            of(day).any(|(day, number)| {
                let sources = made_up(&request, day, number).sources.unwrap();
                sources.iter().any(|source| source.url.contains(site))
            })
        };
        assert!(uses(0, "oldshop") && !uses(0, "newblog"));
        assert!(!uses(29, "oldshop") && uses(29, "newblog"));
    }
}
