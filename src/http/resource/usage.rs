//! `GET /usage`: what the key that asks has spent this month and has left, and what it used day by
//! day; an operator's key is told the credits of all keys as well. Contract part 2.

use std::collections::BTreeMap;

use actix_web::HttpResponse;

use crate::api::{
    AccountCreditsView, Day, ErrorCode, Named, SpentView, UsageDayView, UsageView, UsedView, usd,
};
use crate::clock::day_text;
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::params::Pairs;
use crate::job::Spend;
use crate::service::{AccountCredits, Caller, DAYS_KEPT_MAX, Service, ServiceError};
use crate::store::{DailyUsage, SpendRow, Usage};

/// Returns the credits of the calendar month (UTC); with `days`, the usage of that many days in
/// place of this month's.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let view = view(call.service(), &caller, days(call.query()?)?).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Returns the usage of a key as `GET /usage` does.
///
/// # Errors
/// Returns an error if the store failed.
pub(crate) async fn view(
    service: &Service,
    caller: &Caller,
    days: Option<u64>,
) -> Result<UsageView, ServiceError> {
    let usage = service.usage(caller, days).await?;
    let accounts = service.all_credits(caller).await?;
    let mut scrapers: Vec<(&str, Usage)> = Vec::new();
    for (name, used) in usage.days.iter().flat_map(|day| &day.scrapers) {
        match scrapers.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum = sum.and(*used),
            None => scrapers.push((name, *used)),
        }
    }
    // Jobs may have been submitted on one day and have cost something on the next.
    let mut days: BTreeMap<u32, &[(String, Usage)]> =
        usage.days.iter().map(|DailyUsage { day, scrapers }| (*day, &scrapers[..])).collect();
    for row in &usage.spend {
        days.entry(row.day).or_default();
    }
    let days = days.into_iter().map(|(day, scrapers)| {
        let of_day = usage.spend.iter().filter(|row| row.day == day);
        let (spent, upstreams, labels) = spent(of_day);
        UsageDayView {
            date: Day(day_text(day)),
            scrapers: by_scraper(scrapers.iter().map(|(name, used)| (name.as_str(), *used))),
            spent,
            upstreams,
            labels,
        }
    });
    let (spent, upstreams, labels) = spent(usage.spend.iter());
    Ok(UsageView {
        credits: credits(&usage.own),
        resets_at: usage.resets_ms.into(),
        scrapers: by_scraper(scrapers.into_iter()),
        spent,
        upstreams,
        labels,
        days: days.collect(),
        accounts: accounts.map(|accounts| accounts.iter().map(credits).collect()),
        reads_all_jobs: caller.operator.then_some(caller.reads_all_jobs),
    })
}

fn credits(of: &AccountCredits) -> AccountCreditsView {
    AccountCreditsView {
        account: of.account.clone(),
        monthly_credits: of.monthly_credits,
        used: of.credits.used,
        reserved: of.credits.reserved,
        left: of.left(),
        usd_per_day: of.day_nanos_max.map(usd),
        usd_spent_today: usd(of.day_nanos),
    }
}

/// Sums up what was spent: in all, by upstream and by label.
fn spent<'a>(
    rows: impl Iterator<Item = &'a SpendRow>,
) -> (SpentView, Named<SpentView>, Named<SpentView>) {
    let mut all = Spend::default();
    let (mut upstreams, mut labels) = (BTreeMap::new(), BTreeMap::new());
    for SpendRow { upstream, label, spend, .. } in rows {
        all = all.and(*spend);
        let add = |sums: &mut BTreeMap<String, Spend>, name: &str| {
            let sum = sums.entry(name.to_owned()).or_default();
            *sum = sum.and(*spend);
        };
        add(&mut upstreams, upstream);
        if !label.is_empty() {
            add(&mut labels, label);
        }
    }
    let named = |sums: BTreeMap<String, Spend>| {
        sums.into_iter().map(|(name, spend)| (name, spend.into())).collect()
    };
    (all.into(), named(upstreams), named(labels))
}

fn by_scraper<'a>(uses: impl Iterator<Item = (&'a str, Usage)>) -> Named<UsedView> {
    let view = |Usage { jobs, done, failed, cached, credits }: Usage| UsedView {
        jobs,
        done,
        failed,
        cached,
        credits,
    };
    uses.map(|(name, used)| (name.to_owned(), view(used))).collect()
}

/// Returns the number of days that `?days=` asks for.
///
/// # Errors
/// Returns an error if it is out of its bounds.
pub(crate) fn days(query: &Pairs) -> Result<Option<u64>, ApiError> {
    let given = query.iter().find(|(name, _)| name == "days");
    let Some((_, value)) = given else { return Ok(None) };
    let days = value.parse().ok().filter(|days| (1..=DAYS_KEPT_MAX).contains(days));
    days.map(Some).ok_or_else(|| {
        let rule = format!("1 to {DAYS_KEPT_MAX}");
        ApiError::invalid(ErrorCode::DaysInvalid, "days", &rule, value)
    })
}
