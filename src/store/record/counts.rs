//! Failed attempts and counts as stored on disk.

use bincode::{Decode, Encode};

use super::super::row::CountsKey;
use super::super::{StoreError, envelope};
use super::{FailureV1, at_end, decode, encode, failure_from_disk, failure_to_disk, seal, unseal};
use crate::job::{
    AttemptCall, AttemptEnd, CallOutcome, Cost, CostFrom, PassedOver, Reason, UpstreamUsage,
};

/// The version of attempts that have behind their record the calls that used something.
const CALLS_VERSION: u8 = 2;
/// The version of attempts that have behind their record all that they did.
const TRACE_VERSION: u8 = 3;

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
    /// Returns the number that stands for it in keys.
    pub(crate) const fn number(self) -> u8 {
        match self {
            CountsKind::Minute => 0,
            CountsKind::Bucket => 1,
            CountsKind::Since => 2,
        }
    }

    /// Returns the number from which on counts of this kind are kept; `None` if all are.
    pub(crate) fn kept_from(self, minutes_from: u64, buckets_from: u64) -> Option<u64> {
        match self {
            CountsKind::Minute => Some(minutes_from),
            CountsKind::Bucket => Some(buckets_from),
            CountsKind::Since => None,
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

/// What each of the attempts did, behind the record.
#[derive(Encode, Decode)]
struct TracesV3<S>(Vec<TraceV3<S>>);

/// When an attempt was due, and the upstreams that it came to.
#[derive(Encode, Decode)]
struct TraceV3<S> {
    due_ms: Option<u64>,
    calls: Vec<CallV3<S>>,
}

/// A call, or an upstream that was passed over.
#[derive(Encode, Decode)]
struct CallV3<S> {
    call: CallV2<S>,
    took_ms: Option<u64>,
    http_status: Option<u16>,
    /// Why it was not called, and for how long it would not be.
    passed_over: Option<(S, Option<u64>)>,
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
    if attempts.iter().all(AttemptEnd::is_told_by_result) {
        let calls = attempts.iter().map(|end| end.calls.iter().map(call_to_disk).collect());
        body.extend_from_slice(&encode(&CallsV2(calls.collect()))?);
        return Ok(envelope::seal(CALLS_VERSION, row, &body));
    }
    let traces = attempts.iter().map(|end| TraceV3 {
        due_ms: end.due_ms,
        calls: end.calls.iter().map(traced_to_disk).collect(),
    });
    body.extend_from_slice(&encode(&TracesV3(traces.collect()))?);
    Ok(envelope::seal(TRACE_VERSION, row, &body))
}

fn traced_to_disk(call: &AttemptCall) -> CallV3<&str> {
    CallV3 {
        call: call_to_disk(call),
        took_ms: call.took_ms,
        http_status: call.http_status,
        passed_over: match call.outcome {
            CallOutcome::PassedOver { why, wait_ms } => Some((why.word(), wait_ms)),
            CallOutcome::Answered | CallOutcome::Failed(_) => None,
        },
    }
}

/// Returns what is stored of a call; `None` if a later version passed it over for a reason of its
/// own.
fn traced_from_disk(disk: CallV3<String>) -> Option<AttemptCall> {
    let call = call_from_disk(disk.call);
    let outcome = match disk.passed_over {
        None => call.outcome,
        Some((word, wait_ms)) => {
            CallOutcome::PassedOver { why: PassedOver::from_word(&word)?, wait_ms }
        }
    };
    let (took_ms, http_status) = (disk.took_ms, disk.http_status);
    Some(AttemptCall { outcome, took_ms, http_status, ..call })
}

fn call_to_disk(call: &AttemptCall) -> CallV2<&str> {
    let UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost } =
        call.usage;
    CallV2 {
        upstream: &call.upstream,
        ended_ms: call.ended_ms,
        reason: call.reason().map(Reason::code),
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
        outcome: disk.reason.map_or(CallOutcome::Answered, |code| {
            // A reason of a later version is one all the same.
            CallOutcome::Failed(Reason::from_code(&code).unwrap_or(Reason::UpstreamError))
        }),
        took_ms: None,
        http_status: None,
        usage: UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost },
    }
}

pub(crate) fn decode_attempts(row: u64, bytes: &[u8]) -> Result<Vec<AttemptEnd>, StoreError> {
    let (body, version) = open_attempts(row, bytes)?;
    let (AttemptsV1::<String>(disk), rest) = decode(body)?;
    let (traces, rest) = match version {
        TRACE_VERSION => {
            let (TracesV3::<String>(traces), rest) = decode(rest)?;
            let trace = |trace: TraceV3<String>| {
                let calls = trace.calls.into_iter().filter_map(traced_from_disk).collect();
                (trace.due_ms, calls)
            };
            (traces.into_iter().map(trace).collect(), rest)
        }
        CALLS_VERSION => {
            let (CallsV2::<String>(calls), rest) = decode(rest)?;
            let calls = calls.into_iter().map(|of| of.into_iter().map(call_from_disk).collect());
            (calls.map(|calls| (None, calls)).collect(), rest)
        }
        _ => (Vec::<(Option<u64>, Vec<AttemptCall>)>::new(), rest),
    };
    at_end(rest)?;
    let traces = traces.into_iter().chain(std::iter::repeat_with(Default::default));
    let attempts = disk.into_iter().zip(traces).map(|(end, (due_ms, calls))| {
        Ok(AttemptEnd {
            number: end.number,
            due_ms,
            started_ms: end.started_ms,
            run_ms: end.run_ms,
            upstream: end.upstream,
            failure: end.failure.map(failure_from_disk).transpose()?,
            calls,
        })
    });
    attempts.collect()
}

/// Returns the body of a record of attempts, and its version.
fn open_attempts(row: u64, bytes: &[u8]) -> Result<(&[u8], u8), StoreError> {
    match envelope::open(super::VERSION, row, bytes) {
        Err(StoreError::Version(given)) => {
            let later = [CALLS_VERSION, TRACE_VERSION];
            let version = later.into_iter().find(|version| u32::from(*version) == given);
            let version = version.ok_or(StoreError::Version(given))?;
            Ok((envelope::open(version, row, bytes)?, version))
        }
        opened => Ok((opened?, super::VERSION)),
    }
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
            due_ms: Some(1_778_500_700_000),
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
        let call = |outcome, cost| AttemptCall {
            upstream: "openai".to_owned(),
            ended_ms: 1_778_500_800_077,
            outcome,
            took_ms: Some(70),
            http_status: Some(200),
            usage: UpstreamUsage { output_tokens: Some(9), cost, ..UpstreamUsage::default() },
        };
        let cost = Some(Cost { nano_usd: 1_234_567, from: CostFrom::Provider });
        let unsearched = call(CallOutcome::Failed(Reason::NoSearch), cost);
        let passed_over = CallOutcome::PassedOver { why: PassedOver::Paused, wait_ms: Some(9) };
        let passed_over = AttemptCall { outcome: passed_over, took_ms: None, ..unsearched.clone() };
        let answered = call(CallOutcome::Answered, None);
        let calls = vec![passed_over, unsearched, answered.clone()];
        let attempts = [failed.clone(), AttemptEnd { calls, failure: None, ..failed.clone() }];
        let with_calls = encode_attempts(7, &attempts).unwrap();
        assert_eq!(decode_attempts(7, &with_calls).unwrap(), attempts);
        let cut = &with_calls[..with_calls.len() - 1];
        assert!(decode_attempts(7, cut).is_err());
        // As answerd 0.1.0 wrote it: a job whose first upstream answered takes no more room.
        let first = AttemptEnd { number: 1, failure: None, calls: vec![answered], ..failed };
        let bytes = encode_attempts(7, std::slice::from_ref(&first)).unwrap();
        let mut kept = AttemptEnd { due_ms: None, ..first };
        (kept.calls[0].took_ms, kept.calls[0].http_status) = (None, None);
        assert_eq!(decode_attempts(7, &bytes).unwrap(), [kept]);
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
