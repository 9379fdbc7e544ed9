//! The words that search treats by themselves: stop words, compounds, irregular forms, and words
//! that readers use for one another.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that say how a question is put, not what it is about; and those that people say for
/// answerd itself.
const STOP_WORDS: &str = "\
    a about actually again all also am an and any app application are as at be been best better \
    but by can cant change changed could did do does doesnt doing dont ever explain for from get \
    give go goes going good had happen happens has have how hows i if im in into is isnt it its \
    ive just let like make many may me mean meaning means might mine much must my now of on one or \
    our out please program really server service set shall should show so software some support \
    supported supports tell than that the their them then there these they thing this those to \
    tool until up us use used uses using vs want was way we were what whats when where which who \
    whom whose why will with would you your";

/// Returns whether a word, normalized, is a stop word.
pub(crate) fn is_stop_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
    WORDS.contains(word)
}

/// Groups of words that a reader may use for one another. The third search of a question adds them.
pub(crate) const SYNONYMS: &[&[&str]] = &[
    &["authentication", "login", "key", "token", "password", "oauth", "jwt"],
    &["backup", "export", "copy"],
    &["browser", "chrome", "webdriver"],
    &["callback", "webhook", "notify", "notification"],
    &["bypass", "skip", "ignore", "avoid", "disable"],
    &["client", "sdk", "library", "package", "pip", "npm"],
    &["cli", "terminal", "console", "command"],
    &["container", "docker", "podman", "image"],
    &["cursor", "pagination", "paging", "page"],
    &["openapi", "swagger", "document"],
    &["place", "geolocation", "geo", "location", "city"],
    &["spreadsheet", "excel", "sheets", "csv"],
    &["kubernetes", "k8s", "helm"],
    &["cancel", "abort", "delete", "remove", "stop"],
    &["crash", "kill", "restart", "outage"],
    &["credit", "price", "cost", "charge", "billing", "money", "pay", "pricing"],
    &["database", "store", "storage", "disk", "save", "persist"],
    &["error", "fail", "failure", "broken", "problem"],
    &["event", "sse", "websocket", "stream"],
    &["example", "demo", "sample", "try"],
    &["fake", "mock", "practice", "rehearse", "simulate"],
    &["idempotency", "duplicate", "twice", "deduplicate", "dedupe"],
    &["install", "start", "run", "setup", "launch", "begin"],
    &["javascript", "nodejs", "node"],
    &["kept", "retention", "retain", "expire", "expiry", "lifetime"],
    &["length", "long", "size", "characters", "bytes"],
    &["limit", "maximum", "max", "bound", "cap", "largest"],
    &["migrate", "switch", "replace", "move"],
    &["monitor", "metrics", "health", "observability", "prometheus"],
    &["parallel", "concurrency", "concurrent", "worker", "threads"],
    &["poll", "wait", "check"],
    &["memory", "ram", "kib"],
    &["privacy", "gdpr", "terms", "legal"],
    &["provider", "upstream", "engine", "vendor"],
    &["schedule", "cron", "recurring", "periodic"],
    &["see", "read", "view", "access"],
    &["setting", "configuration", "option", "configure", "parameter"],
    &["source", "citation", "reference", "link"],
    &["speed", "fast", "performance", "throughput", "quick", "latency", "slow"],
    &["synchronous", "synchronously", "wait"],
    &["synchronous", "interactive", "block"],
    &["tls", "ssl", "https", "certificate"],
    &["throttle", "rate", "429", "exceed"],
];

/// What is written as two words or as one.
pub(crate) const COMPOUNDS: &[(&str, &str, &str)] = &[
    ("back", "up", "backup"),
    ("log", "in", "login"),
    ("set", "up", "setup"),
    ("time", "out", "timeout"),
    ("tried", "again", "retried"),
    ("try", "again", "retry"),
];

/// Stems of words whose endings do not give them.
pub(crate) const IRREGULAR: &[(&str, &str)] = &[
    ("kept", "keep"),
    ("made", "mak"),
    ("paid", "pay"),
    ("ran", "run"),
    ("sent", "send"),
    ("lost", "los"),
    ("failure", "fail"),
    ("failures", "fail"),
    ("expiry", "expir"),
    ("citation", "cit"),
    ("citations", "cit"),
];
