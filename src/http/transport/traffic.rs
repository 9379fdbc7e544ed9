//! Counts requests by route, method and class of status, and how long they took. A route is a path
//! of the table, never one as it came: the set is closed and says nothing of a job.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::{Method, StatusCode};

use crate::clock::{Clock, Stopwatch};
use crate::tally::{Histogram, HistogramReport};

/// The methods that are counted; the last word stands for all others.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
/// The classes of status (RFC 9110, section 15).
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The route of what was answered without one.
const NO_ROUTE: &str = "none";
/// The upper bounds of the histogram, microseconds. Calls that wait take up to 600 seconds.
const BOUNDS_MICROSECONDS: [u64; 11] = [
    500,
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    10_000_000,
    60_000_000,
    600_000_000,
];

/// The counts of all routes, shared by all workers.
pub(crate) struct Traffic {
    clock: Clock,
    /// In the order of the table; the last is of what had no route.
    routes: Vec<(&'static str, RouteCounts)>,
}

/// The counts of one route.
struct RouteCounts {
    /// By method and class of status.
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    /// Until the head of the response was ready.
    took: Histogram,
}

/// The counts of a route at a moment.
pub(crate) struct RouteReport {
    pub route: &'static str,
    /// Method, class of status, requests; those that have not come are left out.
    pub requests: Vec<(&'static str, &'static str, u64)>,
    /// Until the head of the response was ready, microseconds.
    pub took_microseconds: HistogramReport,
}

impl Traffic {
    /// Counts nothing yet; `paths` are those of the table of routes, in its order.
    pub(crate) fn new(clock: Clock, paths: impl Iterator<Item = &'static str>) -> Traffic {
        let paths = paths.chain([NO_ROUTE]);
        Traffic { clock, routes: paths.map(|path| (path, RouteCounts::new())).collect() }
    }

    /// Begins to measure a request.
    pub(crate) fn begin(&self) -> Stopwatch {
        self.clock.stopwatch()
    }

    /// Counts a reply; `route` is the place of its route in the table.
    pub(crate) fn count(
        &self,
        route: Option<usize>,
        method: &Method,
        status: StatusCode,
        watch: &Stopwatch,
    ) {
        let of_route = route.and_then(|at| self.routes.get(at)).or(self.routes.last());
        if let Some((_, counts)) = of_route {
            counts.count(method, status, watch);
        }
    }

    /// Returns the counts of every route that had a request.
    pub(crate) fn report(&self) -> Vec<RouteReport> {
        let reports = self.routes.iter().map(|(path, counts)| counts.report(path));
        reports.filter(|report| !report.requests.is_empty()).collect()
    }
}

/// Returns the place of a method in [`METHODS`].
fn place(method: &Method) -> usize {
    let last = METHODS.len() - 1;
    METHODS[..last].iter().position(|known| *known == method.as_str()).unwrap_or(last)
}

impl RouteCounts {
    fn new() -> RouteCounts {
        RouteCounts { requests: Default::default(), took: Histogram::new(&BOUNDS_MICROSECONDS) }
    }

    fn count(&self, method: &Method, status: StatusCode, watch: &Stopwatch) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[place(method)][class].fetch_add(1, Ordering::Relaxed);
        self.took.observe(u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX));
    }

    fn report(&self, route: &'static str) -> RouteReport {
        let mut requests = Vec::new();
        for (method, classes) in METHODS.into_iter().zip(&self.requests) {
            for (class, count) in CLASSES.into_iter().zip(classes) {
                requests.push((method, class, count.load(Ordering::Relaxed)));
            }
        }
        requests.retain(|(_, _, count)| *count > 0);
        RouteReport { route, requests, took_microseconds: self.took.report() }
    }
}
