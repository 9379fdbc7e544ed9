//! What a check has found so far: the report, and what the jobs of all hours add up to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::clock::UnixMs;
use crate::id::IdCipher;
use crate::store::accounts::{Credits, Usage};
use crate::store::shared::process::AccountNumber;
use crate::store::shared::row_number::Hour;
use crate::store::{CheckReport, Row};

/// The findings of a check.
pub(super) struct CheckFindings {
    pub report: CheckReport,
    pub cipher: IdCipher,
    /// Names of scrapers by their numbers.
    pub scrapers: HashMap<u16, String>,
    /// What has expired by then may be gone.
    pub now_ms: UnixMs,
    /// What the jobs have reserved and used, by account and month.
    pub credits: BTreeMap<(AccountNumber, u32), Credits>,
    /// What the jobs count as, by account, day and scraper.
    pub usage: BTreeMap<(AccountNumber, u32, u16), Usage>,
    /// Hours that were removed while the check went on, or are about to be: their jobs have
    /// expired, and are counted nowhere above.
    pub skipped: BTreeSet<Hour>,
}

impl CheckFindings {
    pub(super) fn new(
        cipher: IdCipher,
        scrapers: HashMap<u16, String>,
        now_ms: UnixMs,
    ) -> CheckFindings {
        CheckFindings {
            report: CheckReport { hours: Some(0), ..CheckReport::default() },
            cipher,
            scrapers,
            now_ms,
            credits: BTreeMap::new(),
            usage: BTreeMap::new(),
            skipped: BTreeSet::new(),
        }
    }

    /// Adds a problem.
    pub(super) fn problem(&mut self, sentence: String) {
        self.report.problem(sentence);
    }

    /// Returns how a job is named in a sentence, of which the nonce could be read.
    pub(super) fn named(&self, row: Row, nonce: u128) -> String {
        let id: Uuid = self.cipher.seal(row, nonce);
        format!("job row {row} ({id})")
    }
}
