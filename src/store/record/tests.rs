use super::*;
use crate::job::{Kind, RawRequest};

fn job(prompt: &str) -> Job {
    let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
    Job {
        account: "team-a".to_owned(),
        state: State::WaitingRetry { last: Failure::new(Reason::Overloaded, "busy") },
        attempts: 2,
        lease: 3,
        due_ms: 1_778_500_801_000,
        started_ms: Some(1_778_500_800_100),
        interactive: true,
        deadline_ms: Some(1_778_500_860_000),
        label: Some("nightly".to_owned()),
        start_by_ms: Some(1_778_500_900_000),
        webhook_url: Some("https://a.example/hook".to_owned()),
        ..Job::fixture(7, 99, raw.check("chatgpt", &[]).unwrap(), 1_778_500_800_000)
    }
}

#[test]
fn a_job_comes_back_as_it_went() {
    let job = job("short");
    let bytes = encode_job(&job, 4).unwrap();
    assert!(bytes.len() < 200, "{} bytes", bytes.len());
    let name = |number| (number == 4).then(|| "chatgpt".to_owned());
    let (read, number) = decode_job(7, &bytes, name, || Ok(None)).unwrap();
    assert_eq!((read, number), (job, 4));
}

#[test]
fn what_is_asked_beyond_the_contract_comes_back_and_costs_others_nothing() {
    let mut job = job("short");
    let plain = encode_job(&job, 4).unwrap();
    job.request.location.city = Some("Austin".to_owned());
    job.request.kind = Some(Kind::Serp);
    job.request.require_search = true;
    job.keep_raw = true;
    job.track = Some("acme".to_owned());
    let bytes = encode_job(&job, 4).unwrap();
    assert_ne!((bytes[0], bytes.len()), (plain[0], plain.len()));
    let name = |_| Some("chatgpt".to_owned());
    let (read, _) = decode_job(7, &bytes, name, || Ok(None)).unwrap();
    assert_eq!(read, job);
    let long =
        Job { request: ScrapeRequest { prompt: "x".repeat(600), ..job.request.clone() }, ..job };
    let bytes = encode_job(&long, 4).unwrap();
    let prompt = long.request.prompt.clone();
    let (read, _) = decode_job(7, &bytes, name, || Ok(Some(prompt))).unwrap();
    assert_eq!(read, long);
}

#[test]
fn job_says_whether_an_answer_was_there() {
    for (prompt, present) in [("short", true), ("short", false), (&"long ".repeat(600), false)] {
        let job = Job { state: State::Done, present: Some(present), ..job(prompt) };
        let bytes = encode_job(&job, 4).unwrap();
        let name = |_| Some("chatgpt".to_owned());
        let (read, _) = decode_job(7, &bytes, name, || Ok(Some(prompt.to_owned()))).unwrap();
        assert_eq!(read, job);
    }
}

#[test]
fn a_long_prompt_stands_elsewhere() {
    let job = job(&"long ".repeat(600));
    let bytes = encode_job(&job, 4).unwrap();
    assert!(bytes.len() < 200, "{} bytes", bytes.len());
    let name = |_| Some("chatgpt".to_owned());
    let prompt = job.request.prompt.clone();
    let (read, _) = decode_job(7, &bytes, name, || Ok(Some(prompt))).unwrap();
    assert_eq!(read, job);
    assert!(matches!(decode_job(7, &bytes, name, || Ok(None)), Err(StoreError::Damaged(_))));
}

#[test]
fn a_newer_or_broken_record_is_an_error_never_a_guess() {
    let mut bytes = encode_job(&job("x"), 4).unwrap();
    bytes.push(0);
    let name = |_| Some("chatgpt".to_owned());
    assert!(matches!(decode_job(7, &bytes, name, || Ok(None)), Err(StoreError::Damaged(_))));
    bytes[0] = 9;
    assert!(matches!(decode_job(7, &bytes, name, || Ok(None)), Err(StoreError::Version(9))));
    assert!(matches!(decode_credits(202_605, &[]), Err(StoreError::Damaged(_))));
}
