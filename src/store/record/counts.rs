//! Failed attempts and counts as stored on disk.

use bincode::{Decode, Encode};

use super::super::row::CountsKey;
use super::super::{StoreError, envelope};
use super::{FailureV1, at_end, decode, encode, failure_from_disk, failure_to_disk, seal, unseal};
use crate::job::{AttemptCall, AttemptEnd, Cost, CostFrom, Reason, UpstreamUsage};

/// The version of attempts that have calls behind their record.
const CALLS_VERSION: u8 = 2;

/// The kind of a record of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountsKind {
    /// A minute of a scraper's attempts.
    Minute,
    /// Five minutes of its jobs and attempts.
    Bucket,
    /// The moment from which on there are counts, as the number of its record.
    Since,
}

impl CountsKind {
    const fn number(self) -> u8 {
        match self {
            CountsKind::Minute => 0,
            CountsKind::Bucket => 1,
            CountsKind::Since => 2,
        }
    }

    pub fn from_number(number: u8) -> Option<CountsKind> {
        let kinds = [CountsKind::Minute, CountsKind::Bucket, CountsKind::Since];
        kinds.into_iter().find(|kind| kind.number() == number)
    }
}

/// One record of counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    pub kind: CountsKind,
    /// The number of the scraper.
    pub scraper: u16,
    /// Of the minute or of the five minutes, since the Unix epoch.
    pub number: u64,
    /// By what was counted, without those that are 0.
    pub named: Vec<(String, u32)>,
    /// How many times were counted at each place of a histogram, without those that are 0.
    pub times: Vec<(u16, u32)>,
}

impl Counts {
    /// Returns what was counted under a name.
    pub fn named(&self, name: &str) -> u32 {
        self.named.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
    }

    pub fn key(&self) -> CountsKey {
        (self.kind.number(), self.scraper, self.number)
    }
}

#[derive(Encode, Decode)]
struct AttemptsV1<S>(Vec<AttemptV1<S>>);

#[derive(Encode, Decode)]
struct AttemptV1<S> {
    number: u32,
    started_ms: u64,
    run_ms: u64,
    upstream: Option<S>,
    failure: Option<FailureV1<S>>,
}

/// The calls of an attempt, behind the record of those attempts of which no call is known.
#[derive(Encode, Decode)]
struct CallsV2<S>(Vec<Vec<CallV2<S>>>);

#[derive(Encode, Decode)]
struct CallV2<S> {
    upstream: S,
    ended_ms: u64,
    reason: Option<S>,
    /// Tokens in, out and of the reasoning, and searches.
    counts: [Option<u64>; 4],
    /// Billionths of a dollar, and whether the provider says so.
    cost: Option<(u64, bool)>,
}

#[derive(Encode, Decode)]
struct CountsV1 {
    named: Vec<(String, u32)>,
    times: Vec<(u16, u32)>,
}

pub(crate) fn encode_attempts(row: u64, attempts: &[AttemptEnd]) -> Result<Vec<u8>, StoreError> {
    let disk = attempts.iter().map(|end| AttemptV1 {
        number: end.number,
        started_ms: end.started_ms,
        run_ms: end.run_ms,
        upstream: end.upstream.as_deref(),
        failure: end.failure.as_ref().map(failure_to_disk),
    });
    let mut body = encode(&AttemptsV1(disk.collect()))?;
    if attempts.iter().all(|end| end.calls.is_empty()) {
        return Ok(envelope::seal(super::VERSION, row, &body));
    }
    let calls = attempts.iter().map(|end| end.calls.iter().map(call_to_disk).collect());
    body.extend_from_slice(&encode(&CallsV2(calls.collect()))?);
    Ok(envelope::seal(CALLS_VERSION, row, &body))
}

fn call_to_disk(call: &AttemptCall) -> CallV2<&str> {
    let UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost } =
        call.usage;
    CallV2 {
        upstream: &call.upstream,
        ended_ms: call.ended_ms,
        reason: call.reason.map(Reason::code),
        counts: [input_tokens, output_tokens, reasoning_tokens, searches],
        cost: cost.map(|cost| (cost.nano_usd, cost.from == CostFrom::Provider)),
    }
}

fn call_from_disk(disk: CallV2<String>) -> AttemptCall {
    let [input_tokens, output_tokens, reasoning_tokens, searches] = disk.counts;
    let cost = disk.cost.map(|(nano_usd, told)| Cost {
        nano_usd,
        from: if told { CostFrom::Provider } else { CostFrom::Table },
    });
    AttemptCall {
        upstream: disk.upstream,
        ended_ms: disk.ended_ms,
        // A reason of a later version is one all the same.
        reason: disk.reason.map(|code| Reason::from_code(&code).unwrap_or(Reason::UpstreamError)),
        usage: UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost },
    }
}

pub(crate) fn decode_attempts(row: u64, bytes: &[u8]) -> Result<Vec<AttemptEnd>, StoreError> {
    let (body, has_calls) = match envelope::open(super::VERSION, row, bytes) {
        Err(StoreError::Version(version)) if version == u32::from(CALLS_VERSION) => {
            (envelope::open(CALLS_VERSION, row, bytes)?, true)
        }
        opened => (opened?, false),
    };
    let (AttemptsV1::<String>(disk), mut rest) = decode(body)?;
    let mut calls = Vec::new();
    if has_calls {
        let (CallsV2::<String>(decoded), behind) = decode(rest)?;
        (calls, rest) = (decoded, behind);
    }
    at_end(rest)?;
    let calls = calls.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    let attempts = disk.into_iter().zip(calls).map(|(end, calls)| {
        Ok(AttemptEnd {
            number: end.number,
            started_ms: end.started_ms,
            run_ms: end.run_ms,
            upstream: end.upstream,
            failure: end.failure.map(failure_from_disk).transpose()?,
            calls: calls.unwrap_or_default().into_iter().map(call_from_disk).collect(),
        })
    });
    attempts.collect()
}

pub(crate) fn encode_counts(counts: &Counts) -> Result<Vec<u8>, StoreError> {
    let disk = CountsV1 { named: counts.named.clone(), times: counts.times.clone() };
    seal(counts.number, &disk)
}

pub(crate) fn decode_counts(
    kind: CountsKind,
    scraper: u16,
    number: u64,
    bytes: &[u8],
) -> Result<Counts, StoreError> {
    let CountsV1 { named, times } = unseal(number, bytes)?;
    Ok(Counts { kind, scraper, number, named, times })
}

/// Returns whether stored counts are as they were stored, whatever they count.
pub(crate) fn check_counts(number: u64, bytes: &[u8]) -> Result<(), StoreError> {
    envelope::open(super::VERSION, number, bytes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Failure;

    #[test]
    fn attempts_and_counts_come_back_as_they_went() {
        let failed = AttemptEnd {
            number: 2,
            started_ms: 1_778_500_800_000,
            run_ms: 77,
            upstream: Some("openai".to_owned()),
            failure: Some(Failure::new(Reason::Overloaded, "busy")),
            calls: Vec::new(),
        };
        let second = AttemptEnd { upstream: None, failure: None, ..failed.clone() };
        let attempts = [failed.clone(), second];
        let bytes = encode_attempts(7, &attempts).unwrap();
        assert_eq!(decode_attempts(7, &bytes).unwrap(), attempts);
        assert!(decode_attempts(8, &bytes).is_err());
        let call = |reason, cost| AttemptCall {
            upstream: "openai".to_owned(),
            ended_ms: 1_778_500_800_077,
            reason,
            usage: UpstreamUsage { output_tokens: Some(9), cost, ..UpstreamUsage::default() },
        };
        let cost = Some(Cost { nano_usd: 1_234_567, from: CostFrom::Provider });
        let calls = vec![call(Some(Reason::NoSearch), cost), call(None, None)];
        let attempts = [failed.clone(), AttemptEnd { calls, failure: None, ..failed }];
        let with_calls = encode_attempts(7, &attempts).unwrap();
        assert_eq!(decode_attempts(7, &with_calls).unwrap(), attempts);
        let cut = &with_calls[..with_calls.len() - 1];
        assert!(decode_attempts(7, cut).is_err());
        let counts = Counts {
            kind: CountsKind::Bucket,
            scraper: 3,
            number: 5_928_336,
            named: vec![("done".to_owned(), 9)],
            times: vec![(151, 1)],
        };
        let bytes = encode_counts(&counts).unwrap();
        check_counts(counts.number, &bytes).unwrap();
        let read = decode_counts(CountsKind::Bucket, 3, counts.number, &bytes).unwrap();
        assert_eq!(read, counts);
    }
}
