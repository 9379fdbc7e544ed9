//! The raw replies of an attempt: which of them are kept, and as what.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::api::{RawReplyView, RawView};
use crate::job::Job;
use crate::store::Store;
use crate::upstream::raw_capture::{RawCapture, RawReply};

/// The most that is kept of the bodies of one attempt, bytes.
pub const RAW_BYTES_MAX: usize = 4 << 20;

/// Returns the JSON of what is kept of an attempt, answered by an upstream or by none; `None` if
/// nothing is.
pub(super) fn kept(
    job: &Job,
    id: Uuid,
    captures: Vec<RawCapture>,
    answered_by: Option<&str>,
) -> Option<Vec<u8>> {
    let mut left = RAW_BYTES_MAX;
    let mut view = RawView {
        job_id: id.into(),
        parser: env!("CARGO_PKG_VERSION").to_owned(),
        attempt: job.attempts,
        answered_by: answered_by.map(str::to_owned),
        replies: Vec::new(),
        redirects: BTreeMap::new(),
    };
    for capture in captures {
        let answered = answered_by == Some(capture.upstream.as_str());
        if !job.keep_raw && !capture.is_kept(answered) {
            continue;
        }
        let shown = capture.replies.into_iter().map(|it| reply(&capture.upstream, it, &mut left));
        view.replies.extend(shown);
        view.redirects.extend(capture.redirects);
    }
    // Its keys are strings and its numbers whole.
    (!view.replies.is_empty()).then(|| serde_json::to_vec(&view).ok())?
}

/// Returns what is kept where the disk has room for it. Below the floor of free space that is left
/// to what jobs need.
pub(super) fn with_room(store: &Store, id: Uuid, kept: Vec<u8>) -> Option<Vec<u8>> {
    match store.room() {
        Ok(()) => Some(kept),
        Err(error) => {
            tracing::warn!(job = %id, %error, "raw replies are not kept");
            None
        }
    }
}

fn reply(upstream: &str, reply: RawReply, left: &mut usize) -> RawReplyView {
    let RawReply { status, content_type, body } = reply;
    let mut view = RawReplyView {
        upstream: upstream.to_owned(),
        status,
        content_type,
        body: None,
        encoding: None,
        not_kept: None,
    };
    // The next one may be short enough.
    let Some(rest) = left.checked_sub(body.len()) else {
        let bytes = body.len();
        view.not_kept = Some(format!(
            "not kept: {bytes} bytes, limit {RAW_BYTES_MAX} bytes for all replies of an attempt"
        ));
        return view;
    };
    *left = rest;
    view.put(body);
    view
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeepRaw;
    use crate::job::RawRequest;

    fn capture(upstream: &str, keep: KeepRaw, body: &[u8]) -> RawCapture {
        let reply = RawReply {
            status: Some(200),
            content_type: Some("application/json".to_owned()),
            body: body.to_vec(),
        };
        RawCapture {
            upstream: upstream.to_owned(),
            keep,
            replies: vec![reply],
            ..RawCapture::default()
        }
    }

    fn view(raw: bool, captures: Vec<RawCapture>, answered_by: Option<&str>) -> Option<RawView> {
        let request = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() };
        let job = Job {
            keep_raw: raw,
            ..Job::fixture(1, 2, request.check("chatgpt", &[]).unwrap(), 1_000)
        };
        let json = kept(&job, Uuid::nil(), captures, answered_by)?;
        Some(serde_json::from_slice(&json).unwrap())
    }

    #[test]
    fn the_setting_or_the_request_says_what_is_kept() {
        let of = |keep| vec![capture("a", keep, b"{}")];
        for (raw, keep, answered, kept) in [
            (false, KeepRaw::None, false, false),
            (false, KeepRaw::Failed, false, true),
            (false, KeepRaw::Failed, true, false),
            (false, KeepRaw::All, true, true),
            (true, KeepRaw::None, true, true),
            (true, KeepRaw::Failed, true, true),
        ] {
            let view = view(raw, of(keep), answered.then_some("a"));
            assert_eq!(view.is_some(), kept, "raw={raw} {keep:?} answered={answered}");
        }
        let both = vec![
            capture("first", KeepRaw::Failed, b"no"),
            capture("second", KeepRaw::Failed, b"yes"),
        ];
        let view = view(false, both, Some("second")).unwrap();
        let kept: Vec<&str> = view.replies.iter().map(|reply| reply.upstream.as_str()).collect();
        assert_eq!((kept, view.answered_by.as_deref()), (vec!["first"], Some("second")));
    }

    #[test]
    fn a_body_comes_back_byte_for_byte_or_is_told_to_be_too_large() {
        let bodies: [&[u8]; 3] = [b"{\"new\\u0000 field\": 1.10}\r\n\0", b"\xff\xfe", b""];
        let mut captures: Vec<RawCapture> =
            bodies.iter().map(|body| capture("a", KeepRaw::All, body)).collect();
        captures.insert(1, capture("a", KeepRaw::All, &vec![b'x'; RAW_BYTES_MAX]));
        let view = view(false, captures, None).unwrap();
        let read: Vec<Option<Vec<u8>>> = view.replies.iter().map(RawReplyView::bytes).collect();
        let whole = |at: usize| Some(bodies[at].to_vec());
        assert_eq!(read, [whole(0), None, whole(1), whole(2)]);
        let told = view.replies[1].not_kept.as_deref().unwrap();
        assert!(told.starts_with("not kept: 4194304 bytes, limit 4194304 bytes"), "{told}");
        assert_eq!(view.replies[0].not_kept, None);
    }
}
