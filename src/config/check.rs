//! From settings as typed to [`Settings`]: every rule that a type cannot hold, and what each
//! upstream still lacks. All problems are collected, so that one start shows them all.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::dollars::{check_cap, check_prices};
use super::file::{self, Auth};
use super::redaction::{may_be_secret, quoted};
use super::secret_source::SecretSource;
use super::{
    ANONYMOUS, Browser, Http, Key, MODEL_CHARS_MAX, NAME_CHARS_MAX, RETENTION_HOURS_MAX,
    RETRIES_MAX, Scraper, Secret, Settings, Store, Upstream, UpstreamKind, WORKERS_MAX, extra_body,
    forced_search, is_name, webhooks,
};
use crate::country;

/// The highest floor of free space, MiB (1 TiB).
const FREE_MIB_MAX: u64 = 1 << 20;

/// Returns the settings, when they could be made sense of; they are sound only if `problems` stays
/// empty.
pub(super) fn check(
    typed: file::File,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Option<Settings> {
    check_ranges(&typed, problems);
    check_level(&typed.log.level, problems);
    let webhooks = webhooks::check(&typed.webhooks, environment, problems);
    let keys = check_keys(&typed.keys, problems);
    // Taken before the upstreams are checked: one with a wrong `kind` is wrong, but it is there.
    let names: Vec<String> = typed.upstreams.keys().cloned().collect();
    let upstreams: BTreeMap<String, Upstream> = typed
        .upstreams
        .into_iter()
        .filter_map(|(name, upstream)| {
            Some((name.clone(), check_upstream(name, upstream, environment, problems)?))
        })
        .collect();
    let scrapers = typed
        .scrapers
        .into_iter()
        .map(|(name, scraper)| (name.clone(), check_scraper(name, scraper, &names, problems)))
        .collect();
    let browser = check_browser(&typed.browser, problems);
    let http = check_http(&typed.http, typed.has_keys, problems)?;
    Some(Settings {
        http,
        store: Store {
            path: PathBuf::from(&typed.store.path),
            retention_ms: typed.store.retention_hours.saturating_mul(3_600_000),
            cache_bytes: typed.store.cache_mib << 20,
            quick_repair: typed.store.quick_repair,
            free_mib_min: typed.store.free_mib_min,
        },
        cache: typed.cache,
        results: typed.results,
        retry: typed.retry,
        queue: typed.queue,
        log: typed.log,
        practice: typed.practice,
        webhooks,
        browser,
        keys,
        upstreams,
        scrapers,
    })
}

fn check_ranges(typed: &file::File, problems: &mut Vec<String>) {
    let file::File { store, cache, retry, queue, practice, .. } = typed;
    range(problems, "store.retention_hours", store.retention_hours, 1, RETENTION_HOURS_MAX);
    range(problems, "store.cache_mib", store.cache_mib as u64, 1, 65_536);
    range(problems, "store.free_mib_min", store.free_mib_min, 0, FREE_MIB_MAX);
    range(problems, "cache.ttl_seconds", cache.ttl_seconds, 0, RETENTION_HOURS_MAX * 3_600);
    range(problems, "cache.entries_max", cache.entries_max as u64, 0, 100_000_000);
    range(problems, "retry.retries", u64::from(retry.retries), 0, u64::from(RETRIES_MAX));
    range(problems, "retry.backoff_max_ms", retry.backoff_max_ms, 1, 3_600_000);
    range(problems, "retry.backoff_ms", retry.backoff_ms, 1, retry.backoff_max_ms.max(1));
    range(problems, "queue.jobs_max", queue.jobs_max as u64, 1, 10_000_000);
    range(problems, "practice.latency_ms", practice.latency_ms, 0, 600_000);
    range(problems, "practice.failure_percent", u64::from(practice.failure_percent), 0, 100);
    range(problems, "practice.payload_bytes", practice.payload_bytes as u64, 0, 4 << 20);
    if store.path.is_empty() {
        problems.push("`store.path` must name a directory; it is empty".to_owned());
    }
}

fn check_browser(typed: &file::Browser, problems: &mut Vec<String>) -> Browser {
    range(problems, "browser.session_jobs_max", u64::from(typed.session_jobs_max), 1, 1_000_000);
    range(problems, "browser.session_mib_max", typed.session_mib_max, 256, 65_536);
    range(problems, "browser.evidence_mib_max", typed.evidence_mib_max, 1, 1 << 20);
    let sides = typed.viewport.split_once('x');
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let sides = sides
        .filter(|(width, height)| (320..=7_680).contains(width) && (240..=4_320).contains(height));
    if sides.is_none() {
        problems.push(format!(
            "`browser.viewport` must be a width from 320 to 7680 and a height from 240 to 4320 \
             such as `1366x900`; it is {}",
            quoted(&typed.viewport)
        ));
    }
    let is_hash = |key: &String| BASE64.decode(key).is_ok_and(|hash| hash.len() == 32);
    if let Some(wrong) = typed.trusted_keys.iter().find(|key| !is_hash(key)) {
        problems.push(format!(
            "`browser.trusted_keys` must hold SHA-256 hashes in base64, 44 characters each; one \
             is {}",
            quoted(wrong)
        ));
    }
    Browser {
        recipes: Some(PathBuf::from(&typed.recipes)).filter(|_| !typed.recipes.is_empty()),
        viewport: sides.unwrap_or_default(),
        session_jobs_max: typed.session_jobs_max,
        session_bytes_max: typed.session_mib_max << 20,
        evidence: typed.evidence,
        evidence_bytes_max: typed.evidence_mib_max << 20,
        trusted_keys: typed.trusted_keys.clone(),
    }
}

fn range(problems: &mut Vec<String>, name: &str, given: u64, least: u64, most: u64) {
    if !(least..=most).contains(&given) {
        problems.push(format!("`{name}` must be {least} to {most}; it is {given}"));
    }
}

fn check_level(level: &str, problems: &mut Vec<String>) {
    // A filter takes any lone word for the name of a module and would log nothing else; here a
    // lone word is a level, so that a misspelt one is found.
    let mut words = level.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    let sound = words.all(|word| !word.is_empty() && word.parse::<LevelFilter>().is_ok())
        && EnvFilter::try_new(level).is_ok();
    if !sound {
        problems.push(format!(
            "`log.level` must be error, warn, info, debug or trace, or a filter such as \
             `answerd=debug,warn`; it is {}",
            quoted(level)
        ));
    }
}

fn check_http(typed: &file::Http, has_keys: bool, problems: &mut Vec<String>) -> Option<Http> {
    range(problems, "http.workers", typed.workers as u64, 1, 256);
    range(problems, "http.connections_max", typed.connections_max as u64, 1, 1_000_000);
    range(problems, "http.body_kib_max", typed.body_kib_max as u64, 64, 1 << 20);
    range(problems, "http.batch_kib_max", typed.batch_kib_max as u64, 64, 1 << 20);
    range(problems, "http.head_timeout_seconds", typed.head_timeout_seconds, 1, 600);
    range(problems, "http.keep_alive_seconds", typed.keep_alive_seconds, 1, 3_600);
    range(problems, "http.write_timeout_seconds", typed.write_timeout_seconds, 1, 3_600);
    range(problems, "http.grace_seconds", typed.grace_seconds, 0, 3_600);
    range(
        problems,
        "http.key_failures_per_minute",
        u64::from(typed.key_failures_per_minute),
        0,
        1_000_000,
    );
    check_origins(&typed.cors_origins, problems);
    let public_url = check_public_url(&typed.public_url, problems);
    let bind = typed.bind.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let Some(bind) = bind else {
        problems.push(format!(
            "`http.bind` must be an address and a port such as `127.0.0.1:8080`; it is {}",
            quoted(&typed.bind)
        ));
        return None;
    };
    let way_out = "make a key with `answerd keygen NAME` and put the lines it prints into \
                   config.toml";
    let keys_needed = match typed.auth {
        Auth::Open => false,
        Auth::Keys => {
            if !has_keys {
                problems.push(format!(
                    "`http.auth` is \"keys\" and no key is configured, so no one could submit: \
                     {way_out}, or set `http.auth = \"auto\"`"
                ));
            }
            true
        }
        Auth::Auto => {
            let reachable = !bind.ip().is_loopback();
            if reachable && !has_keys {
                problems.push(format!(
                    "`http.bind` is {bind} and no key is configured, so anybody who reaches that \
                     address could spend your credits: {way_out}, or bind to 127.0.0.1, or set \
                     `http.auth = \"open\"`"
                ));
            }
            has_keys || reachable
        }
    };
    Some(Http {
        bind,
        public_url,
        keys_needed,
        workers: typed.workers,
        connections_max: typed.connections_max,
        body_bytes_max: typed.body_kib_max << 10,
        batch_bytes_max: typed.batch_kib_max << 10,
        head_timeout_seconds: typed.head_timeout_seconds,
        keep_alive_seconds: typed.keep_alive_seconds,
        write_timeout_seconds: typed.write_timeout_seconds,
        grace_seconds: typed.grace_seconds,
        key_failures_per_minute: typed.key_failures_per_minute,
        trusted_proxies: check_proxies(&typed.trusted_proxies, problems),
        cors_origins: typed.cors_origins.clone(),
    })
}

fn check_origins(origins: &[String], problems: &mut Vec<String>) {
    for origin in origins.iter().filter(|origin| *origin != "*") {
        // Compared with what browsers send, letter by letter.
        let sent = url::Url::parse(origin).map(|url| url.origin().ascii_serialization());
        if sent.as_ref() != Ok(origin) {
            problems.push(format!(
                "`http.cors_origins` must hold \"*\" or origins such as \
                 `https://app.example.com`, in lower case and without a path; it holds {}",
                quoted(origin)
            ));
        }
    }
}

fn check_proxies(typed: &[String], problems: &mut Vec<String>) -> Vec<IpAddr> {
    let mut proxies = Vec::with_capacity(typed.len());
    for given in typed {
        match given.parse::<IpAddr>() {
            Ok(address) => proxies.push(address.to_canonical()),
            Err(_) => problems.push(format!(
                "`http.trusted_proxies` must hold IP addresses such as `127.0.0.1`; it holds \
                 {}",
                quoted(given)
            )),
        }
    }
    proxies
}

fn check_public_url(typed: &str, problems: &mut Vec<String>) -> Option<String> {
    let given = typed.trim_end_matches('/');
    if given == "auto" {
        return None;
    }
    // A path is appended to it, so nothing may stand where the path ends.
    let sound = web_address(given).is_some_and(|url| is_bare(&url) && !has_login(&url));
    if !sound {
        problems.push(format!(
            "`http.public_url` must be `auto` or an http(s) address such as \
             `https://answers.example.com`, without a login and a query; it is {}",
            quoted(given)
        ));
    }
    Some(given.to_owned())
}

fn web_address(given: &str) -> Option<url::Url> {
    let url = url::Url::parse(given).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// Whether an address ends with its path.
fn is_bare(url: &url::Url) -> bool {
    url.query().is_none() && url.fragment().is_none()
}

fn has_login(url: &url::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn check_keys(typed: &[file::Key], problems: &mut Vec<String>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(typed.len());
    for (at, key) in typed.iter().enumerate() {
        let Some(key) = check_key(at, key, problems) else { continue };
        if keys.iter().any(|earlier| earlier.name == key.name) {
            problems.push(format!("two keys have the name {}", quoted(&key.name)));
        }
        if keys.iter().any(|earlier| earlier.hash == key.hash) {
            let name = quoted(&key.name);
            problems.push(format!("the key {name} has the same hash as another"));
        }
        keys.push(key);
    }
    keys
}

fn check_key(at: usize, typed: &file::Key, problems: &mut Vec<String>) -> Option<Key> {
    if !is_name(&typed.name) || typed.name == ANONYMOUS {
        problems.push(format!(
            "`name` of [[keys]] number {} must be 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` \
             or `.`, and not `{ANONYMOUS}`; it is {}",
            at + 1,
            quoted(&typed.name)
        ));
    }
    let hash = typed.hash.strip_prefix("sha256:").and_then(from_hex);
    let Some(hash) = hash else {
        problems.push(format!(
            "`hash` of the key {} must be `sha256:` and 64 hexadecimal digits, as `answerd \
             keygen` prints it",
            quoted(&typed.name)
        ));
        return None;
    };
    Some(Key {
        name: typed.name.clone(),
        hash,
        monthly_credits: Some(typed.monthly_credits).filter(|credits| *credits > 0),
        requests_per_minute: Some(typed.requests_per_minute).filter(|limit| *limit > 0),
        day_nanos_max: check_cap(
            &format!("of the key {}", quoted(&typed.name)),
            &typed.usd_per_day,
            problems,
        ),
        operator: typed.operator,
    })
}

fn from_hex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // Digits only: `from_str_radix` would take a sign as well.
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Returns names for a sentence, without those that may be secrets.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !may_be_secret(name)).collect();
    shown.join(", ")
}

/// Returns what a section is called in sentences, and checks its name.
fn section(kind: &str, name: &str, problems: &mut Vec<String>) -> String {
    let shown = if may_be_secret(name) { "NAME" } else { name };
    let section = format!("{kind}.{shown}");
    if !is_name(name) {
        problems.push(format!(
            "[{section}]: a name is 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`, and \
             does not look like a key"
        ));
    }
    section
}

fn check_upstream(
    name: String,
    typed: file::Upstream,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Option<Upstream> {
    let section = section("upstreams", &name, problems);
    let Some(kind) = UpstreamKind::named(&typed.kind) else {
        let words: Vec<&str> = UpstreamKind::ALL.iter().map(|(word, _)| *word).collect();
        problems.push(format!(
            "`kind` in [{section}] must be one of {}; it is {}",
            words.join(", "),
            quoted(&typed.kind)
        ));
        return None;
    };
    let base_url = typed.base_url.trim_end_matches('/').to_owned();
    check_addresses(&section, &base_url, &typed.proxy, problems);
    if kind == UpstreamKind::Practice && !base_url.is_empty() {
        problems.push(format!(
            "`base_url` in [{section}] must be empty: the kind `practice` answers in the service"
        ));
    }
    let is_header = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !typed.auth_header.bytes().all(is_header) || may_be_secret(&typed.auth_header) {
        problems.push(format!(
            "`auth_header` in [{section}] must be the name of a header such as `X-Api-Key`; it is \
             {}",
            quoted(&typed.auth_header)
        ));
    }
    let (model, engines) = (typed.model.as_str(), kind.engines());
    if !model.is_empty() && !engines.is_empty() && !engines.contains(&model) {
        problems.push(format!(
            "`model` in [{section}] must be one of {}; it is {}",
            engines.join(", "),
            quoted(model)
        ));
    }
    range(problems, &format!("{section}.timeout_seconds"), typed.timeout_seconds, 1, 600);
    let (api_key, no_key) = load_secret(&section, &typed, environment, problems);
    // Where a key is optional it is missed only by those who say where it is.
    let key_wanted =
        kind.needs_key() || !typed.api_key_env.is_empty() || !typed.api_key_file.is_empty();
    let no_server = (kind == UpstreamKind::Compatible
        && (base_url.is_empty() || typed.model.is_empty()))
    .then(|| format!("set `base_url` and `model` in [{section}]"));
    let no_service = (kind == UpstreamKind::Scrapellm && base_url.is_empty())
        .then(|| format!("set `base_url` in [{section}]"));
    check_webdriver(&section, &typed, problems);
    let force_search = forced_search::check(&section, kind, &typed, problems);
    check_models(&section, kind, &typed, problems);
    let no_recipe = (kind == UpstreamKind::Browser && typed.recipe.is_empty())
        .then(|| format!("set `recipe` in [{section}]"));
    let no_server = no_server.or(no_service).or(no_recipe);
    let missing: Vec<String> = no_server.into_iter().chain(no_key.filter(|_| key_wanted)).collect();
    range(problems, &format!("{section}.searches_max"), typed.searches_max.into(), 0, 1_000);
    let tokens_max = u64::from(typed.output_tokens_max);
    range(problems, &format!("{section}.output_tokens_max"), tokens_max, 0, 10_000_000);
    let prices = check_prices(&section, &typed, problems);
    let day_nanos_max = check_cap(&format!("in [{section}]"), &typed.usd_per_day, problems);
    Some(Upstream {
        extra_body: extra_body::check(&section, kind, &typed.extra_body, problems),
        models_allowed: typed.models_allowed,
        searches_max: Some(typed.searches_max).filter(|most| *most > 0),
        output_tokens_max: Some(typed.output_tokens_max).filter(|most| *most > 0),
        day_nanos_max,
        prices,
        name,
        kind,
        base_url,
        api_key,
        auth_header: typed.auth_header,
        force_search,
        include_sources: typed.include_sources,
        model: typed.model,
        timeout_seconds: typed.timeout_seconds,
        in_flight_max: Some(typed.in_flight_max).filter(|cap| *cap > 0),
        requests_per_minute: Some(typed.requests_per_minute).filter(|limit| *limit > 0),
        proxy: Some(typed.proxy).filter(|proxy| !proxy.is_empty()).map(Secret::new),
        recipe: typed.recipe,
        webdriver_url: Some(typed.webdriver_url.trim_end_matches('/').to_owned())
            .filter(|url| url != "auto"),
        sessions: typed.sessions,
        keep_raw: typed.keep_raw,
        missing: (!missing.is_empty()).then(|| missing.join(" and ")),
    })
}

/// Checks the models that a request may ask for.
fn check_models(
    section: &str,
    kind: UpstreamKind,
    typed: &file::Upstream,
    problems: &mut Vec<String>,
) {
    if typed.models_allowed.is_empty() {
        return;
    }
    let has_models = match kind {
        UpstreamKind::Openai
        | UpstreamKind::Perplexity
        | UpstreamKind::Gemini
        | UpstreamKind::Xai
        | UpstreamKind::Anthropic
        | UpstreamKind::Mistral
        | UpstreamKind::Compatible
        | UpstreamKind::Practice => true,
        // What `model` names there is an engine, which a scraper is made for; a page has its own.
        UpstreamKind::Searchapi
        | UpstreamKind::Serpapi
        | UpstreamKind::Dataforseo
        | UpstreamKind::Cloro
        | UpstreamKind::Brightdata
        | UpstreamKind::Oxylabs
        | UpstreamKind::Scrapeless
        | UpstreamKind::Scrapellm
        | UpstreamKind::Browser => false,
    };
    if !has_models {
        problems.push(format!(
            "`models_allowed` in [{section}] must be empty: a request to the kind `{}` cannot \
             choose a model",
            kind.word()
        ));
    }
    let is_model = |model: &String| {
        (1..=MODEL_CHARS_MAX).contains(&model.chars().count())
            && model.bytes().all(|byte| byte.is_ascii_graphic())
    };
    for model in typed.models_allowed.iter().filter(|model| !is_model(model)) {
        problems.push(format!(
            "`models_allowed` in [{section}] must hold names of models, 1 to {MODEL_CHARS_MAX} \
             visible ASCII characters; it holds {}",
            quoted(model)
        ));
    }
}

fn check_webdriver(section: &str, typed: &file::Upstream, problems: &mut Vec<String>) {
    range(problems, &format!("{section}.sessions"), typed.sessions as u64, 1, 256);
    // Its client speaks no TLS: a driver can do anything in its browser and belongs into a network
    // of one's own.
    let is_plain = |url: &url::Url| url.scheme() == "http" && !has_login(url) && is_bare(url);
    if typed.webdriver_url != "auto" && web_address(&typed.webdriver_url).filter(is_plain).is_none()
    {
        problems.push(format!(
            "`webdriver_url` in [{section}] must be `auto` or an http address without a login, \
             such as `http://127.0.0.1:4444`"
        ));
    }
    let is_browser = typed.kind == "browser";
    if is_browser && web_address(&typed.proxy).is_some_and(|url| has_login(&url)) {
        problems.push(format!(
            "`proxy` in [{section}] holds a login, which Chromium cannot send to a proxy"
        ));
    }
}

fn check_addresses(section: &str, base_url: &str, proxy: &str, problems: &mut Vec<String>) {
    // Their values are not repeated: an address may hold a password or a key.
    match web_address(base_url) {
        None if base_url.is_empty() => {}
        None => problems.push(format!("`base_url` in [{section}] must be an http(s) address")),
        Some(url) if has_login(&url) => problems.push(format!(
            "`base_url` in [{section}] holds a login, which does not belong into a file: send it \
             as a key, with `auth_header = \"Authorization\"` and `api_key_env`"
        )),
        Some(url) if !is_bare(&url) => problems.push(format!(
            "`base_url` in [{section}] must end with its path, without `?` and `#`: a path is \
             appended to it, and a key belongs into the variable that `api_key_env` names"
        )),
        Some(_) => {}
    }
    if !proxy.is_empty() && web_address(proxy).is_none() {
        problems.push(format!("`proxy` in [{section}] must be an http(s) address"));
    }
}

/// Returns the key of an upstream from where its settings say, or what is missing.
fn load_secret(
    section: &str,
    typed: &file::Upstream,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> (Option<Secret>, Option<String>) {
    let file::Upstream { api_key_env: variable, api_key_file: path, .. } = typed;
    let (setting, way_out) = if !path.is_empty() {
        ("api_key_file", format!("put a key into the file of `api_key_file` in [{section}]"))
    } else if !variable.is_empty() {
        ("api_key_env", format!("set the variable {variable} for [{section}]"))
    } else {
        ("api_key_env", format!("set `api_key_env` or `api_key_file` in [{section}]"))
    };
    let secret = SecretSource { file: path, variable }.read(environment).unwrap_or_else(|error| {
        problems.push(format!("`{setting}` in [{section}] {error}"));
        String::new()
    });
    if secret.is_empty() {
        return (None, Some(way_out));
    }
    if !secret.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        problems.push(format!("the key of [{section}] has characters that no key has"));
        return (None, None);
    }
    (Some(Secret::new(secret)), None)
}

fn check_scraper(
    name: String,
    typed: file::Scraper,
    upstreams: &[String],
    problems: &mut Vec<String>,
) -> Scraper {
    let section = section("scrapers", &name, problems);
    for (at, upstream) in typed.upstreams.iter().enumerate() {
        if !upstreams.contains(upstream) {
            problems.push(format!(
                "`upstreams` of [{section}] names {}, which is not there; there are {}",
                quoted(upstream),
                listed(upstreams)
            ));
        }
        if typed.upstreams[..at].contains(upstream) {
            let name = quoted(upstream);
            problems.push(format!("`upstreams` of [{section}] names {name} twice"));
        }
    }
    range(problems, &format!("{section}.workers"), typed.workers as u64, 1, WORKERS_MAX as u64);
    let refused_countries: Vec<String> =
        typed.refused_countries.iter().map(|code| code.to_ascii_uppercase()).collect();
    for code in refused_countries.iter().filter(|code| country::find(code).is_none()) {
        problems.push(format!(
            "`refused_countries` of [{section}] takes ISO 3166-1 alpha-2 codes; {} is none",
            quoted(code)
        ));
    }
    Scraper {
        name,
        upstreams: typed.upstreams,
        workers: typed.workers,
        credits: typed.credits,
        refused_countries,
        require_search: typed.require_search,
    }
}
