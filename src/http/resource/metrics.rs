//! `GET /metrics`, in the text format that Prometheus reads. It needs a key
//! where keys are needed, and says nothing of a job or a prompt; what keys have spent it says to an
//! operator's key alone.

mod exposition;
mod metric;
mod node_table;
mod table;

use actix_web::HttpResponse;

use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::Caller;
use exposition::Exposition;
use metric::{Metric, MetricSources};

/// Version 0.0.4 of the text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns all metrics.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service();
    let scrapers = service.scrapers();
    let names = scrapers.iter().map(|status| status.scraper.name.as_str());
    let of_scrapers = scrapers.iter().flat_map(|status| &status.upstreams);
    let mut upstreams: Vec<_> = of_scrapers.filter_map(|it| it.status.as_ref()).collect();
    upstreams.sort_by(|one, other| one.name.cmp(&other.name));
    upstreams.dedup_by(|one, other| one.name == other.name);
    let sources = MetricSources {
        service,
        scrapers: &scrapers,
        totals: names.filter_map(|name| Some((name, service.totals(name)?))).collect(),
        upstreams,
        calls: service.upstream_calls(),
        routes: call.state.traffic.report(),
        sizes: service.store_sizes().await,
        schedules: service.schedule_counts().await.ok(),
        alerts: service.alert_counts().await.ok(),
        accounts: service.all_credits(&caller).await.ok().flatten().unwrap_or_default(),
        process: service.process_use(),
        node: service.node_figures(),
    };
    let mut out = Exposition::default();
    for metric in table::METRICS.iter().chain(node_table::NODE_METRICS) {
        (metric.sample)(&sources, &mut out.family(metric.name, metric.kind, metric.help));
    }
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(out.finish()))
}
