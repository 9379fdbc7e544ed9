//! `GET /nodes`: the processes that share the store, for operators.

use actix_web::HttpResponse;

use super::discovery;
use crate::api::{NodeView, NodesView};
use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::Caller;
use crate::store::NodeReport;

/// Returns the processes, this one alone where the store is a file.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let nodes = call.service().nodes(&caller)?.into_iter().map(view).collect();
    Ok(HttpResponse::Ok().json(NodesView { nodes }))
}

fn view(node: NodeReport) -> NodeView {
    let load = &node.news.scrapers;
    NodeView {
        number: node.number,
        started_at: node.started_ms.into(),
        beat_seconds: discovery::seconds(node.silent_ms),
        workers: load.iter().map(|scraper| scraper.workers).sum(),
        running: load.iter().map(|scraper| scraper.running).sum(),
        leader: node.leads,
        settings_differ: node.settings_differ.iter().map(|part| (*part).to_owned()).collect(),
        is_self: node.is_self,
        name: node.name,
        version: node.version,
    }
}
