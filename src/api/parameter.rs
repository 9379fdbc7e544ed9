//! The parameters of a scrape: one row is all that the query, JSON bodies, items of a batch, CSV
//! columns, `GET /scrapers`, the document and the command line know of one. The rules are checked
//! in `job`.

use serde_json::{Map, Value, json};

use super::field::{Access, Field, WrongType};
use crate::job::{
    self, Device, LABEL_CHARS_MAX, MODE_CHARS_MAX, MODEL_CHARS_MAX, PLACE_CODE_CHARS_MAX,
    PLACE_NAME_CHARS_MAX, PROMPT_CHARS_MAX, RETAIN_HOURS_MAX, RawRequest, SAMPLES_MAX,
    START_WITHIN_SECONDS_MAX, START_WITHIN_SECONDS_MIN, TIMEOUT_SECONDS_DEFAULT,
    TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS_MIN, TRACKER_NAME_CHARS_MAX, WEBHOOK_URL_CHARS_MAX,
};

/// A parameter of a scrape.
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub scope: Scope,
    /// What it is for, in the document.
    pub about: &'static str,
    /// The option of `answerd submit` with what it does, where there is one. That of a boolean sets
    /// the opposite of its default.
    pub option: Option<(&'static str, &'static str)>,
    field: &'static dyn Field,
}

/// The values that a parameter takes, with its bounds and its default.
pub enum Kind {
    Prompt,
    /// Text without control characters.
    Line {
        chars_max: usize,
    },
    Country,
    Url,
    Boolean {
        default: bool,
    },
    Seconds {
        min: f64,
        max: f64,
        default: Option<f64>,
    },
    Count {
        max: usize,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Text that a pattern describes, which JSON Schema and `job` read alike.
    Pattern {
        pattern: &'static str,
        chars_max: usize,
    },
}

/// The places of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In a waiting call, a job, a batch, and an item of it.
    Scrape,
    /// In a job that is queued, and beside the items of a batch.
    Batch,
}

macro_rules! field {
    ($name:ident) => {
        field!($name, PartialEq::eq)
    };
    ($name:ident, $same:expr) => {
        &Access { get: |raw| &raw.$name, get_mut: |raw| &mut raw.$name, same: $same }
    };
}

/// Every parameter of a scrape.
pub static PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "prompt",
        kind: Kind::Prompt,
        scope: Scope::Scrape,
        about: "What is asked; not blank.",
        option: None,
        field: field!(prompt),
    },
    Parameter {
        name: "country",
        kind: Kind::Country,
        scope: Scope::Scrape,
        about: "ISO 3166-1 alpha-2, in any case; a scraper may refuse some. `US` where none is given.",
        option: Some(("country", "The country to ask from, ISO 3166-1 alpha-2 [default: US]")),
        field: field!(country, |one, other| one.eq_ignore_ascii_case(other)),
    },
    Parameter {
        name: "bypass_cache",
        kind: Kind::Boolean { default: false },
        scope: Scope::Scrape,
        about: "Asks an upstream even where the cache could answer.",
        option: Some(("bypass-cache", "Ask even where the cache holds an answer")),
        field: field!(bypass_cache),
    },
    Parameter {
        name: "timeout",
        kind: Kind::Seconds {
            min: TIMEOUT_SECONDS_MIN,
            max: TIMEOUT_SECONDS_MAX,
            default: Some(TIMEOUT_SECONDS_DEFAULT),
        },
        scope: Scope::Scrape,
        about: "Seconds that a scrape may take; 300 where none are given.",
        option: Some((
            "timeout",
            "How long one attempt may take, 10 to 600 seconds [default: 300]",
        )),
        field: field!(timeout),
    },
    Parameter {
        name: "web_search",
        kind: Kind::Boolean { default: true },
        scope: Scope::Scrape,
        about: "Searches the web, if the upstream can switch that; `true` where it is not given.",
        option: Some(("no-web-search", "Answer from the model alone, where the engine can")),
        field: field!(web_search),
    },
    Parameter {
        name: MARKDOWN_JSON,
        kind: Kind::Boolean { default: false },
        scope: Scope::Scrape,
        about: "Adds the token tree of the Markdown, where the scraper has it.",
        option: Some(("markdown-json", "Add the token tree of the Markdown to the result")),
        field: field!(markdown_json),
    },
    Parameter {
        name: "mode",
        kind: Kind::Line { chars_max: MODE_CHARS_MAX },
        scope: Scope::Scrape,
        about: "A word for upstreams that know modes.",
        option: Some(("mode", "A mode of the engine, where it has modes")),
        field: field!(mode),
    },
    Parameter {
        name: "label",
        kind: Kind::Line { chars_max: LABEL_CHARS_MAX },
        scope: Scope::Scrape,
        about: "A word of your own, echoed in the job.",
        option: Some(("label", "A label of your own for the job, at most 200 characters")),
        field: field!(label),
    },
    Parameter {
        name: "start_within",
        kind: Kind::Seconds {
            min: START_WITHIN_SECONDS_MIN,
            max: START_WITHIN_SECONDS_MAX,
            default: None,
        },
        scope: Scope::Scrape,
        about: "Seconds; a job that has not started by then fails.",
        option: Some((
            "start-within",
            "Fail unless the first attempt starts inside 1 to 86400 seconds",
        )),
        field: field!(start_within),
    },
    Parameter {
        name: "webhook_url",
        kind: Kind::Url,
        scope: Scope::Scrape,
        about: "An http(s) address that is called when the job ends: public, or listed in `allow_hosts`.",
        option: Some(("webhook-url", "Where the server sends the job when it ends")),
        field: field!(webhook_url),
    },
    Parameter {
        name: "samples",
        kind: Kind::Count { max: SAMPLES_MAX },
        scope: Scope::Batch,
        about: "How often to run the same prompt, as one batch.",
        option: None,
        field: field!(samples),
    },
    Parameter {
        name: "interactive",
        kind: Kind::Boolean { default: false },
        scope: Scope::Batch,
        about: "Goes ahead of queued jobs, as a call that waits does; in batches up to 20 items.",
        option: None,
        field: field!(interactive),
    },
    Parameter {
        name: "region",
        kind: Kind::Pattern { pattern: PLACE_NAME_PATTERN, chars_max: PLACE_NAME_CHARS_MAX },
        scope: Scope::Scrape,
        about: "The state, province or county to ask from, by its name.",
        option: Some(("region", "The state, province or county to ask from")),
        field: field!(region),
    },
    Parameter {
        name: "city",
        kind: Kind::Pattern { pattern: PLACE_NAME_PATTERN, chars_max: PLACE_NAME_CHARS_MAX },
        scope: Scope::Scrape,
        about: "The city to ask from, by its name.",
        option: Some(("city", "The city to ask from")),
        field: field!(city),
    },
    Parameter {
        name: "language",
        kind: Kind::Pattern { pattern: LANGUAGE_PATTERN, chars_max: PLACE_CODE_CHARS_MAX },
        scope: Scope::Scrape,
        about: "The language of the interface, a BCP 47 tag such as `de` or `pt-BR`; the country's \
                where none is given.",
        option: Some(("language", "The language of the interface, such as de or pt-BR")),
        field: field!(language),
    },
    Parameter {
        name: "timezone",
        kind: Kind::Pattern { pattern: TIMEZONE_PATTERN, chars_max: PLACE_CODE_CHARS_MAX },
        scope: Scope::Scrape,
        about: "The time zone to ask from, such as `Europe/Berlin`; the country's where none is \
                given.",
        option: Some(("timezone", "The time zone to ask from, such as Europe/Berlin")),
        field: field!(timezone),
    },
    Parameter {
        name: "device",
        kind: Kind::Choice(Device::WORDS),
        scope: Scope::Scrape,
        about: "The device to ask as, where the upstream distinguishes them.",
        option: Some(("device", "The device to ask as: desktop or mobile")),
        field: field!(device),
    },
    Parameter {
        name: "strict_place",
        kind: Kind::Boolean { default: false },
        scope: Scope::Scrape,
        about: "Passes over upstreams that cannot apply the region, city, language or device.",
        option: Some(("strict-place", "Ask only upstreams that can apply the place")),
        field: field!(strict_place),
    },
    Parameter {
        name: "model",
        kind: Kind::Pattern { pattern: MODEL_PATTERN, chars_max: MODEL_CHARS_MAX },
        scope: Scope::Scrape,
        about: "The model to ask; one that `models_allowed` of an upstream lists.",
        option: Some(("model", "The model to ask, of those that the operator allows")),
        field: field!(model),
    },
    Parameter {
        name: "kind",
        kind: Kind::Choice(job::Kind::WORDS),
        scope: Scope::Scrape,
        about: "The only kind of upstreams to ask, so that answers compare.",
        option: Some(("kind", "The only kind of upstreams to ask: api, serp or browser")),
        field: field!(kind),
    },
    Parameter {
        name: "require_search",
        kind: Kind::Boolean { default: false },
        scope: Scope::Scrape,
        about: "Counts an answer that the engine gave without a search as a failed attempt.",
        option: Some(("require-search", "Fail unless the engine searched the web")),
        field: field!(require_search),
    },
    Parameter {
        name: "keep_unsearched",
        kind: Kind::Boolean { default: false },
        scope: Scope::Scrape,
        about: "Carries the answer in the error, where `require_search` made the job fail.",
        option: Some(("keep-unsearched", "Show the answer of a job that failed without a search")),
        field: field!(keep_unsearched),
    },
    Parameter {
        name: "raw",
        kind: Kind::Boolean { default: false },
        scope: Scope::Scrape,
        about: "Keeps the upstream's raw reply with the job.",
        option: Some(("raw", "Keep the upstream's raw reply with the job")),
        field: field!(raw),
    },
    Parameter {
        name: "retain_hours",
        kind: Kind::Count { max: RETAIN_HOURS_MAX as usize },
        scope: Scope::Scrape,
        about: "Hours until the job is dropped; more than `retention_hours` is a 400.",
        option: Some(("retain-hours", "Hours after which the job is dropped")),
        field: field!(retain_hours),
    },
    Parameter {
        name: "track",
        kind: Kind::Pattern { pattern: TRACKER_PATTERN, chars_max: TRACKER_NAME_CHARS_MAX },
        scope: Scope::Scrape,
        about: "The tracker whose brands the answer is measured by; the cache is passed over.",
        option: Some(("track", "The tracker whose brands the answer is measured by")),
        field: field!(track),
    },
];

/// The parameter that only some scrapers have.
pub const MARKDOWN_JSON: &str = "markdown_json";

/// A country's code; which letters are one, [`crate::catalog`] knows.
pub const COUNTRY_PATTERN: &str = "^[A-Za-z]{2}$";
/// Text without control characters.
const LINE_PATTERN: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";
/// A name without control characters, brackets and quotes.
const PLACE_NAME_PATTERN: &str = "^[^\\x00-\\x1f\\x7f-\\x9f<>{}\\[\\]|\\\\\"`]*$";
const LANGUAGE_PATTERN: &str = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$";
const TIMEZONE_PATTERN: &str = "^[A-Za-z0-9_+-]+/[A-Za-z0-9_+/-]+$";
const MODEL_PATTERN: &str = "^[\\x21-\\x7e]+$";
/// The name of a tracker.
pub const TRACKER_PATTERN: &str = "^[a-z0-9][a-z0-9_-]*$";
const COUNTRY_DEFAULT: &str = "US";

impl Parameter {
    /// Returns the parameter with this name.
    pub fn named(name: &str) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.name == name)
    }

    /// Sets it from text in a query, and returns whether it was given before.
    ///
    /// # Errors
    /// Returns an error if the text is of another type.
    pub fn set_text(&self, raw: &mut RawRequest, text: String) -> Result<bool, WrongType> {
        self.field.set_text(raw, text)
    }

    /// Sets it from a JSON value.
    ///
    /// # Errors
    /// Returns an error if the value is of another type.
    pub fn set_json(&self, raw: &mut RawRequest, value: Value) -> Result<(), WrongType> {
        self.field.set_json(raw, value)
    }

    /// Returns whether it is given in both, with different values.
    pub fn conflicts(&self, one: &RawRequest, other: &RawRequest) -> bool {
        self.field.conflicts(one, other)
    }

    /// Takes it from `defaults` if it is not given.
    pub fn fill(&self, raw: &mut RawRequest, defaults: &RawRequest) {
        self.field.fill(raw, defaults);
    }

    /// Moves it from `other` if it is not given.
    pub fn take(&self, raw: &mut RawRequest, other: &mut RawRequest) {
        self.field.take(raw, other);
    }

    /// Returns its value as JSON, where it is given.
    pub fn value(&self, raw: &RawRequest) -> Option<Value> {
        self.field.value(raw)
    }

    /// Returns its default as JSON.
    pub fn default(&self) -> Option<Value> {
        match self.kind {
            Kind::Country => Some(COUNTRY_DEFAULT.into()),
            Kind::Boolean { default } => Some(default.into()),
            Kind::Seconds { default, .. } => default.map(Value::from),
            Kind::Prompt
            | Kind::Line { .. }
            | Kind::Url
            | Kind::Count { .. }
            | Kind::Choice(_)
            | Kind::Pattern { .. } => None,
        }
    }

    /// Returns its JSON schema, without its default.
    pub fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Prompt => json!({
                "type": "string", "minLength": 1, "maxLength": PROMPT_CHARS_MAX,
            }),
            Kind::Line { chars_max } => {
                json!({ "type": "string", "maxLength": chars_max, "pattern": LINE_PATTERN })
            }
            Kind::Country => json!({ "type": "string", "pattern": COUNTRY_PATTERN }),
            Kind::Url => {
                json!({ "type": "string", "format": "uri", "maxLength": WEBHOOK_URL_CHARS_MAX })
            }
            Kind::Boolean { .. } => json!({ "type": "boolean" }),
            Kind::Seconds { min, max, .. } => {
                json!({ "type": "number", "minimum": min, "maximum": max })
            }
            Kind::Count { max } => json!({ "type": "integer", "minimum": 1, "maximum": max }),
            Kind::Choice(words) => json!({ "type": "string", "enum": words }),
            Kind::Pattern { pattern, chars_max } => {
                json!({ "type": "string", "maxLength": chars_max, "pattern": pattern })
            }
        };
        schema["description"] = self.about.into();
        schema
    }

    /// Returns it as `GET /scrapers` shows it.
    pub fn outline(&self, prompt_chars_max: usize) -> Value {
        let default = self.default();
        match self.kind {
            Kind::Prompt => json!({
                "type": "string", "required": true, "length_min": 1, "length_max": prompt_chars_max,
            }),
            Kind::Line { chars_max } => {
                json!({ "type": "string", "length_max": chars_max, "default": default })
            }
            Kind::Country => {
                json!({ "type": "string", "format": "ISO 3166-1 alpha-2", "default": default })
            }
            Kind::Url => json!({
                "type": "string", "format": "uri", "length_max": WEBHOOK_URL_CHARS_MAX,
                "default": default,
            }),
            Kind::Boolean { .. } => json!({ "type": "boolean", "default": default }),
            Kind::Seconds { min, max, .. } => json!({
                "type": "number", "unit": "seconds", "minimum": min, "maximum": max,
                "default": default,
            }),
            Kind::Count { max } => {
                json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default })
            }
            Kind::Choice(words) => {
                json!({ "type": "string", "enum": words, "default": default })
            }
            Kind::Pattern { chars_max, .. } => {
                json!({ "type": "string", "length_max": chars_max, "default": default })
            }
        }
    }
}

/// Takes from `defaults` what is not given.
#[must_use]
pub fn filled(mut raw: RawRequest, defaults: &RawRequest) -> RawRequest {
    PARAMETERS.iter().for_each(|parameter| parameter.fill(&mut raw, defaults));
    raw
}

/// Returns all that is given as the fields of a JSON body.
pub fn body(raw: &RawRequest) -> Map<String, Value> {
    let given = |parameter: &Parameter| Some((parameter.name.to_owned(), parameter.value(raw)?));
    PARAMETERS.iter().filter_map(given).collect()
}
