//! What was asked over HTTP since the start: requests by route, method and class of status, and how
//! long they took. A route is the pattern that it was made with, never a path as it came, so that the
//! set is closed and tells nothing of a job.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::{Resource, web};

use crate::clock::{Clock, Stopwatch};
use crate::tally::{Histogram, HistogramReport};

/// The methods that are told apart; the last word stands for all others.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "other"];
/// The classes of status (RFC 9110, section 15).
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The route of polls.
pub const POLL_PATH: &str = "/jobs/{id}";
/// The route of submits.
pub const SUBMIT_PATH: &str = "/scrapers/{scraper}/jobs";
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
pub struct Traffic {
    clock: Clock,
    /// Locked while an app is put together and while it is told, not by a request.
    routes: Mutex<BTreeMap<&'static str, Arc<Route>>>,
    /// Those of polls and submits, some of which are answered before there is a route.
    polls: Arc<Route>,
    submits: Arc<Route>,
    unrouted: Route,
}

/// The counts of one route.
struct Route {
    /// By method and class of status.
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    /// Until the head of the response was ready.
    took: Histogram,
}

/// The counts of a route at a moment.
pub struct RouteReport {
    pub route: &'static str,
    /// Method, class of status, requests; those that have not come are left out.
    pub requests: Vec<(&'static str, &'static str, u64)>,
    /// Until the head of the response was ready, microseconds.
    pub took_microseconds: HistogramReport,
}

impl Traffic {
    pub fn new(clock: Clock) -> Traffic {
        let [polls, submits] = std::array::from_fn(|_| Arc::new(Route::new()));
        let routes = BTreeMap::from([(POLL_PATH, polls.clone()), (SUBMIT_PATH, submits.clone())]);
        Traffic { clock, routes: Mutex::new(routes), polls, submits, unrouted: Route::new() }
    }

    /// What serves a path, with its requests counted.
    pub fn resource(&self, path: &'static str) -> Resource {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let route = routes.entry(path).or_insert_with(|| Arc::new(Route::new()));
        web::resource(path).app_data(route.clone())
    }

    /// Begins to measure a request.
    pub fn begin(&self) -> Stopwatch {
        self.clock.stopwatch()
    }

    /// Counts a poll that was answered before the router.
    pub fn count_quick_poll(&self, status: StatusCode, watch: &Stopwatch) {
        self.polls.count(&Method::GET, status, watch);
    }

    /// Counts a submit that was answered before the router.
    pub fn count_quick_submit(&self, status: StatusCode, watch: &Stopwatch) {
        self.submits.count(&Method::POST, status, watch);
    }

    /// Counts a request that was refused before it had a route.
    pub fn count_unrouted(&self, method: &Method, status: StatusCode, watch: &Stopwatch) {
        self.unrouted.count(method, status, watch);
    }

    /// Every route that was asked for.
    pub fn report(&self) -> Vec<RouteReport> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let routed = routes.iter().map(|(path, route)| route.report(path));
        let asked = |report: &RouteReport| !report.requests.is_empty();
        routed.chain([self.unrouted.report(NO_ROUTE)]).filter(asked).collect()
    }
}

/// Counts an answered request where it belongs.
pub fn count<B>(response: &ServiceResponse<B>, watch: &Stopwatch) {
    let request = response.request();
    let Some(traffic) = request.app_data::<web::Data<Traffic>>() else { return };
    let route = request.app_data::<Arc<Route>>().map_or(&traffic.unrouted, |route| &**route);
    route.count(request.method(), response.status(), watch);
}

/// Where a method stands in [`METHODS`].
fn place(method: &Method) -> usize {
    let last = METHODS.len() - 1;
    METHODS[..last].iter().position(|known| *known == method.as_str()).unwrap_or(last)
}

impl Route {
    fn new() -> Route {
        Route { requests: Default::default(), took: Histogram::new(&BOUNDS_MICROSECONDS) }
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
