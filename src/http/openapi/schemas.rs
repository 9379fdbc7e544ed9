//! The schemas of requests and replies.

mod alerts;
mod reference;
mod schedules;

use serde_json::{Map, Value, json};

pub(crate) use reference::{any_of, of};

use super::parameters;
use crate::answer::ResultObject;
use crate::api::{
    AlertsView, AppliedView, AttemptsView, BatchesView, BulkView, COUNTRY_PATTERN, DeletionView,
    DeliveryView, ErrorBody, EvidenceView, JobView, JobsView, NewTrackerView, NodesView,
    NoticeMessageView, ObservationsView, RawView, ReportView, RpcMessage, RpcReply,
    ScheduleRunsView, SchedulesView, ScrapersView, StatsView, StatusView, TokensView, TrackersView,
    UsageView, schemas_of,
};
use crate::job::{BATCH_ITEMS_MAX, PROMPT_CHARS_MAX};
use crate::measure::BrandMention;

pub(crate) fn all() -> Map<String, Value> {
    let scrape = json!({
        "type": "object",
        "description": "The parameters of a scrape. In the query or in the body.",
        "properties": parameters::queued(),
    });
    let own = [
        ("Scrape", scrape),
        ("NewBatch", new_batch()),
        ("NewItem", new_item()),
        ("NewSchedule", schedules::new_schedule()),
        ("NewAlert", alerts::new_alert()),
        ("AlertChange", alerts::alert_change()),
        ("ScheduleChange", schedules::schedule_change()),
    ];
    let mut schemas = schemas_of::<ErrorBody>();
    schemas.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    for derived in [
        schemas_of::<ResultObject<'_>>(),
        schemas_of::<TokensView>(),
        schemas_of::<JobsView<JobView<'_>>>(),
        schemas_of::<BatchesView>(),
        schemas_of::<BulkView>(),
        schemas_of::<StatusView>(),
        schemas_of::<ScrapersView>(),
        schemas_of::<UsageView>(),
        schemas_of::<NodesView>(),
        schemas_of::<StatsView>(),
        schemas_of::<AttemptsView>(),
        schemas_of::<DeliveryView>(),
        schemas_of::<DeletionView>(),
        schemas_of::<EvidenceView>(),
        schemas_of::<RawView>(),
        schemas_of::<AlertsView>(),
        schemas_of::<NoticeMessageView>(),
        schemas_of::<SchedulesView>(),
        schemas_of::<ScheduleRunsView>(),
        schemas_of::<BrandMention>(),
        schemas_of::<NewTrackerView>(),
        schemas_of::<TrackersView>(),
        schemas_of::<AppliedView>(),
        schemas_of::<ObservationsView>(),
        schemas_of::<ReportView>(),
        schemas_of::<RpcMessage>(),
        schemas_of::<RpcReply>(),
    ] {
        schemas.extend(derived);
    }
    schemas
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

/// A parameter for every item can stand once beside them.
fn new_batch() -> Value {
    let mut properties = parameters::of_batch();
    let prompt = json!({ "type": "string", "minLength": 1, "maxLength": PROMPT_CHARS_MAX });
    let country = json!({ "type": "string", "pattern": COUNTRY_PATTERN });
    let listed = |items: Value, description: &str| {
        json!({
            "type": "array", "minItems": 1, "maxItems": BATCH_ITEMS_MAX, "items": items,
            "description": description,
        })
    };
    properties["prompt"]["description"] = "The prompt of items that have none.".into();
    properties["label"]["description"] =
        "The label of the batch, and of its jobs without one of their own.".into();
    for (name, property) in [
        ("items", listed(of("NewItem"), "The scrapes, one by one.")),
        (
            "prompts",
            listed(prompt, "Prompts, each for every scraper and country. In place of `prompt`."),
        ),
        (
            "scrapers",
            listed(json!({ "type": "string" }), "Scrapers to ask. In place of `scraper`."),
        ),
        ("countries", listed(country, "Countries to ask from. In place of `country`.")),
        ("scraper", text("The scraper of items that name none.")),
    ] {
        properties.insert(name.to_owned(), property);
    }
    json!({
        "type": "object",
        "description": "Either `items`, or `prompts` with `scrapers` and `countries`. Other parameters apply to every item that does not set its own.",
        "properties": properties,
    })
}

fn new_item() -> Value {
    let mut properties = parameters::scrape();
    properties.insert("scraper".to_owned(), text("The scraper to ask."));
    json!({
        "type": "object",
        "description": "One scrape of a batch, refused by itself if it is invalid. Parameters that it leaves out are taken from beside the items.",
        "properties": properties,
    })
}
