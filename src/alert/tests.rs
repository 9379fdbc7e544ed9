//! Evaluations over made-up measures.

use std::collections::BTreeMap;

use super::*;

const NOON_MS: UnixMs = 1_778_500_800_000;
const DAY_MS: u64 = 86_400_000;
const TODAY: u32 = (NOON_MS / DAY_MS) as u32;

fn alert(kind: AlertKind, threshold: f64, over: Option<AlertWindow>) -> Alert {
    Alert {
        row: 1,
        nonce: 2,
        account: "team".to_owned(),
        definition: AlertDefinition {
            name: "a".to_owned(),
            kind,
            tracker: Some("acme".to_owned()),
            brand: None,
            scraper: Some("chatgpt".to_owned()),
            threshold: Some(threshold),
            over,
            url: "https://a.example/".to_owned(),
            format: NoticeFormat::Standard,
        },
        paused: false,
        created_ms: NOON_MS,
        version: 0,
        progress: AlertProgress::default(),
    }
}

/// What a tracker has measured, run after run, on one day.
#[derive(Default)]
struct Measures(TrackedMeasure);

impl Measures {
    fn new() -> Measures {
        Measures(TrackedMeasure { version: (1, 1), days: BTreeMap::new() })
    }

    fn add(&mut self, day: u32, measured: u64, mentioned: u64, domains: &[(&str, u64)]) {
        let sums = self.0.days.entry(day).or_default();
        sums.measured += measured;
        sums.mentioned += mentioned;
        for (domain, answers) in domains {
            *sums.domains.entry((*domain).to_owned()).or_default() += answers;
        }
    }
}

/// The states after runs of 10 answers, by how many name the brand, and the number of notices.
fn states(alert: &mut Alert, mentioned: &[u64]) -> (Vec<AlertState>, usize) {
    let (mut measures, mut notices) = (Measures::new(), 0);
    alert.begin_runs(&measures.0, NOON_MS);
    let mut states = Vec::new();
    for (at, mentioned) in mentioned.iter().enumerate() {
        measures.add(TODAY, 10, *mentioned, &[]);
        let facts = alert.evaluate_tracked(&measures.0, NOON_MS + at as u64);
        notices += usize::from(facts.is_some());
        states.push(alert.progress.state());
    }
    (states, notices)
}

#[test]
fn rate_alert_fires_once_after_two_runs_and_again_after_it_has_recovered() {
    use AlertState::{Firing, Ok, Pending};
    let over = Some(AlertWindow::Runs(1));
    let mut below = alert(AlertKind::MentionRateBelow, 0.3, over);
    let (found, notices) = states(&mut below, &[5, 1, 1, 1, 5, 5, 2, 2]);
    assert_eq!(found, [Ok, Pending, Firing, Firing, Firing, Ok, Pending, Firing]);
    assert_eq!(notices, 2);
    let mut above = alert(AlertKind::MentionRateAbove, 0.3, over);
    assert_eq!(states(&mut above, &[3, 4, 4]), (vec![Ok, Pending, Firing], 1));
}

#[test]
fn rate_that_flaps_fires_nothing() {
    let mut flapping = alert(AlertKind::MentionRateBelow, 0.3, Some(AlertWindow::Runs(1)));
    let (found, notices) = states(&mut flapping, &[1, 5, 1, 5, 1, 5]);
    assert!(!found.contains(&AlertState::Firing), "{found:?}");
    assert_eq!(notices, 0);
}

#[test]
fn window_of_runs_sums_the_newest_and_forgets_older_ones() {
    let mut alert = alert(AlertKind::MentionRateBelow, 0.3, Some(AlertWindow::Runs(3)));
    states(&mut alert, &[10, 10, 10, 1, 1]);
    let sums: Vec<u64> = alert.progress.runs.iter().map(|run| run.mentioned).collect();
    assert_eq!(sums, [10, 1, 1]);
    assert_eq!((alert.progress.value, alert.progress.sample), (Some(0.4), 30));
}

#[test]
fn fewer_than_five_answers_change_nothing() {
    let mut alert = alert(AlertKind::MentionRateBelow, 0.3, Some(AlertWindow::Runs(1)));
    let mut measures = Measures::new();
    alert.begin_runs(&measures.0, NOON_MS);
    for at in 0..5 {
        measures.add(TODAY, ALERT_SAMPLE_MIN - 1, 0, &[]);
        assert_eq!(alert.evaluate_tracked(&measures.0, NOON_MS + at), None);
    }
    assert_eq!(alert.progress.state(), AlertState::NoData);
}

#[test]
fn evaluation_without_a_new_answer_is_no_run() {
    let mut alert = alert(AlertKind::MentionRateBelow, 0.3, Some(AlertWindow::Runs(2)));
    states(&mut alert, &[5]);
    let mut measures = Measures::new();
    measures.add(TODAY, 10, 5, &[]);
    alert.evaluate_tracked(&measures.0, NOON_MS);
    assert_eq!(alert.progress.runs.len(), 1);
}

#[test]
fn run_goes_over_midnight_and_a_new_version_starts_from_zero() {
    let mut alert = alert(AlertKind::MentionRateBelow, 0.3, Some(AlertWindow::Runs(2)));
    let mut measures = Measures::new();
    measures.add(TODAY, 7, 7, &[]);
    alert.begin_runs(&measures.0, NOON_MS);
    measures.add(TODAY, 3, 1, &[]);
    measures.add(TODAY + 1, 4, 1, &[]);
    alert.evaluate_tracked(&measures.0, NOON_MS + DAY_MS);
    let run = alert.progress.runs[0];
    assert_eq!((run.measured, run.mentioned), (7, 2));
    assert_eq!(alert.first_day(NOON_MS + DAY_MS), TODAY + 1);
    let mut other = Measures::new();
    other.0.version = (1, 2);
    other.add(TODAY + 1, 6, 6, &[]);
    alert.evaluate_tracked(&other.0, NOON_MS + DAY_MS);
    let runs = &alert.progress.runs;
    assert_eq!((runs.len(), runs[0].measured, runs[0].mentioned), (1, 6, 6));
}

#[test]
fn window_of_days_has_today_and_the_days_before() {
    let mut alert = alert(AlertKind::MentionRateBelow, 0.3, Some(AlertWindow::Days(2)));
    let mut measures = Measures::new();
    measures.add(TODAY - 1, 10, 0, &[]);
    measures.add(TODAY, 10, 4, &[]);
    assert_eq!(alert.first_day(NOON_MS), TODAY - 1);
    assert_eq!(alert.evaluate_tracked(&measures.0, NOON_MS), None);
    let facts = alert.evaluate_tracked(&measures.0, NOON_MS).unwrap();
    assert_eq!((facts.value, facts.sample), (Some(0.2), 20));
    let subjects: Vec<&str> = facts.rows.iter().map(|row| row.subject.as_str()).collect();
    assert_eq!(subjects, ["2026-05-10", "2026-05-11"]);
}

/// The domains of the notices of runs of 10 answers that use these domains.
fn noticed(alert: &mut Alert, runs: &[&[(&str, u64)]]) -> Vec<Vec<String>> {
    let mut measures = Measures::new();
    alert.begin_runs(&measures.0, NOON_MS);
    let mut noticed = Vec::new();
    for (at, domains) in runs.iter().enumerate() {
        measures.add(TODAY, 10, 0, domains);
        let facts = alert.evaluate_tracked(&measures.0, NOON_MS + at as u64);
        let rows = facts.map_or(Vec::new(), |facts| facts.rows);
        noticed.push(rows.into_iter().map(|row| row.subject).collect());
    }
    noticed
}

#[test]
fn domain_appears_once_after_two_runs_and_those_of_the_beginning_are_no_news() {
    let mut alert = alert(AlertKind::DomainAppeared, 0.2, Some(AlertWindow::Runs(1)));
    let old: (&str, u64) = ("old.example", 5);
    let found = noticed(
        &mut alert,
        &[
            &[old],
            // In one run alone, and below the share.
            &[old, ("once.example", 4), ("rare.example", 1)],
            &[old, ("new.example", 2), ("rare.example", 1)],
            &[old, ("new.example", 3), ("rare.example", 1)],
            &[old, ("new.example", 3)],
        ],
    );
    assert_eq!(found, [vec![], vec![], vec![], vec!["new.example".to_owned()], vec![]]);
}

#[test]
fn domain_vanishes_once_after_two_runs_without_it() {
    let mut alert = alert(AlertKind::DomainVanished, 0.2, Some(AlertWindow::Runs(1)));
    let stays: (&str, u64) = ("stays.example", 5);
    let goes: (&str, u64) = ("goes.example", 5);
    let found = noticed(
        &mut alert,
        &[
            &[stays, goes],
            &[stays, ("goes.example", 1)],
            &[stays],
            &[stays],
            &[stays],
            &[stays, goes],
            &[stays, goes],
            &[stays],
            &[stays],
        ],
    );
    let gone = vec!["goes.example".to_owned()];
    let none = Vec::new;
    assert_eq!(found, [none(), none(), none(), gone.clone(), none(), none(), none(), none(), gone]);
}

#[test]
fn domains_are_watched_up_to_a_bound() {
    let mut alert = alert(AlertKind::DomainAppeared, 0.1, Some(AlertWindow::Runs(2)));
    let mut measures = Measures::new();
    alert.begin_runs(&measures.0, NOON_MS);
    for run in 0..5 {
        let names: Vec<String> = (0..300).map(|at| format!("d{at}-{run}.example")).collect();
        let used: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 3)).collect();
        measures.add(TODAY, 10, 0, &used);
        alert.evaluate_tracked(&measures.0, NOON_MS);
        assert!(alert.progress.domains.len() <= DOMAINS_WATCHED_MAX);
        assert!(alert.progress.domains.iter().all(|watched| watched.runs.len() <= 2));
    }
}

#[test]
fn scraper_is_unhealthy_after_two_looks_at_five_attempts() {
    let mut alert = alert(AlertKind::ScraperUnhealthy, 0.5, None);
    let mut look = |attempts, succeeded| {
        let fired = alert.evaluate_health(HealthMeasure { attempts, succeeded }, NOON_MS);
        (fired.is_some(), alert.progress.state())
    };
    assert_eq!(look(4, 0), (false, AlertState::NoData));
    assert_eq!(look(5, 1), (false, AlertState::Pending));
    assert_eq!(look(6, 1), (true, AlertState::Firing));
    assert_eq!(look(7, 1), (false, AlertState::Firing));
    assert_eq!(look(0, 0), (false, AlertState::Firing));
    assert_eq!(look(10, 5), (false, AlertState::Firing));
    assert_eq!(look(10, 6), (false, AlertState::Ok));
}

#[test]
fn budget_is_reached_once_a_day() {
    let mut budget = alert(AlertKind::BudgetReached, 0.000_002, None);
    let spent = |nanos: u64| SpendMeasure {
        upstreams: vec![UpstreamSpend { upstream: "openai".to_owned(), calls: 3, nanos }],
        cap_nanos: Some(5_000),
    };
    assert_eq!(budget.evaluate_spend(&spent(1_999), NOON_MS), None);
    let facts = budget.evaluate_spend(&spent(2_000), NOON_MS).unwrap();
    assert_eq!((facts.value, facts.sample), (Some(2e-6), 3));
    assert_eq!((facts.rows[0].nanos, facts.rows[0].share()), (Some(2_000), None));
    assert_eq!(budget.evaluate_spend(&spent(9_000), NOON_MS), None);
    assert!(budget.evaluate_spend(&spent(9_000), NOON_MS + DAY_MS).is_some());
    // Without a threshold it is the cap of the key.
    let mut cap = alert(AlertKind::BudgetReached, 1.0, None);
    cap.definition.threshold = None;
    assert_eq!(cap.evaluate_spend(&spent(4_999), NOON_MS), None);
    assert!(cap.evaluate_spend(&spent(5_000), NOON_MS).is_some());
}

#[test]
fn windows_read_back_as_they_are_written() {
    for (text, window) in [
        ("1 run", AlertWindow::Runs(1)),
        ("10 runs", AlertWindow::Runs(10)),
        ("1 day", AlertWindow::Days(1)),
        ("90 days", AlertWindow::Days(90)),
    ] {
        assert_eq!(AlertWindow::parse(text), Some(window));
        assert_eq!(window.text(), text);
    }
    for wrong in ["", "3", "runs", "0 runs", "11 runs", "91 days", "3 weeks", "+3 runs", "3  runs"]
    {
        assert_eq!(AlertWindow::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn kinds_and_formats_have_words_that_read_back() {
    for kind in AlertKind::ALL {
        assert_eq!(AlertKind::parse(kind.word()), Some(kind));
    }
    for format in NoticeFormat::ALL {
        assert_eq!(NoticeFormat::parse(format.word()), Some(format));
    }
}
