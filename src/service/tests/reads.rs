//! What the service reads of an embedded store it has at once: no call gives up its thread.

use futures_util::FutureExt;
use uuid::Uuid;

use super::*;
use crate::job::{Handling, RawRequest, Subject};

#[test]
fn reads_of_the_embedded_store_are_ready_at_the_first_poll() {
    let world = World::new("");
    let service = world.service();
    let caller = Caller::plain("team-a");
    let raw = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() };
    let request = raw.check("chatgpt", &[]).unwrap();
    let handling = Handling { webhook_url: Some(world.receiver.url()), ..Handling::default() };
    let asked = NewBatch {
        label: None,
        items: vec![Ok((request.clone(), Handling::default()))],
        webhook_url: None,
        idempotency: None,
    };
    let submitted = world.runtime.block_on(service.submit(&caller, request, handling)).unwrap();
    let (batch, _) = world.runtime.block_on(service.submit_batch(&caller, asked)).unwrap();
    let (id, batch_id) = (submitted.id.to_string(), batch.key.id.to_string());
    macro_rules! at_once {
        ($($call:expr),* $(,)?) => {
            [$((stringify!($call), $call.now_or_never().map(|read| read.is_ok()))),*]
        };
    }
    let reads = at_once![
        service.job(&id, |job, _, _| job.row),
        service.job_with_usage(&id, |job, _, _, _| job.row),
        service.attempts(&caller, &id),
        service.webhook(&caller, Subject::Job, &id),
        service.batch(&batch_id),
        service.usage(&caller, None),
        service.all_credits(&caller),
        service.last_completion(),
        service.trackers(&caller),
        service.alerts(&caller),
        service.alert_counts(),
        service.schedules(&caller),
        service.schedule_counts(),
        service
            .engine
            .cached_result(&submitted.job.request, Uuid::nil())
            .map(|found| found.ok_or(())),
        service.store_sizes().map(|sizes| sizes.ok_or(())),
    ];
    for (call, read) in reads {
        let expected = !call.contains("cached_result");
        assert_eq!(read, Some(expected), "{call}");
    }
}
