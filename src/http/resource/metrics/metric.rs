//! A metric, and what its samples are read from.

use super::exposition::{Kind, Samples};
use crate::http::transport::traffic::RouteReport;
use crate::service::{
    AccountCredits, AlertCounts, ProcessUse, ScheduleCounts, ScraperStatus, Service, TotalsReport,
};
use crate::store::{NodeFiguresReport, StoreSizes};
use crate::upstream::{CallCounts, UpstreamStatus};

/// A metric, declared once; `table.rs` has all.
pub(crate) struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    /// Adds its samples. What cannot be read at the moment is left out.
    pub sample: fn(&MetricSources<'_>, &mut Samples<'_>),
}

/// The sources of all samples, each read once for a reply.
pub(crate) struct MetricSources<'a> {
    pub service: &'a Service,
    pub scrapers: &'a [ScraperStatus<'a>],
    /// By scraper.
    pub totals: Vec<(&'a str, TotalsReport)>,
    /// By name; one upstream may serve several scrapers.
    pub upstreams: Vec<&'a UpstreamStatus>,
    pub calls: Vec<CallCounts>,
    pub routes: Vec<RouteReport>,
    pub sizes: Option<StoreSizes>,
    pub schedules: Option<ScheduleCounts>,
    pub alerts: Option<AlertCounts>,
    /// None unless an operator asks.
    pub accounts: Vec<AccountCredits>,
    pub process: ProcessUse,
    /// None where the store is a file.
    pub node: Option<NodeFiguresReport>,
}
