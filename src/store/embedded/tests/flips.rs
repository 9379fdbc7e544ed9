//! Bits that flip on the disk, in every region of the file: what is read is as it was written or an
//! error, the check finds what is wrong, and the export saves the rest.

use super::crash::disk::Disk;
use super::storage::Storage;
use super::*;
use crate::job::{Batch, BatchProgress, Delivery, Failure, Reason};
use crate::tests::fuzz::Dice;

/// Files that are damaged, in the ordinary run.
const FLIPS: u64 = 40;
/// The first page of the file, bytes: it has the database's header.
const HEADER_BYTES: usize = 4_096;
const JOBS: u64 = 120;
const BATCHES: usize = 20;

/// A store's file, and what every job and its result must read as.
struct Sound {
    image: Vec<u8>,
    jobs: Vec<(Uuid, Job, Option<Vec<u8>>)>,
    batches: Vec<Batch>,
    deliveries: Vec<(Row, Delivery)>,
    days: Vec<DailyUsage>,
    credits: Credits,
}

fn sound() -> Sound {
    let fixture = Fixture::new();
    let mut jobs = Vec::new();
    for n in 0..JOBS {
        let prompt = format!("prompt {n} ").repeat(if n % 5 == 0 { 90 } else { 1 });
        let webhook_url = (n % 2 == 0).then(|| format!("https://a.example/{n}"));
        let new = Job { webhook_url, ..fixture.new_job(&prompt) };
        let mut job = fixture.submit(new);
        let mut result = None;
        if n % 3 > 0 {
            job = fixture.apply(job.row, 10, Event::Start);
        }
        if n % 3 == 2 {
            let json = format!("{{\"row\":{},\"text\":\"{}\"}}", job.row, "42 ".repeat(300));
            let new =
                NewResult { json: json.clone().into_bytes(), cache_hash: Some(job.row.into()) };
            job = fixture.apply_with(
                job.row,
                20,
                Event::Succeed { lease: 1, present: None },
                Some(new),
            );
            result = Some(json.into_bytes());
        }
        jobs.push((fixture.store.id_of(&job), job, result));
    }
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let (batch, items) = submit_batch(&fixture);
        batches.push(batch);
        jobs.extend(items.into_iter().map(|job| (fixture.store.id_of(&job), job, None)));
    }
    let store = &fixture.store;
    let delivery = |row| store.delivery(row).wait().unwrap().map(|delivery| (row, delivery));
    let deliveries = jobs.iter().filter_map(|(_, job, _)| delivery(job.row)).collect();
    let days = store.usage("team-a", START_MS, START_MS).wait().unwrap();
    let credits = store.credits("team-a", MONTH).wait().unwrap();
    store.close();
    let image = std::fs::read(file(fixture.directory.path())).unwrap();
    Sound { image, jobs, batches, deliveries, days, credits }
}

/// A batch of two, of which one has failed.
pub(super) fn submit_batch(fixture: &Fixture) -> (Batch, Vec<Job>) {
    let (key, identities) = fixture.store.new_batch_identity("team-a", 2).wait().unwrap();
    let job = |identity: NewIdentity| Job {
        row: identity.row,
        nonce: identity.nonce,
        batch: Some(key),
        ..fixture.new_job("an item")
    };
    let items: Vec<Job> = identities.into_iter().map(job).collect();
    let batch = Batch {
        key,
        account: "team-a".to_owned(),
        label: Some("nightly".to_owned()),
        items: 2,
        refused: Vec::new(),
        created_ms: START_MS,
        expires_ms: START_MS + RETENTION_MS,
        idempotency: None,
        webhook_url: None,
        progress: BatchProgress::default(),
    };
    let new = |job: &Job| NewItem { job: job.clone(), result: None, limits: NO_LIMITS };
    let pending = fixture.store.submit_batch(batch, items.iter().map(new).collect());
    pending.wait().unwrap().unwrap();
    let failure = Failure::new(Reason::Canceled, "no");
    let failed = fixture.apply(items[0].row, 10, Event::Stop { failure });
    let batch = fixture.store.batch(key.id, START_MS).wait().unwrap().unwrap();
    assert_eq!(batch.progress.failed, 1);
    (batch, vec![failed, items[1].clone()])
}

fn file(directory: &Path) -> std::path::PathBuf {
    directory.join("answerd.redb")
}

/// What damaged files have shown.
#[derive(Debug, Default)]
struct Figures {
    /// The store did not open, and said that it is damaged.
    refused: usize,
    /// Jobs that were read as they are, that were refused, and that were not found.
    right: usize,
    errors: usize,
    missing: usize,
    /// Files in which the check found something.
    found: usize,
    exported: usize,
}

/// Flips one to three bits, a quarter of the time in the header and else in pages that are used.
fn flip(image: &mut [u8], dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let at = if dice.percent(25) {
            dice.below(HEADER_BYTES)
        } else {
            loop {
                let at = dice.below(image.len());
                let page = at - at % HEADER_BYTES;
                let end = image.len().min(page + HEADER_BYTES);
                if image[page..end].iter().any(|byte| *byte != 0) {
                    break at;
                }
            }
        };
        image[at] ^= 1 << dice.below(8);
    }
}

fn line(job: &Job, id: Uuid, result: Option<&[u8]>) -> Vec<u8> {
    let result = result.map(|json| String::from_utf8_lossy(json).into_owned());
    format!("{id} {job:?} {result:?}").into_bytes()
}

/// The line of a job, with the nil id in place of its own.
fn with_nil_id(line: &[u8]) -> Vec<u8> {
    let nil = Uuid::nil().to_string();
    [nil.as_bytes(), line.get(nil.len()..).unwrap_or_default()].concat()
}

/// How a job may be exported: without its result where that cannot be read, and without its id
/// where no id can be known.
fn lines_of(id: Uuid, job: &Job, result: &Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for id in [id, Uuid::nil()] {
        for result in [result.as_deref(), None] {
            lines.push(line(job, id, result));
            // Nor may the name of its scraper be.
            let mut unnamed = job.clone();
            unnamed.request.scraper = "scraper 0".to_owned();
            lines.push(line(&unnamed, id, result));
        }
    }
    lines
}

/// Reads all that there is of a damaged store by every way there is; nothing of it may be wrong.
fn probe(directory: &Path, sound: &Sound, figures: &mut Figures) {
    let lines: std::collections::HashSet<Vec<u8>> =
        sound.jobs.iter().flat_map(|(id, job, result)| lines_of(*id, job, result)).collect();
    let mut out = Vec::new();
    let complete = match Store::export(directory, &mut out, line) {
        Ok(ExportReport { written, unreadable_total, .. }) => {
            figures.exported += written as usize;
            for line in out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                // The key of the ids has no checksum but the database's own, and the report says
                // that this does not match.
                let in_doubt = unreadable_total > 0 && lines.contains(&with_nil_id(line));
                assert!(in_doubt || lines.contains(line), "{}", String::from_utf8_lossy(line));
            }
            unreadable_total == 0 && written == sound.jobs.len() as u64
        }
        Err(_) => false,
    };
    let image = std::fs::read(file(directory)).unwrap();
    let whole = read_all(directory, sound, figures);
    std::fs::write(file(directory), image).unwrap();
    let found = !Store::check(directory).is_ok_and(|report| report.problems_total == 0);
    figures.found += usize::from(found);
    assert!(found || (whole && complete), "what cannot be read is not found by the check");
}

/// Whether every job was read, and as it is.
fn read_all(directory: &Path, sound: &Sound, figures: &mut Figures) -> bool {
    let store = match Store::open(&options(directory)) {
        Ok(store) => store,
        Err(error) => {
            assert!(error.is_damage(), "{error}");
            figures.refused += 1;
            return false;
        }
    };
    let mut whole = true;
    for (id, job, result) in &sound.jobs {
        match store
            .read_job(*id, START_MS, |job, result| (job.clone(), result.map(<[u8]>::to_vec)))
            .wait()
        {
            Ok(Some((read, json))) => {
                assert_eq!((&read, &json), (job, result));
                figures.right += 1;
                continue;
            }
            Ok(None) => figures.missing += 1,
            Err(_) => figures.errors += 1,
        }
        whole = false;
    }
    whole &= read_others(&store, sound, figures);
    // Work goes on around the damage, or is refused: it does not take the process with it.
    for (_, job, _) in sound.jobs.iter().step_by(40) {
        let _ = store.transition(job.row, START_MS + 30, |_| Event::Start, None);
    }
    let _ = store.sweep(START_MS + 2 * RETENTION_MS, START_MS);
    store.close();
    whole
}

/// The same for all that is not a job.
fn read_others(store: &Store, sound: &Sound, figures: &mut Figures) -> bool {
    let mut whole = true;
    let mut judge = |right: Result<bool, StoreError>| match right {
        Ok(right) => {
            figures.right += usize::from(right);
            figures.missing += usize::from(!right);
            whole &= right;
        }
        Err(_) => {
            figures.errors += 1;
            whole = false;
        }
    };
    // What is not found may be missing, and is never another.
    fn same<T: PartialEq + std::fmt::Debug>(found: Option<T>, known: &T) -> bool {
        found.is_some_and(|found| {
            assert_eq!(&found, known);
            true
        })
    }
    for known in &sound.batches {
        judge(store.batch(known.key.id, START_MS).wait().map(|found| same(found, known)));
    }
    for (row, known) in &sound.deliveries {
        judge(store.delivery(*row).wait().map(|found| same(found, known)));
    }
    for (_, job, result) in &sound.jobs {
        let Some(result) = result else { continue };
        // An entry that leads to another's result is found out by the request in it.
        let cached = store.cached(job.row.into(), 0, START_MS + 100).wait();
        judge(cached.map(|found| match found {
            Some(found) if found.request == job.request => same(Some(&found.json), &result),
            Some(_) | None => false,
        }));
    }
    let days = store.usage("team-a", START_MS, START_MS).wait();
    judge(days.map(|days| same((!days.is_empty()).then_some(days), &sound.days)));
    let credits = store.credits("team-a", MONTH).wait();
    let none = Credits::default();
    judge(credits.map(|found| same((found != none).then_some(found), &sound.credits)));
    whole
}

#[test]
fn flipped_bits_are_never_served() {
    let seed = crash::setting("ANSWERD_CRASH_SEED", 1);
    let flips = crash::setting("ANSWERD_FLIPS", FLIPS);
    let sound = sound();
    let directory = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(seed);
    let mut figures = Figures::default();
    for _ in 0..flips {
        let mut image = sound.image.clone();
        flip(&mut image, &mut dice);
        std::fs::write(file(directory.path()), &image).unwrap();
        probe(directory.path(), &sound, &mut figures);
    }
    eprintln!("{flips} damaged files from seed {seed}: {figures:?}");
    assert!(figures.errors > 0 && figures.found > 0, "{figures:?}");
    let all = flips as usize * sound.jobs.len();
    assert!(figures.exported > all / 2, "the export saves little: {figures:?} of {all}");
}

/// What the check and the export find when a bit at each of these places has flipped; `None` where
/// the store cannot be opened then.
fn damaged(sound: &Sound, places: &[usize]) -> Option<(CheckReport, ExportReport)> {
    let mut image = sound.image.clone();
    for at in places {
        image[*at] ^= 4;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(file(directory.path()), &image).unwrap();
    let mut out = Vec::new();
    let exported = Store::export(directory.path(), &mut out, line).ok()?;
    Some((Store::check(directory.path()).unwrap(), exported))
}

/// Where a text stands in the file.
fn places(sound: &Sound, text: &[u8]) -> Vec<usize> {
    let image = &sound.image;
    (0..image.len() - text.len()).filter(|at| image[*at..].starts_with(text)).collect()
}

#[test]
fn check_and_export_name_the_record_that_a_bit_has_damaged() {
    let sound = sound();
    let (_, job, result) = sound.jobs.iter().find(|(_, _, result)| result.is_some()).unwrap();
    let mut flips = places(&sound, &result.as_ref().unwrap()[..20]);
    flips.iter_mut().for_each(|at| *at += 12);
    let (report, exported) = damaged(&sound, &flips).unwrap();
    let named = format!("result row {} is not a result", job.row);
    assert!(report.problems.contains(&named), "{:?}", report.problems);
    assert_eq!(exported.written, sound.jobs.len() as u64);
    assert_eq!(exported.unreadable_total, 1);
    assert!(exported.unreadable[0].starts_with("the result of job "), "{exported:?}");

    // A name has no checksum of its own.
    let (report, exported) = damaged(&sound, &places(&sound, b"perplexity")).unwrap();
    assert!(report.problems_total > 0 && exported.unreadable_total == 1, "{report:?} {exported:?}");
    assert!(exported.unreadable[0].contains("checksums do not match"), "{exported:?}");
}

#[test]
fn check_reports_a_file_that_cannot_be_opened() {
    let sound = sound();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(file(directory.path()), &sound.image[..sound.image.len() / 2]).unwrap();
    let report = Store::check(directory.path()).unwrap();
    assert!(report.problems[0].contains("cannot be opened, it is damaged: "), "{report:?}");
}

/// A page whose kind is none of the database's: nothing on it can be read, and everything around it
/// can.
#[test]
fn check_names_the_table_and_keys_of_an_unreadable_page() {
    let sound = sound();
    let (_, job, _) = &sound.jobs[JOBS as usize / 2];
    let at = places(&sound, job.request.prompt.as_bytes())[0];
    let disk = Disk::new(sound.image.clone());
    // Broken once it is open: a redb with its own debug checks reads every page when it opens.
    let database = disk.open(1 << 20, false).unwrap();
    let mut image = sound.image.clone();
    image[at - at % HEADER_BYTES] = 0;
    disk.replace(image);
    let mut report = CheckReport::default();
    report.check_database(database);
    let located = report.problems.iter().find_map(|problem| {
        let keys = problem.strip_prefix("table prompts cannot be read after key ")?;
        let (after, rest) = keys.split_once(" before key ")?;
        let (before, _) = rest.split_once(':')?;
        Some((after.parse::<u64>().ok()?, before.parse::<u64>().ok()?))
    });
    let (after, before) = located.unwrap_or_else(|| panic!("{:?}", report.problems));
    assert!(after < job.row && job.row < before, "{after} {} {before}", job.row);
}
