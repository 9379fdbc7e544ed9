//! `/alerts`: notices when what was measured crosses a limit.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use crate::alert::{Alert, AlertWindow};
use crate::api::{AlertTargetView, AlertView, AlertsView, NoticeView};
use crate::http::request::alert_request::{self, BODY_BYTES_MAX};
use crate::http::request::body;
use crate::http::request::call::{ApiCall, ApiResult, HandlerError};
use crate::job::{Delivery, DeliveryState, Subject};
use crate::service::{Caller, Service, ServiceError};
use crate::store::{Blocking, SentNotice};

/// Makes an alert.
pub(crate) async fn create(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let service = call.service().clone();
    service.check_rate(&caller)?;
    let body =
        body::read(call.headers(), payload, BODY_BYTES_MAX, &call.state.limits.bodies).await?;
    let asked = alert_request::new(&service, &body)?;
    let alert = service.create_alert(&caller, asked).await?;
    let id = service.alert_id(&alert);
    let mut response = HttpResponse::build(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/alerts/{id}")));
    Ok(response.json(whole(&service, &caller, &id.to_string()).await?))
}

/// Returns the alerts of the key, without their notices.
pub(crate) async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service().clone();
    drop(call);
    // Off the actix threads: there may be a thousand.
    let read = move || {
        let alerts = service.alerts(&caller).wait()?;
        let alerts = alerts.iter().map(|alert| view(&service, alert)).collect();
        Ok::<_, ServiceError>(AlertsView { alerts })
    };
    Ok(HttpResponse::Ok().json(web::block(read).await??))
}

pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("alert_id");
    Ok(HttpResponse::Ok().json(whole(call.service(), &caller, &id).await?))
}

/// Changes what the body names.
pub(crate) async fn change(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let (id, service) = (call.path_parameter("alert_id"), call.service().clone());
    let kind = service.alert(&caller, &id).await?.definition.kind;
    let body =
        body::read(call.headers(), payload, BODY_BYTES_MAX, &call.state.limits.bodies).await?;
    let asked = alert_request::change(&service, &body, kind)?;
    let apply = |definition: &mut _, paused: &mut _| asked.apply(definition, paused);
    service.change_alert(&caller, &id, apply).await?;
    Ok(HttpResponse::Ok().json(whole(&service, &caller, &id).await?))
}

/// Removes an alert; returns it as it was.
pub(crate) async fn remove(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("alert_id");
    let service = call.service();
    let shown = whole(service, &caller, &id).await?;
    service.remove_alert(&caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown))
}

/// Sends a notice that is marked as a test.
pub(crate) async fn test(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("alert_id");
    let sent = call.service().test_alert(&caller, &id).await?;
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(notice_view(&sent)))
}

async fn whole(
    service: &Arc<Service>,
    caller: &Caller,
    id: &str,
) -> Result<AlertView, HandlerError> {
    let alert = service.alert(caller, id).await?;
    let notices = service.notices(&alert).await?.iter().map(notice_view).collect();
    Ok(AlertView { notices: Some(notices), ..view(service, &alert) })
}

fn view(service: &Service, alert: &Alert) -> AlertView {
    let Alert { definition, progress, .. } = alert;
    AlertView {
        alert_id: service.alert_id(alert).into(),
        name: definition.name.clone(),
        when: definition.kind.word().into(),
        tracker: definition.tracker.clone(),
        brand: definition.brand.clone(),
        scraper: definition.scraper.clone(),
        threshold: definition.threshold,
        over: definition.over.map(AlertWindow::text),
        to: AlertTargetView {
            webhook: definition.url.clone(),
            format: definition.format.word().into(),
        },
        paused: alert.paused,
        state: alert.state(service.now_ms()).word().into(),
        state_since: progress.since_ms.map(Into::into),
        evaluated_at: progress.evaluated_ms.map(Into::into),
        value: progress.value,
        sample: progress.sample,
        created_at: alert.created_ms.into(),
        notice_count: progress.next_notice,
        links: service.notices_have_links(),
        notices: None,
    }
}

fn notice_view(SentNotice { id, notice, delivery }: &SentNotice) -> NoticeView {
    let delivery = delivery.as_ref();
    let (state, reason) = match delivery.map(|delivery| delivery.state) {
        None | Some(DeliveryState::Pending { .. }) => ("pending", None),
        Some(DeliveryState::Delivered) => ("delivered", None),
        Some(DeliveryState::Failed(why)) => ("failed", Some(why.word().to_owned())),
    };
    NoticeView {
        notice_id: (*id).into(),
        webhook_id: Subject::Notice.message_id(*id),
        at: notice.at_ms.into(),
        test: notice.is_test,
        message: notice.sentence(),
        value: notice.facts.value,
        sample: notice.facts.sample,
        since: notice.facts.since_ms.into(),
        rows: notice.facts.rows.iter().map(Into::into).collect(),
        state: state.into(),
        reason,
        attempts: delivery.map_or(0, |delivery| delivery.attempts),
        next_attempt_at: delivery.and_then(Delivery::due_ms).map(Into::into),
    }
}
