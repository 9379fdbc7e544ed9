//! Evidence of attempts is kept with the rows of its hour.

use super::super::retention::bound_evidence;
use super::fixture::{Node, options};
use super::{HOUR_MS, Place, START_MS, block_on};
use crate::clock::Clock;
use crate::store::evidence_files::{EVIDENCE_FILE_BYTES_MAX, EVIDENCE_FILES_MAX};
use crate::store::{EvidenceOwner, StoreError};

#[test]
fn evidence_is_listed_read_and_removed() {
    let node = Node::alone();
    let job = EvidenceOwner::from(&node.submit(node.new_job("x")));
    let other = EvidenceOwner::from(&node.submit(node.new_job("y")));
    assert_eq!(node.store.evidence(job).unwrap(), []);
    let too_large = vec![0; EVIDENCE_FILE_BYTES_MAX + 1];
    let files = [
        ("2-a.png".to_owned(), &b"two"[..]),
        ("1-a.json".to_owned(), b"four"),
        ("3-a.png".to_owned(), &too_large),
    ];
    node.store.put_evidence(job, &files).unwrap();
    // Once more is no harm.
    node.store.put_evidence(job, &files[..1]).unwrap();
    let files = node.store.evidence(job).unwrap();
    let listed: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.bytes)).collect();
    assert_eq!(listed, [("1-a.json", 4), ("2-a.png", 3)]);
    let read = |job, name: &str| node.store.read_evidence(job, name).unwrap();
    assert_eq!(read(job, "2-a.png").as_deref(), Some(&b"two"[..]));
    assert_eq!((read(job, "none"), read(other, "2-a.png")), (None, None));
    node.store.remove_evidence(job).unwrap();
    assert_eq!(node.store.evidence(job).unwrap(), []);
    let many: Vec<(String, &[u8])> =
        (0..=EVIDENCE_FILES_MAX).map(|number| (format!("{number}"), &b""[..])).collect();
    node.store.put_evidence(other, &many).unwrap();
    assert_eq!(node.store.evidence(other).unwrap().len(), EVIDENCE_FILES_MAX);
    node.store.close();
}

#[test]
fn evidence_of_the_oldest_hour_goes_when_there_is_too_much() -> Result<(), StoreError> {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let near = options(&place, "a");
    let node = Node::of(crate::store::shared::options::SharedOptions { clock, ..near });
    let mut jobs = Vec::new();
    // Bytes that do not become less by compression.
    let mut state = 1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let content: Vec<u8> = (0..200_000).map(|_| random()).collect();
    for _ in 0..3 {
        let job = loop {
            // Row numbers of the next hour are on their way.
            match node.store.new_identity("team-a") {
                Ok(_) => break node.new_job("x"),
                Err(StoreError::Busy) => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        };
        let job = EvidenceOwner::from(&node.submit(job));
        node.store.put_evidence(job, &[("a".to_owned(), &content)])?;
        jobs.push(job);
        hand.advance_ms(HOUR_MS + 60_000);
    }
    let sizes = "SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class c \
                 WHERE relname LIKE 'evidence\\_%' AND relkind = 'r' \
                 AND relnamespace = current_schema()::regnamespace";
    let total: i64 = node.ask(sizes, vec![])[0].get(0);
    block_on(async { bound_evidence(&place.connect().await, total as u64 - 1).await })?;
    let kept: Vec<usize> =
        jobs.iter().map(|job| node.store.evidence(*job).unwrap().len()).collect();
    assert_eq!(kept, [0, 1, 1]);
    node.store.close();
    Ok(())
}
