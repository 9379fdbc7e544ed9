//! What `POST /batches` asks for: a list of items, or a matrix of prompts, scrapers and countries,
//! with defaults for all of them. An item that breaks a rule is refused by itself; a body that is
//! no batch is refused whole.

use serde_json::{Map, Value};

use crate::api::{ErrorCode, Parameter, Scope, filled};
use crate::http::error::ApiError;
use crate::http::request::json;
use crate::http::request::params;
use crate::job::{
    BATCH_ITEMS_MAX, Handling, ItemError, RawRequest, ScrapeRequest, check_label, check_samples,
    quoted,
};
use crate::service::{NewBatch, Service};

/// The fields of a batch that are lists.
pub(crate) const LISTS: &[&str] = &["items", "prompts", "scrapers", "countries"];

/// The most items of a batch that goes ahead of queued jobs.
const INTERACTIVE_ITEMS_MAX: usize = 20;

/// An item: its scraper and its parameters, not yet checked.
struct Item {
    scraper: Option<String>,
    raw: RawRequest,
}

const SHAPE: json::Shape =
    json::Shape { has_field: params::is_body_field, lists: LISTS, list_items_max: BATCH_ITEMS_MAX };

/// Reads the body of `POST /batches`.
///
/// # Errors
/// Returns an error if it is no JSON object, has neither items nor a matrix, has too many items, or
/// has a field twice; or if a parameter that is meant for all items has the wrong type.
pub(crate) fn parse(
    service: &Service,
    body: &[u8],
    sent_as_form: bool,
) -> Result<NewBatch, ApiError> {
    from_fields(service, json::object(body, SHAPE, sent_as_form)?)
}

/// Reads a batch from the fields of its body.
///
/// # Errors
/// Returns an error as [`parse`] does.
pub(crate) fn from_fields(
    service: &Service,
    mut fields: Map<String, Value>,
) -> Result<NewBatch, ApiError> {
    let items = take_list(&mut fields, "items")?;
    let prompts = take_list(&mut fields, "prompts")?;
    let scrapers = take_list(&mut fields, "scrapers")?;
    let countries = take_list(&mut fields, "countries")?;
    if [&scrapers, &countries].iter().any(|list| list.as_ref().is_some_and(Vec::is_empty)) {
        check_count(&[0], None)?;
    }
    let scraper = take_string(&mut fields, "scraper")?;
    let mut defaults = params::from_fields(fields)?;
    let label = check_label(defaults.label.clone())?;
    let webhook_url = defaults.webhook_url.take();
    let webhook_url = webhook_url.map(|url| service.check_webhook_url(&url)).transpose()?;
    let samples = defaults.samples.take();
    check_samples(samples)?;
    let interactive = defaults.interactive.take().unwrap_or(false);
    let wanted = match (items, prompts) {
        (Some(items), None) if scrapers.is_none() && countries.is_none() => {
            check_count(&[items.len()], samples)?;
            items.into_iter().map(|item| read_item(item, scraper.as_deref(), &defaults)).collect()
        }
        (None, Some(prompts)) => {
            for (one, list, both) in [
                ("prompt", "prompts", defaults.prompt.is_some()),
                ("scraper", "scrapers", scraper.is_some() && scrapers.is_some()),
                ("country", "countries", defaults.country.is_some() && countries.is_some()),
            ] {
                if both {
                    return Err(ApiError::new(
                        ErrorCode::BatchInvalid,
                        format!("A batch must have either `{one}` or `{list}`; it has both."),
                    ));
                }
            }
            let one = |given: Option<String>| given.map(Value::String).into_iter().collect();
            let scrapers = scrapers.unwrap_or_else(|| one(scraper));
            let countries = countries.unwrap_or_else(|| one(defaults.country.take()));
            matrix(&prompts, &scrapers, &countries, samples, &defaults)?
        }
        (Some(_), None | Some(_)) | (None, None) => {
            return Err(ApiError::new(
                ErrorCode::BatchInvalid,
                "A batch must have either `items`, a list of objects, or `prompts`, a list of \
                 strings, with `scrapers` and `countries` where wanted.",
            ));
        }
    };
    let copies = samples.unwrap_or(1);
    let mut items = Vec::with_capacity(wanted.len() * copies);
    for item in wanted {
        let checked = item.and_then(|item| check(service, item, samples.is_some()));
        for _ in 1..copies {
            items.push(checked.clone());
        }
        items.push(checked);
    }
    if interactive {
        check_interactive(items.len())?;
        items.iter_mut().flatten().for_each(|(_, handling)| handling.interactive = true);
    }
    Ok(NewBatch { label, items, webhook_url, idempotency: None })
}

/// Returns the batch that `samples` makes of one request. The cache serves none of its items.
///
/// # Errors
/// Returns an error if `samples` is out of its bounds.
pub(crate) fn of_samples(
    samples: usize,
    request: ScrapeRequest,
    mut handling: Handling,
) -> Result<NewBatch, ApiError> {
    check_samples(Some(samples))?;
    // One webhook at the batch's end, and none for each of its jobs.
    let webhook_url = handling.webhook_url.take();
    let label = handling.label.clone();
    let request = ScrapeRequest { bypass_cache: true, ..request };
    let items = (0..samples).map(|_| Ok((request.clone(), handling.clone()))).collect();
    Ok(NewBatch { label, items, webhook_url, idempotency: None })
}

/// The jobs of a large batch wait in the queue: a thousand of them would push aside every waiting
/// call.
fn check_interactive(items: usize) -> Result<(), ApiError> {
    if items <= INTERACTIVE_ITEMS_MAX {
        return Ok(());
    }
    let rule = format!("`false` in a batch of over {INTERACTIVE_ITEMS_MAX} items");
    Err(params::wrong_type("interactive", &rule, "true"))
}

/// Checks that no list is empty, and that all together are not too many items.
fn check_count(lengths: &[usize], samples: Option<usize>) -> Result<(), ApiError> {
    let count = lengths.iter().chain(&samples).try_fold(1, |count: usize, n| count.checked_mul(*n));
    match count {
        Some(1..=BATCH_ITEMS_MAX) => Ok(()),
        Some(0) => Err(ApiError::new(
            ErrorCode::BatchInvalid,
            "A batch must have at least one item; one of its lists is empty.",
        )),
        Some(_) | None => Err(ApiError::batch_too_large(BATCH_ITEMS_MAX, count)),
    }
}

type Asked = Result<Item, ItemError>;

fn read_item(item: Value, scraper: Option<&str>, defaults: &RawRequest) -> Asked {
    let Value::Object(mut fields) = item else {
        return Err(ItemError::Invalid {
            code: ErrorCode::ItemInvalid.code().to_owned(),
            detail: format!(
                "An item must be a JSON object of parameters; given: {}.",
                quoted(&item.to_string())
            ),
        });
    };
    let scraper = take_string(&mut fields, "scraper")?.or(scraper.map(str::to_owned));
    let of_the_batch = |name: &str| {
        let scope = Parameter::named(name).map(|parameter| parameter.scope);
        LISTS.contains(&name) || scope == Some(Scope::Batch)
    };
    if let Some((name, _)) = fields.iter().find(|(name, it)| of_the_batch(name) && !it.is_null()) {
        return Err(ItemError::Invalid {
            code: ErrorCode::ItemInvalid.code().to_owned(),
            detail: format!(
                "An item must not have `{name}`: it belongs beside the items, to the batch."
            ),
        });
    }
    let raw = filled(params::from_fields(fields)?, defaults);
    Ok(Item { scraper, raw })
}

/// Combines every prompt with every scraper and every country, the last changing first.
fn matrix(
    prompts: &[Value],
    scrapers: &[Value],
    countries: &[Value],
    samples: Option<usize>,
    defaults: &RawRequest,
) -> Result<Vec<Asked>, ApiError> {
    // Where a list is not given, the item's own check says what is missing, or the default holds.
    let texts = |name: &str, list: &[Value]| -> Result<Vec<Option<String>>, ApiError> {
        let texts = list.iter().map(|value| params::json_string(name, value.clone()).map(Some));
        if list.is_empty() { Ok(vec![None]) } else { texts.collect() }
    };
    check_count(&[prompts.len(), scrapers.len().max(1), countries.len().max(1)], samples)?;
    let prompts = texts("prompts", prompts)?;
    let scrapers = texts("scrapers", scrapers)?;
    let countries = texts("countries", countries)?;
    let mut items = Vec::new();
    for prompt in &prompts {
        for scraper in &scrapers {
            for country in &countries {
                let raw = RawRequest {
                    prompt: prompt.clone(),
                    country: country.clone(),
                    ..defaults.clone()
                };
                items.push(Ok(Item { scraper: scraper.clone(), raw }));
            }
        }
    }
    Ok(items)
}

fn check(
    service: &Service,
    item: Item,
    sampled: bool,
) -> Result<(ScrapeRequest, Handling), ItemError> {
    let Item { scraper, mut raw } = item;
    let Some(scraper) = scraper else {
        return Err(ItemError::Invalid {
            code: ErrorCode::ScraperMissing.code().to_owned(),
            detail: ErrorCode::ScraperMissing.example().to_owned(),
        });
    };
    let known = service.scraper(&scraper);
    let known = known.map_err(|e| ApiError::from_service(e, service.retention_hours()))?;
    let handling = service.take_handling(&mut raw).map_err(ApiError::from)?;
    let request = service.check(known, raw).map_err(ApiError::from)?;
    let bypass_cache = request.bypass_cache || sampled;
    Ok((ScrapeRequest { bypass_cache, ..request }, handling))
}

impl From<ApiError> for ItemError {
    fn from(error: ApiError) -> ItemError {
        ItemError::Invalid { code: error.code.code().to_owned(), detail: error.detail }
    }
}

fn take_list(fields: &mut Map<String, Value>, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(other) => Err(params::wrong_type(name, "a list", &other.to_string())),
    }
}

fn take_string(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => params::json_string(name, value).map(Some),
    }
}
