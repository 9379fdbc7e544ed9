//! Results rendered again from raw replies with today's parsers, in the store of a stopped service.
//! Nothing is asked of any upstream, and what cannot be read better stays as it is.

use serde_json::Value;
use uuid::Uuid;

use crate::answer::{self, ResultFacts, as_reread, changed_fields};
use crate::api::RawView;
use crate::clock::{Clock, UnixMs};
use crate::config::Settings;
use crate::job::{Cost, CostFrom, State};
use crate::measure::{Tracker, annotated, measure};
use crate::net::HttpReply;
use crate::store::{Blocking, KeptRaw, OpenOptions, Store, StoreError};
use crate::upstream::{self, Recipes};

/// The status of what was read of a page that was there.
const PAGE_STATUS: u16 = 200;

/// The jobs that are read again, and whether that changes anything.
#[derive(Clone, Copy, Debug)]
pub struct RereadOptions {
    /// Only jobs submitted at this moment or later.
    pub since_ms: Option<UnixMs>,
    /// Changes nothing.
    pub dry_run: bool,
}

/// The outcome of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reread {
    /// It reads as before.
    Same,
    /// The names of the fields that differ.
    Changed(Vec<String>),
    /// Why it was left as it is.
    Skipped(String),
}

/// Numbers of jobs, by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RereadReport {
    pub same: u64,
    pub changed: u64,
    pub skipped: u64,
}

/// The fields that differ with the new result of a job, or why there is none.
type RereadResult = Result<(Vec<String>, Vec<u8>), String>;

/// Reads the raw replies of all jobs again and stores the results that differ; `tell` hears of each
/// job.
///
/// # Errors
/// Returns an error if the store cannot be opened, read or written: a running service has it open.
pub fn reread(
    settings: &Settings,
    options: RereadOptions,
    clock: &Clock,
    mut tell: impl FnMut(Uuid, &Reread),
) -> Result<RereadReport, StoreError> {
    let store = Store::open_existing(&OpenOptions::of(settings, clock))?;
    let now_ms = clock.now_ms();
    let mut report = RereadReport::default();
    // Without its recipe an answer of a page stays as it is, and the report says so.
    let recipes = upstream::all_recipes(settings).unwrap_or_default();
    let outcome = store.raw_rows().and_then(|rows| {
        for row in rows {
            let Some(kept) = store.kept_raw(row, now_ms)? else { continue };
            if options.since_ms.is_some_and(|since_ms| kept.job.created_ms < since_ms) {
                continue;
            }
            let read = match render(settings, &recipes, &store, &kept)? {
                Ok((fields, json)) if !fields.is_empty() => {
                    if !options.dry_run {
                        store.replace_result(row, as_reread(json, now_ms))?;
                    }
                    Reread::Changed(fields)
                }
                Ok(_) => Reread::Same,
                Err(why) => Reread::Skipped(why),
            };
            match &read {
                Reread::Same => report.same += 1,
                Reread::Changed(_) => report.changed += 1,
                Reread::Skipped(_) => report.skipped += 1,
            }
            tell(kept.id, &read);
        }
        Ok(())
    });
    store.close();
    outcome.map(|()| report)
}

/// Renders a job's result again.
///
/// # Errors
/// Returns an error if the store failed.
fn render(
    settings: &Settings,
    recipes: &Recipes,
    store: &Store,
    kept: &KeptRaw,
) -> Result<RereadResult, StoreError> {
    let tracker = match &kept.job.track {
        Some(track) => store.tracker(&kept.job.account, track).wait()?,
        None => None,
    };
    Ok(render_by(settings, recipes, tracker.as_ref(), kept))
}

/// Renders a result again, measured by its tracker where there still is one.
fn render_by(
    settings: &Settings,
    recipes: &Recipes,
    tracker: Option<&Tracker>,
    kept: &KeptRaw,
) -> RereadResult {
    let KeptRaw { job, id, raw, result } = kept;
    let (State::Done, Some(stored)) = (&job.state, result) else {
        return Err("the job has no result, and its end is final".to_owned());
    };
    let raw: RawView = serde_json::from_slice(raw)
        .map_err(|_| "its raw replies are of another form".to_owned())?;
    let Some(name) = &raw.answered_by else {
        return Err("only the replies of a failed attempt are kept".to_owned());
    };
    let Some(configured) = settings.upstreams.get(name) else {
        return Err(format!("[upstreams.{name}] is no longer configured"));
    };
    let replies = replies(&raw, name)?;
    let read = upstream::reread(configured, &job.request, &replies, &raw.redirects, recipes);
    let (mut answer, kind) = read.map_err(|error| error.to_string())?;
    let before: Value =
        serde_json::from_slice(stored).map_err(|_| "its stored result is no JSON".to_owned())?;
    // What it has cost by the prices of its time, it has cost.
    answer.usage.cost = answer.usage.cost.or_else(|| table_cost(&before["usage"]));
    let job_id = id.to_string();
    let end = format!("/md/{job_id}.md");
    let facts = ResultFacts {
        request: &job.request,
        job_id: &job_id,
        public_url: before["markdown_url"]
            .as_str()
            .and_then(|url| url.strip_suffix(&end))
            .unwrap_or(""),
        credits_used: job.charge(),
        elapsed_ms: before["elapsed_ms"].as_f64().unwrap_or_default(),
        upstream: name,
        kind,
        model_asked: before["provenance"]["model_asked"].as_str(),
        has_extras: settings.results.extra_arrays,
    };
    let mut json = answer::render(&answer, &facts);
    if let Some(tracker) = tracker
        && let Some(measured) = measure(&json, &tracker.brands, &tracker.brands.matcher())
    {
        json = annotated(json, &tracker.name, tracker.version, &measured);
    }
    let fields =
        changed_fields(stored, &json).ok_or_else(|| "its stored result is no object".to_owned())?;
    Ok((fields, json))
}

/// Returns the cost of a stored result that follows from prices.
fn table_cost(usage: &Value) -> Option<Cost> {
    let is_of_table = usage["cost_from"] == CostFrom::Table.word();
    let cost = usage["cost_usd"].as_f64().filter(|_| is_of_table).and_then(Cost::told)?;
    Some(Cost { from: CostFrom::Table, ..cost })
}

/// Returns the replies that an upstream's answer was read from.
fn replies(raw: &RawView, upstream: &str) -> Result<Vec<HttpReply>, String> {
    let own = raw.replies.iter().filter(|reply| reply.upstream == upstream);
    let reply = |reply: &crate::api::RawReplyView| {
        let content_type = reply.content_type.clone();
        Some(HttpReply {
            status: reply.status.unwrap_or(PAGE_STATUS),
            headers: content_type.map(|it| ("content-type".to_owned(), it)).into_iter().collect(),
            body: reply.bytes()?,
        })
    };
    let replies: Option<Vec<HttpReply>> = own.map(reply).collect();
    replies
        .filter(|replies| !replies.is_empty())
        .ok_or_else(|| "not all that its answer was read from is kept".to_owned())
}
