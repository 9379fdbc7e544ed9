//! Idempotency keys: which job a repeated submit belongs to. An entry lives as long as its job.

use sha2::{Digest, Sha256};

use super::writes::SubmitError;
use crate::clock::UnixMs;
use crate::job::{Batch, Handling, Idempotency, Job, ScrapeRequest};

/// Returns what is kept of a key, which is the account's own, and of the request that it came with.
pub fn idempotency_of(
    account: &str,
    key: &str,
    request: &ScrapeRequest,
    handling: &Handling,
) -> Idempotency {
    Idempotency {
        key_hash: hash(&[account.as_bytes(), key.as_bytes()]),
        request_hash: asked_hash(request, handling),
    }
}

/// Does what [`idempotency_of`] does, for a batch of `samples` scrapes of the same.
pub fn idempotency_of_samples(
    account: &str,
    key: &str,
    samples: usize,
    request: &ScrapeRequest,
    handling: &Handling,
) -> Idempotency {
    let asked = asked_hash(request, handling).to_be_bytes();
    Idempotency {
        key_hash: hash(&[account.as_bytes(), key.as_bytes()]),
        request_hash: hash(&[b"samples", &(samples as u64).to_be_bytes(), &asked]),
    }
}

fn asked_hash(request: &ScrapeRequest, handling: &Handling) -> u128 {
    let mut hash = PartsHash::default();
    request.feed_asked(handling, &mut |part| hash.add(part));
    hash.finish()
}

/// Does what [`idempotency_of`] does, for a batch: `asked` is the whole of what the client asked
/// for.
pub fn idempotency_of_batch(account: &str, key: &str, asked: &[u8]) -> Idempotency {
    Idempotency {
        key_hash: hash(&[account.as_bytes(), key.as_bytes()]),
        request_hash: hash(&[b"batch", asked]),
    }
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = PartsHash::default();
    parts.iter().for_each(|part| hash.add(part));
    hash.finish()
}

/// The first half of a SHA-256 over parts that cannot run into one another.
#[derive(Default)]
struct PartsHash(Sha256);

impl PartsHash {
    fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn finish(self) -> u128 {
        let digest: [u8; 32] = self.0.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        u128::from_be_bytes(half)
    }
}

/// The existing job or batch of an idempotency key.
pub(super) enum Existing {
    Job(Box<Job>),
    Batch(Box<Batch>),
}

impl Existing {
    /// Returns the job that a row of the key has, if it exists at `now_ms` and has this key.
    pub(super) fn job(job: Job, known: Idempotency, now_ms: UnixMs) -> Option<Existing> {
        let is_current = has_key(job.idempotency, known) && job.expires_ms > now_ms;
        is_current.then(|| Existing::Job(Box::new(job)))
    }

    /// Does what [`Existing::job`] does, for a batch.
    pub(super) fn batch(batch: Batch, known: Idempotency, now_ms: UnixMs) -> Option<Existing> {
        let is_current = has_key(batch.idempotency, known) && batch.expires_ms > now_ms;
        is_current.then(|| Existing::Batch(Box::new(batch)))
    }

    /// Returns the job that a repeated submit of one belongs to.
    ///
    /// # Errors
    /// Returns an error if the key came with another request.
    pub(super) fn repeated_job(self, known: Idempotency) -> Result<Job, SubmitError> {
        match self {
            Existing::Job(earlier) if earlier.idempotency == Some(known) => Ok(*earlier),
            Existing::Job(_) | Existing::Batch(_) => Err(SubmitError::KeyReused),
        }
    }

    /// Returns the batch that a repeated submit of one belongs to.
    ///
    /// # Errors
    /// Returns an error if the key came with another request.
    pub(super) fn repeated_batch(self, known: Idempotency) -> Result<Batch, SubmitError> {
        match self {
            Existing::Batch(earlier) if earlier.idempotency == Some(known) => Ok(*earlier),
            Existing::Batch(_) | Existing::Job(_) => Err(SubmitError::KeyReused),
        }
    }
}

fn has_key(of: Option<Idempotency>, known: Idempotency) -> bool {
    of.is_some_and(|of| of.key_hash == known.key_hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::RawRequest;
    use crate::store::request_hash;

    /// A key that came with one of these requests is found after an upgrade only if its hash is
    /// still the same: these figures are on disk.
    #[test]
    fn hashes_of_a_request_stay_as_they_are_on_disk() {
        let raw = RawRequest {
            prompt: Some("What?".to_owned()),
            mode: Some("deep".to_owned()),
            label: Some("l".to_owned()),
            start_within: Some(60.0),
            webhook_url: Some("https://a.example/".to_owned()),
            ..RawRequest::default()
        };
        let handling = raw.clone().take_handling().unwrap();
        let request = raw.check("grok", &[]).unwrap();
        let known = idempotency_of("team-a", "k", &request, &handling);
        let samples = idempotency_of_samples("team-a", "k", 3, &request, &handling);
        assert_eq!(known.key_hash, 0x7093abdd_cbd1b9e9_c6ada5bf_4f2e8487);
        assert_eq!(known.request_hash, 0x516815d8_83b2ef79_ed4fa221_0a5b1f1d);
        assert_eq!(samples.request_hash, 0x1c59e4e7_da92f1fe_3af7dfc8_1544fcd4);
        assert_eq!(request_hash(&request), 0x2fc0af00_293f87cf_dcd1f0c9_5ffebd6a);
        assert_eq!(samples.key_hash, known.key_hash);
        assert_ne!(
            idempotency_of_samples("team-a", "k", 4, &request, &handling).request_hash,
            samples.request_hash
        );
    }

    #[test]
    fn accounts_and_keys_do_not_mix_and_everything_asked_for_counts() {
        let request = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() }
            .check("chatgpt", &[])
            .unwrap();
        let handling = Handling::default();
        let known = |account, key| idempotency_of(account, key, &request, &handling);
        assert_eq!(known("a", "k"), known("a", "k"));
        assert_ne!(known("a", "bk").key_hash, known("ab", "k").key_hash);
        assert_eq!(known("a", "1").request_hash, known("b", "2").request_hash);
        for other in [
            ScrapeRequest { prompt: "y".to_owned(), ..request.clone() },
            ScrapeRequest { scraper: "grok".to_owned(), ..request.clone() },
            ScrapeRequest { country: "DE".to_owned(), ..request.clone() },
            ScrapeRequest { timeout_ms: 10_000, ..request.clone() },
            ScrapeRequest { bypass_cache: true, ..request.clone() },
            ScrapeRequest { mode: Some("deep".to_owned()), ..request.clone() },
        ] {
            assert_ne!(idempotency_of("a", "k", &other, &handling), known("a", "k"), "{other:?}");
        }
        let labeled = Handling { label: Some("l".to_owned()), ..Handling::default() };
        assert_ne!(idempotency_of("a", "k", &request, &labeled), known("a", "k"));
        let webhook_url = Some("https://a.example/".to_owned());
        let told = Handling { webhook_url, ..Handling::default() };
        assert_ne!(idempotency_of("a", "k", &request, &told), known("a", "k"));
        let ahead = Handling { interactive: true, ..Handling::default() };
        assert_ne!(idempotency_of("a", "k", &request, &ahead), known("a", "k"));
    }
}
