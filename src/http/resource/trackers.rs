//! `PUT`, `GET` and `DELETE /trackers/{tracker}`, and `GET /trackers`: the brands that are looked
//! for in answers. `POST /trackers/{tracker}/apply` measures results that still live, and
//! `GET /trackers/{tracker}/observations` shows what was measured.

use actix_web::HttpResponse;
use actix_web::web;

use crate::api::{
    AppliedView, ErrorCode, NewTrackerView, ObservationView, ObservationsView, TrackerView,
    TrackersView,
};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::moment::moment;
use crate::http::request::{body, json};
use crate::job::{is_tracker_name, quoted};
use crate::measure::TrackedBrands;
use crate::service::Caller;
use crate::store::{Row, TRACKER_VERSIONS_MAX};

/// The most observations of a page.
pub(crate) const OBSERVATIONS_MAX: usize = 1_000;

/// Writes a tracker; a change of its brands makes a new version.
pub(crate) async fn put(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let (service, limits, headers) = (call.service(), &call.state.limits, call.headers());
    service.check_rate(&caller)?;
    let name = call.path_parameter("tracker");
    if !is_tracker_name(&name) {
        let rule = "1 to 64 lower-case letters, digits, `-` and `_`, a letter or digit first";
        return Err(ApiError::invalid(ErrorCode::TrackerInvalid, "tracker", rule, &name).into());
    }
    let sent_as_form = json::is_form(headers);
    let body = body::read(headers, payload, limits.body_bytes_max, &limits.bodies).await?;
    let (brands, _body) = body::parsed(body, move |body: &[u8]| parse(body, sent_as_form)).await?;
    let tracker = service.put_tracker(&caller, name, brands).await?;
    Ok(HttpResponse::Ok().json(TrackerView::from(tracker)))
}

fn parse(body: &[u8], sent_as_form: bool) -> Result<TrackedBrands, ApiError> {
    let invalid = |sentence: String| ApiError::new(ErrorCode::TrackerInvalid, sentence);
    let asked: NewTrackerView = serde_json::from_slice(body).map_err(|error| {
        let given = if sent_as_form { "a form".to_owned() } else { error.to_string() };
        invalid(format!("A tracker must be a JSON object with `brands`, a list; given: {given}."))
    })?;
    TrackedBrands::new(asked.brands).map_err(|error| invalid(error.to_string()))
}

/// Returns the trackers of the caller's.
pub(crate) async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let trackers = call.service().trackers(&caller).await?;
    let trackers = trackers.into_iter().map(TrackerView::from).collect();
    Ok(HttpResponse::Ok().json(TrackersView { trackers }))
}

/// Returns a tracker.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let tracker = call.service().tracker(&caller, &call.path_parameter("tracker")).await?;
    Ok(HttpResponse::Ok().json(TrackerView::from(tracker)))
}

/// Deletes a tracker with all that it has measured; returns it as it was.
pub(crate) async fn delete(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, name) = (call.service(), call.path_parameter("tracker"));
    let tracker = service.tracker(&caller, &name).await?;
    service.delete_tracker(&caller, &name).await?;
    Ok(HttpResponse::Ok().json(TrackerView::from(tracker)))
}

/// Measures all results that still live.
pub(crate) async fn apply(call: ApiCall, caller: Caller) -> ApiResult {
    let tracker = call.path_parameter("tracker");
    call.service().check_rate(&caller)?;
    let applied = call.service().apply_tracker(&caller, &tracker).await?;
    Ok(HttpResponse::Ok().json(AppliedView {
        tracker,
        version: applied.version,
        measured: applied.counts.measured,
        already: applied.counts.already,
        cached: applied.cached,
    }))
}

/// Returns a page of what was measured.
pub(crate) async fn observations(call: ApiCall, caller: Caller) -> ApiResult {
    let tracker = call.path_parameter("tracker");
    let service = call.service().clone();
    let (mut version, mut window, mut after, mut limit) =
        (None, (0, u64::MAX), None, OBSERVATIONS_MAX);
    for (name, value) in call.query()? {
        match name.as_str() {
            "version" => version = Some(version_number(value)?),
            "since" => window.0 = moment(ErrorCode::SinceInvalid, "since", value)?.first_ms,
            "until" => window.1 = moment(ErrorCode::UntilInvalid, "until", value)?.last_ms,
            "limit" => {
                let given = value.parse().ok().filter(|it| (1..=OBSERVATIONS_MAX).contains(it));
                let rule = format!("1 to {OBSERVATIONS_MAX}");
                limit = given.ok_or_else(|| {
                    ApiError::invalid(ErrorCode::LimitInvalid, "limit", &rule, value)
                })?;
            }
            "cursor" => {
                let found = cursor(value, |id| service.row_of(id));
                let rule = "the `next_cursor` of an earlier page";
                after = Some(found.ok_or_else(|| {
                    ApiError::invalid(ErrorCode::CursorInvalid, "cursor", rule, value)
                })?);
            }
            _ => {}
        }
    }
    drop(call);
    let named = tracker.clone();
    let read = move || service.observations(&caller, &named, version, window, after, limit);
    let page = web::block(read).await??;
    let last = page.observations.last().filter(|_| page.observations.len() == limit);
    let next_cursor = last.map(|last| format!("{}-{}", last.at_ms, last.job_id));
    let brands = page.brands.brands();
    let observations = page.observations.iter().map(|it| ObservationView::of(it, brands));
    Ok(HttpResponse::Ok().json(ObservationsView {
        tracker,
        version: page.version,
        observations: observations.collect(),
        next_cursor,
    }))
}

/// Reads a cursor: the moment and the job of the last observation of a page.
fn cursor(text: &str, row_of: impl Fn(&str) -> Option<Row>) -> Option<(u64, Row)> {
    let (at_ms, id) = text.split_once('-')?;
    Some((at_ms.parse().ok()?, row_of(id)?))
}

/// Reads the number of a version.
///
/// # Errors
/// Returns an error if it is none that a tracker can have.
pub(crate) fn version_number(value: &str) -> Result<u32, ApiError> {
    let number = value.parse().ok().filter(|number| (1..=TRACKER_VERSIONS_MAX).contains(number));
    number.ok_or_else(|| {
        let rule = format!("the number of a version, 1 to {TRACKER_VERSIONS_MAX}");
        let given = quoted(value);
        let sentence = format!("Parameter `version` must be {rule}; given: {given}.");
        ApiError::new(ErrorCode::VersionInvalid, sentence)
    })
}
