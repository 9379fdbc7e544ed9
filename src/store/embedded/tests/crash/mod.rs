//! The power-cut simulator: the real store on a disk that notes every write, length change and
//! sync; for thousands of points of that log, a disk on which a cut has left what was synced and
//! any of the rest, opened and judged against what the store had acknowledged by then.

pub(crate) mod cut;
mod deliveries;
pub(crate) mod disk;
mod ledger;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use self::cut::Cutter;
use self::disk::{Disk, Entry};
use self::ledger::Ledger;
use self::workload::{Defect, Run};
use super::super::database;
use crate::store::{CheckReport, QuickRepair, StoreError};
use crate::tests::fuzz::Dice;

/// How many steps each life of a store has, and how many cuts are made in each.
const STEPS: usize = 80;
const POINTS_PER_LIFE: usize = 25;
const POINTS: usize = 200;
/// How many cuts find a defect.
const DEFECT_POINTS: usize = 50;
const SEED: u64 = 1;
const CHECK_CACHE_BYTES: usize = 1 << 20;
/// The findings that are kept as sentences; the rest are counted.
const FINDINGS_MAX: usize = 5;

/// What cuts have shown.
#[derive(Debug, Default)]
struct Figures {
    points: usize,
    torn: usize,
    second_cuts: usize,
    lost: usize,
    inconsistent: usize,
    unopenable: usize,
    findings: Vec<String>,
}

impl Figures {
    fn add(&mut self, other: Figures) {
        self.points += other.points;
        self.torn += other.torn;
        self.second_cuts += other.second_cuts;
        self.lost += other.lost;
        self.inconsistent += other.inconsistent;
        self.unopenable += other.unopenable;
        self.findings.extend(other.findings);
        self.findings.truncate(FINDINGS_MAX);
    }

    fn find(&mut self, sentences: Vec<String>) {
        self.findings.extend(sentences);
        self.findings.truncate(FINDINGS_MAX);
    }

    fn sound(&self) -> bool {
        (self.lost, self.inconsistent, self.unopenable) == (0, 0, 0)
    }
}

/// Opens the image, compares it with the ledger, closes it and checks it. Gives what the opening
/// did to the disk.
fn recover(
    image: Vec<u8>,
    quick_repair: QuickRepair,
    ledger: &Ledger,
    point: usize,
    figures: &mut Figures,
) -> Result<Vec<Entry>, StoreError> {
    let disk = Disk::new(image);
    let store = workload::open(disk.clone(), quick_repair)?;
    let verdict = ledger.compare(&store, point)?;
    store.close();
    drop(store);
    let (image, log) = disk.take();
    let mut report = CheckReport::default();
    let database = database::create(|| Ok(Disk::new(image.clone())), CHECK_CACHE_BYTES)?;
    report.check_database(database);
    if report.jobs != verdict.jobs {
        report.problems.push(format!("{} jobs, {} are known", report.jobs, verdict.jobs));
    }
    figures.lost += verdict.lost.len();
    figures.inconsistent += verdict.inconsistent.len() + report.problems.len();
    figures.find(verdict.lost);
    figures.find(verdict.inconsistent);
    figures.find(report.problems);
    Ok(log)
}

/// Judges one life of a store at random points of it.
fn judge(seed: u64, points: usize, defect: Defect) -> Figures {
    let mut figures = Figures::default();
    let mut dice = Dice::new(seed);
    let quick_repair = match seed % 3 {
        0 => QuickRepair::Never,
        1 => QuickRepair::Always,
        // Commits of both kinds, one behind the other.
        _ => QuickRepair::AfterRest(Duration::ZERO),
    };
    let Run { born, log, ledger } = workload::run(dice.next(), STEPS, quick_repair, defect);
    let mut places: Vec<usize> = (0..points).map(|_| cut::place(&log, &mut dice)).collect();
    places.sort_unstable();
    let mut cutter = Cutter::new(born, &log);
    for point in places {
        let survived = cutter.cut(point, &mut dice);
        figures.points += 1;
        figures.torn += usize::from(survived.torn);
        let before = survived.image.clone();
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let log = recover(survived.image, quick_repair, &ledger, point, &mut figures)?;
            let at = cut::place(&log, &mut dice);
            let second = Cutter::new(before, &log).cut(at, &mut dice);
            figures.second_cuts += 1;
            recover(second.image, quick_repair, &ledger, point, &mut figures).map(drop)
        }));
        let why = match opened {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "opening it panicked".to_owned(),
        };
        figures.unopenable += 1;
        figures.find(vec![format!("life {seed}, cut at {point}: {why}")]);
    }
    figures
}

/// Judges lives on every core until so many points have been seen.
fn campaign(seed: u64, points: usize, defect: Defect) -> Figures {
    let lives = points.div_ceil(POINTS_PER_LIFE);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut figures = Figures::default();
        loop {
            let life = next.fetch_add(1, Ordering::Relaxed);
            if life >= lives {
                return figures;
            }
            let points = POINTS_PER_LIFE.min(points - life * POINTS_PER_LIFE);
            // Every seed has lives of its own.
            figures.add(judge(seed * 1_000_000 + life as u64, points, defect));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut figures = Figures::default();
        for worker in workers {
            figures.add(worker.join().unwrap());
        }
        figures
    })
}

/// A number from the environment, for the long run.
pub(crate) fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the figures are what the long run is for")]
fn nothing_acknowledged_is_lost_by_a_power_cut() {
    let seed = setting("ANSWERD_CRASH_SEED", SEED);
    let points = setting("ANSWERD_CRASH_POINTS", POINTS);
    let figures = campaign(seed, points, Defect::None);
    let Figures { points, torn, second_cuts, lost, inconsistent, unopenable, findings } = &figures;
    println!(
        "seed {seed}: {points} points, {torn} torn, {second_cuts} second cuts, {lost} lost, \
         {inconsistent} inconsistent, {unopenable} unopenable"
    );
    assert!(figures.sound(), "seed {seed}: {findings:#?}");
    assert!(*torn > 0 && second_cuts == points);
}

#[test]
fn a_disk_that_does_not_sync_is_found_out() {
    let figures = campaign(SEED, DEFECT_POINTS, Defect::NoSync);
    assert!(!figures.sound(), "{figures:#?}");
}

#[test]
fn an_answer_before_the_commit_is_found_out() {
    let figures = campaign(SEED, DEFECT_POINTS, Defect::EarlyAnswer);
    assert!(figures.lost > 0, "{figures:#?}");
    assert_eq!((figures.inconsistent, figures.unopenable), (0, 0), "{figures:#?}");
}

#[test]
fn an_index_in_a_transaction_of_its_own_is_found_out() {
    let figures = campaign(SEED, DEFECT_POINTS, Defect::IndexApart);
    let names_it = |finding: &String| finding.contains("unfinished but not ready in the index");
    assert!(figures.findings.iter().any(names_it), "{figures:#?}");
    assert_eq!((figures.lost, figures.unopenable), (0, 0), "{figures:#?}");
}
