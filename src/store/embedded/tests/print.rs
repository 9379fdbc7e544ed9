//! The whole state of a store as text, a line for a row, without what is random.

use std::fmt::Write as _;

use redb::{ReadTransaction, ReadableTable};

use super::super::*;
use super::START_MS;
use crate::clock::UnixMs;
use crate::job::{DeliveryState, State, Subject};
use crate::store::*;

/// The whole state.
pub(crate) fn state(store: &Store) -> String {
    let scrapers = &store.scrapers;
    let print = |transaction: &ReadTransaction| {
        let mut text = String::new();
        print_jobs(&mut text, transaction, scrapers);
        print_indexes(&mut text, transaction, scrapers);
        print_deliveries(&mut text, transaction);
        print_credits(&mut text, transaction);
        for entry in scrapers.iter() {
            let unfinished = store.unfinished(entry.number);
            if unfinished > 0 {
                writeln!(text, "unfinished {}: {unfinished}", entry.name).unwrap();
            }
        }
        text
    };
    store.embedded().unwrap().shared.read(|snapshot| Ok(print(snapshot.transaction()))).unwrap()
}

/// A time as it is printed: milliseconds after the start of the test.
fn after(at_ms: UnixMs) -> String {
    let after_ms = i128::from(at_ms) - i128::from(START_MS);
    format!("{after_ms:+}")
}

fn print_day(text: &mut String, account: &str, day: u32, used: &accounts::DayRecord) {
    for (scraper, used) in &used.0 {
        let Usage { jobs, done, failed, cached, credits } = used;
        writeln!(
            text,
            "use {account} {day} scraper {scraper}: {jobs} jobs, {done} done, {failed} failed, \
             {cached} cached, {credits} credits"
        )
        .unwrap();
    }
}

fn print_jobs(text: &mut String, transaction: &ReadTransaction, scrapers: &Scrapers) {
    let prompts = transaction.open_table(tables::PROMPTS).unwrap();
    for entry in transaction.open_table(tables::JOBS).unwrap().iter().unwrap() {
        let (row, bytes) = entry.unwrap();
        let row = row.value();
        let prompt = || Ok(prompts.get(row).unwrap().map(|prompt| prompt.value().to_owned()));
        let name = |number| scrapers.name(number);
        let (job, _) = decode_job(row, bytes.value(), name, prompt).unwrap();
        let state = match &job.state {
            State::Queued => "queued".to_owned(),
            State::Running => "running".to_owned(),
            State::WaitingRetry { last } => format!("waiting after {}", last.reason.code()),
            State::Done => "done".to_owned(),
            State::Failed(failure) => format!("failed with {}", failure.reason.code()),
        };
        write!(text, "job {row} {} {}: {state}", job.request.scraper, job.account).unwrap();
        write!(text, ", attempts {}, lease {}, price {}", job.attempts, job.lease, job.price)
            .unwrap();
        write!(text, ", due {}, expires {}", after(job.due_ms), after(job.expires_ms)).unwrap();
        for (word, at_ms) in [("started", job.started_ms), ("completed", job.completed_ms)] {
            if let Some(at_ms) = at_ms {
                write!(text, ", {word} {}", after(at_ms)).unwrap();
            }
        }
        for (word, set) in [("interactive", job.interactive), ("cached", job.cached)] {
            if set {
                write!(text, ", {word}").unwrap();
            }
        }
        if let Some(label) = &job.label {
            write!(text, ", label {label}").unwrap();
        }
        text.push('\n');
    }
    for entry in prompts.iter().unwrap() {
        let (row, prompt) = entry.unwrap();
        writeln!(text, "prompt {}: {} bytes", row.value(), prompt.value().len()).unwrap();
    }
    for entry in transaction.open_table(tables::RESULTS).unwrap().iter().unwrap() {
        let (row, bytes) = entry.unwrap();
        let json = record::decode_result(row.value(), bytes.value()).unwrap().to_vec();
        let json = String::from_utf8(json).unwrap();
        writeln!(text, "result {}: {json}", row.value()).unwrap();
    }
}

fn print_indexes(text: &mut String, transaction: &ReadTransaction, scrapers: &Scrapers) {
    for entry in transaction.open_table(tables::READY).unwrap().iter().unwrap() {
        let (scraper, interactive, due_ms, row) = entry.unwrap().0.value();
        let lane = if interactive { "interactive" } else { "queued" };
        let name = scrapers.name(scraper).unwrap();
        writeln!(text, "ready {name} {lane} {}: {row}", after(due_ms)).unwrap();
    }
    for entry in transaction.open_table(tables::EXPIRY).unwrap().iter().unwrap() {
        let (expires_ms, row) = entry.unwrap().0.value();
        writeln!(text, "expiry {}: {row}", after(expires_ms)).unwrap();
    }
    for entry in transaction.open_table(tables::DEADLINES).unwrap().iter().unwrap() {
        let (start_by_ms, row) = entry.unwrap().0.value();
        writeln!(text, "deadline {}: {row}", after(start_by_ms)).unwrap();
    }
    for entry in transaction.open_table(tables::IDEMPOTENCY).unwrap().iter().unwrap() {
        let (key_hash, row) = entry.unwrap();
        writeln!(text, "idempotency key {}: {}", key_hash.value(), row.value()).unwrap();
    }
    for entry in transaction.open_table(tables::OUTBOX).unwrap().iter().unwrap() {
        let (due_ms, row) = entry.unwrap().0.value();
        writeln!(text, "outbox {}: {row}", after(due_ms)).unwrap();
    }
    for entry in transaction.open_table(tables::CACHE).unwrap().iter().unwrap() {
        let (key, hash) = entry.unwrap();
        let (stored_ms, row) = key.value();
        writeln!(text, "cache {} {row}: hash {}", after(stored_ms), hash.value()).unwrap();
    }
}

fn print_deliveries(text: &mut String, transaction: &ReadTransaction) {
    for entry in transaction.open_table(tables::DELIVERIES).unwrap().iter().unwrap() {
        let (row, bytes) = entry.unwrap();
        let delivery = record::decode_delivery(row.value(), bytes.value()).unwrap();
        let of = match delivery.subject {
            Subject::Job => "job",
            Subject::Batch => "batch",
            Subject::Notice => "notice",
        };
        let state = match delivery.state {
            DeliveryState::Pending { due_ms } => format!("due {}", after(due_ms)),
            DeliveryState::Delivered => "delivered".to_owned(),
            DeliveryState::Failed(why) => format!("given up, {}", why.word()),
        };
        let attempts = delivery.attempts;
        writeln!(text, "delivery of {of} {}: {state}, attempts {attempts}", row.value()).unwrap();
    }
}

fn print_credits(text: &mut String, transaction: &ReadTransaction) {
    for entry in transaction.open_table(tables::CREDITS).unwrap().iter().unwrap() {
        let (key, value) = entry.unwrap();
        let (account, month) = key.value();
        if month >= accounts::DAY_MIN {
            print_day(text, account, month, &record::decode_day(month, value.value()).unwrap());
            continue;
        }
        let Credits { reserved, used } = record::decode_credits(month, value.value()).unwrap();
        writeln!(text, "credits {account} {month}: {reserved} reserved, {used} used").unwrap();
    }
}
