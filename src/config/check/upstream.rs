//! The rules of `[upstreams.NAME]`, and what an upstream still lacks.

use std::collections::BTreeMap;

use super::rules::{has_login, is_bare, range, section, web_address};
use crate::config::dollars::{check_cap, check_prices};
use crate::config::names::MODEL_CHARS_MAX;
use crate::config::redaction::{may_be_secret, quoted};
use crate::config::secret::Secret;
use crate::config::secret_source::SecretSource;
use crate::config::settings::Upstream;
use crate::config::upstream_kind::UpstreamKind;
use crate::config::{extra_body, file, forced_search};

pub(super) fn check_upstream(
    name: String,
    typed: file::Upstream,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Option<Upstream> {
    let section = section("upstreams", &name, problems);
    let Some(kind) = UpstreamKind::named(&typed.kind) else {
        let words: Vec<&str> = UpstreamKind::ALL.iter().map(|kind| kind.word()).collect();
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
    check_webdriver(&section, &typed, problems);
    let force_search = forced_search::check(&section, kind, &typed, problems);
    check_models(&section, kind, &typed, problems);
    let missing: Vec<String> =
        unset(&section, kind, &typed).into_iter().chain(no_key.filter(|_| key_wanted)).collect();
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

/// Returns what has to be set in an upstream of this kind, if that is not all there.
fn unset(section: &str, kind: UpstreamKind, typed: &file::Upstream) -> Option<String> {
    let is_empty = |setting: &&str| match *setting {
        "base_url" => typed.base_url.is_empty(),
        "model" => typed.model.is_empty(),
        "recipe" => typed.recipe.is_empty(),
        _ => false,
    };
    let needs = kind.needs();
    let names: Vec<String> = needs.iter().map(|setting| format!("`{setting}`")).collect();
    let is_unset = needs.iter().any(is_empty);
    is_unset.then(|| format!("set {} in [{section}]", names.join(" and ")))
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
    if !kind.has_models() {
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
    let is_other = |url: url::Url| url.scheme() != "http" || has_login(&url) || !is_bare(&url);
    if typed.webdriver_url != "auto" && web_address(&typed.webdriver_url).is_none_or(is_other) {
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
