//! `/schedules`: batches that are submitted again and again.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use crate::api::{ScheduleRunView, ScheduleRunsView, ScheduleStatus, ScheduleView, SchedulesView};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult, HandlerError};
use crate::http::request::headers::idempotency_key;
use crate::http::request::schedule_request::{self, BODY_BYTES_MAX};
use crate::http::request::{batch_request, body};
use crate::http::resource::batches;
use crate::job::{Recurrence, RunOutcome, Schedule, ScheduleRun, duration_text};
use crate::service::{Caller, NewBatch, Service, ServiceError, SlotReader, SlotRefusal};
use crate::store::{Blocking, ScheduleEntry, idempotency_of_batch};

/// Makes a schedule; its batch is checked as `POST /batches` would, and must be without a fault.
pub(crate) async fn create(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let service = call.service().clone();
    service.check_rate(&caller)?;
    let body =
        body::read(call.headers(), payload, BODY_BYTES_MAX, &call.state.limits.bodies).await?;
    let (reader, now_ms) = (service.clone(), service.now_ms());
    let parse = move |body: &[u8]| schedule_request::new(&reader, body, now_ms);
    let (asked, _body) = body::parsed(body, parse).await?;
    let schedule = service.create_schedule(&caller, asked).await?;
    let id = service.schedule_id(&schedule);
    let mut response = HttpResponse::build(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/schedules/{id}")));
    Ok(response.json(whole(&service, &caller, &id.to_string()).await?))
}

/// Returns the schedules of the key, without their batches.
pub(crate) async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service().clone();
    drop(call);
    // Off the actix threads: there may be a thousand.
    let read = move || {
        let schedules = service.schedules(&caller).wait()?;
        let schedules = schedules.iter().map(|entry| view(&service, entry)).collect();
        Ok::<_, ServiceError>(SchedulesView { schedules })
    };
    Ok(HttpResponse::Ok().json(web::block(read).await??))
}

pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("schedule_id");
    Ok(HttpResponse::Ok().json(whole(call.service(), &caller, &id).await?))
}

/// Changes what the body names.
pub(crate) async fn change(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let (id, service) = (call.path_parameter("schedule_id"), call.service().clone());
    service.schedule(&caller, &id).await?;
    let body =
        body::read(call.headers(), payload, BODY_BYTES_MAX, &call.state.limits.bodies).await?;
    // It may have been changed while the body came.
    let (before, _) = service.schedule(&caller, &id).await?;
    let (reader, now_ms) = (service.clone(), service.now_ms());
    let parse = move |body: &[u8]| {
        schedule_request::change(&reader, body, &before.schedule.definition, now_ms)
    };
    let (asked, _body) = body::parsed(body, parse).await?;
    let apply = |definition: &mut _, paused: &mut _| asked.apply(definition, paused);
    service.change_schedule(&caller, &id, apply, asked.batch.clone()).await?;
    Ok(HttpResponse::Ok().json(whole(&service, &caller, &id).await?))
}

/// Removes a schedule; returns it as it was.
pub(crate) async fn remove(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("schedule_id");
    let service = call.service();
    let shown = whole(service, &caller, &id).await?;
    service.remove_schedule(&caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown))
}

/// Submits the batch of a schedule now, beside its slots: answers as `POST /batches` does.
pub(crate) async fn run(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service().clone();
    service.check_rate(&caller)?;
    let key = idempotency_key(call.headers())?;
    let id = call.path_parameter("schedule_id");
    drop(call);
    let (reader, again) = (service.clone(), caller.clone());
    let read = move || {
        let error = |error| ApiError::from_service(error, reader.retention_hours());
        let (entry, json) = reader.schedule(&again, &id).wait().map_err(error)?;
        let asked = batch_request::parse(&reader, json.as_bytes(), false)?;
        let known = key.map(|key| {
            let what = format!("schedule/{id}/run");
            idempotency_of_batch(&again.account, &key, what.as_bytes())
        });
        Ok::<_, ApiError>((entry.schedule, asked, known))
    };
    let (schedule, asked, known) = web::block(read).await??;
    let (batch, replayed) = service.run_schedule(&caller, schedule, asked, known).await?;
    batches::accepted(service, &batch, replayed).await
}

/// Returns the newest runs of a schedule.
pub(crate) async fn runs(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("schedule_id");
    let service = call.service();
    let (entry, _) = service.schedule(&caller, &id).await?;
    let runs = service.schedule_runs(&entry.schedule).await?;
    let runs = runs.iter().map(run_view).collect();
    Ok(HttpResponse::Ok().json(ScheduleRunsView { runs }))
}

/// Returns how the batches of slots are read: as those of calls.
pub fn slot_reader() -> SlotReader {
    fn read(service: &Service, body: &[u8]) -> Result<NewBatch, SlotRefusal> {
        batch_request::parse(service, body, false).map_err(SlotRefusal::from)
    }
    SlotReader {
        batch: read,
        refusal: |error, hours| SlotRefusal::from(ApiError::from_service(error, hours)),
    }
}

impl From<ApiError> for SlotRefusal {
    fn from(error: ApiError) -> SlotRefusal {
        SlotRefusal { code: error.code.code().to_owned(), sentence: error.detail }
    }
}

async fn whole(
    service: &Arc<Service>,
    caller: &Caller,
    id: &str,
) -> Result<ScheduleView, HandlerError> {
    let (entry, json) = service.schedule(caller, id).await?;
    // It was written as JSON, and its record has a checksum.
    let batch = serde_json::from_str(&json).ok();
    Ok(ScheduleView { batch, ..view(service, &entry) })
}

fn view(service: &Service, entry: &ScheduleEntry) -> ScheduleView {
    let ScheduleEntry { schedule, last_run } = entry;
    let Schedule { definition, progress, .. } = schedule;
    let (cron, every, timezone) = match &definition.recurrence {
        Recurrence::Cron { pattern, zone } => (Some(pattern.clone()), None, Some(zone.clone())),
        Recurrence::Every { seconds, .. } => (None, Some(duration_text(*seconds)), None),
    };
    let status = match (schedule.paused, schedule.has_ended()) {
        (true, _) => ScheduleStatus::Paused,
        (false, true) => ScheduleStatus::Ended,
        (false, false) => ScheduleStatus::Active,
    };
    ScheduleView {
        schedule_id: service.schedule_id(schedule).into(),
        name: definition.name.clone(),
        status,
        cron,
        every,
        timezone,
        jitter_seconds: definition.jitter_seconds,
        missed: definition.missed.word().into(),
        ends_at: definition.ends_ms.map(Into::into),
        max_runs: definition.max_runs,
        created_at: schedule.created_ms.into(),
        next_at: progress.next.map(|next| next.at_ms.into()),
        due_at: progress.next.map(|next| next.due_ms.into()),
        runs: progress.submitted,
        refused_in_row: progress.refused_in_row,
        last_run: last_run.as_ref().map(run_view),
        batch: None,
    }
}

fn run_view(run: &ScheduleRun) -> ScheduleRunView {
    let (batch, refused_items, code, reason) = match &run.outcome {
        RunOutcome::Submitted { batch, refused } => (Some(*batch), *refused, None, None),
        RunOutcome::Overlap { batch } => (Some(*batch), 0, None, None),
        RunOutcome::Missed => (None, 0, None, None),
        RunOutcome::Refused { code, sentence } => {
            (None, 0, Some(code.clone()), Some(sentence.clone()))
        }
    };
    ScheduleRunView {
        number: run.number,
        slot_at: run.slot_ms.map(Into::into),
        at: run.at_ms.into(),
        outcome: run.outcome.word().into(),
        batch_id: batch.map(Into::into),
        refused_items,
        missed: run.missed,
        code,
        reason,
    }
}
