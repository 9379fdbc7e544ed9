//! config.toml as it ships against what the code takes, and what a wrong setting is told.

mod secrets;
mod terms;

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::*;
use crate::catalog;
use crate::tests::fuzz;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_env(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    Settings::load_from(None, &environment(pairs))
}

fn with_file(text: &str) -> Result<Settings, ConfigError> {
    with_both(text, &[])
}

fn with_both(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    Settings::load_from(Some(&path), &environment(pairs))
}

fn problems(settings: Result<Settings, ConfigError>) -> String {
    settings.unwrap_err().problems.join("\n")
}

const HASH: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The settings of a table that config.toml shows as comments (`# [scrapers.NAME]`), each of which
/// must follow a comment of its own.
fn commented_out(heading: &str) -> Table {
    let mut lines = file::DEFAULTS.lines().skip_while(|line| *line != format!("# {heading}"));
    assert!(lines.next().is_some(), "config.toml shows no {heading}");
    let mut shown = String::new();
    let mut explained = false;
    for line in lines.map_while(|line| line.strip_prefix("# ")) {
        let is_setting = line.split_once(" = ").is_some_and(|(name, _)| {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
        });
        if is_setting {
            assert!(explained, "no comment before `{line}` of {heading}");
            shown.push_str(line);
            shown.push('\n');
        }
        explained = !is_setting;
    }
    shown.parse().unwrap()
}

#[test]
fn the_defaults_load_and_are_open_on_loopback() {
    let settings = with_env(&[]).unwrap();
    assert_eq!(settings.http.bind.to_string(), "127.0.0.1:8080");
    assert!(!settings.http.keys_needed);
    assert_eq!(settings.http.public_url, None);
    assert_eq!(settings.store.retention_ms, 24 * 3_600_000);
    assert_eq!(settings.store.cache_bytes, 64 << 20);
    assert!(settings.keys.is_empty());
}

#[test]
fn every_setting_of_the_plain_sections_follows_a_comment() {
    let mut previous = "";
    let mut section = "";
    for line in file::DEFAULTS.lines() {
        if line.starts_with('[') {
            section = line;
        } else if line.contains(" = ") && !line.starts_with('#') && !section.contains('.') {
            assert!(previous.starts_with("# "), "no comment before `{line}` of {section}");
        }
        previous = line;
    }
}

#[test]
fn what_config_toml_shows_as_comments_are_the_defaults() {
    let upstream = Table::try_from(file::Upstream::default()).unwrap();
    assert_eq!(commented_out("[upstreams.NAME]"), upstream);
    let scraper = Table::try_from(file::Scraper::default()).unwrap();
    assert_eq!(commented_out("[scrapers.NAME]"), scraper);
    // A key has no defaults worth showing, so it shows an example of each setting.
    let key = Table::try_from(file::Key::default()).unwrap();
    assert!(commented_out("[[keys]]").keys().eq(key.keys()));
}

#[test]
fn config_toml_has_every_scraper_of_the_catalog_and_its_countries() {
    let settings = with_env(&[]).unwrap();
    for entry in catalog::SCRAPERS {
        let scraper = &settings.scrapers[entry.name];
        assert_eq!(scraper.refused_countries, entry.refused_countries, "{}", entry.name);
        assert_eq!(scraper.credits, catalog::CREDITS_DEFAULT);
    }
    assert_eq!(settings.scrapers.len(), catalog::SCRAPERS.len());
}

#[test]
fn each_kind_has_one_word_and_config_toml_names_it() {
    let names = file::DEFAULTS.split("# What it speaks: ").nth(1).unwrap();
    assert_eq!(UpstreamKind::named("answerd"), Some(UpstreamKind::Scrapellm));
    for kind in UpstreamKind::ALL {
        let word = kind.word();
        assert_eq!(UpstreamKind::named(word), Some(*kind));
        assert!(names.split("\n# kind").next().unwrap().contains(word), "{word}");
    }
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_that_exists() {
    let file = "[http]\nbnid = \"127.0.0.1:1\"\n[upstreams.openai]\nmodle = \"m\"\n\
                [[keys]]\nname = \"a\"\nhsah = \"\"\n[htpp]\nx = 1\n[queue]\nzzz = 1\n";
    insta::assert_snapshot!(problems(with_file(file)), @r"
    unknown setting `htpp`; did you mean `http`?
    unknown setting `http.bnid`; did you mean `bind`?
    unknown setting `keys.0.hsah`; did you mean `hash`?
    unknown setting `queue.zzz`
    unknown setting `upstreams.openai.modle`; did you mean `model`?
    `hash` of the key `a` must be `sha256:` and 64 hexadecimal digits, as `answerd keygen` prints it
    ");
    assert!(problems(with_env(&[("ANSWERD_HTTP__BNID", "1")])).contains("http.bnid"));
}

#[test]
fn a_wrong_type_is_named_in_plain_words() {
    let told = |file: &str| problems(with_file(file));
    insta::assert_snapshot!(told("[http]\nworkers = \"two\""), @r#"a setting has the wrong type: invalid type: string "two", expected a whole number in `http.workers`"#);
    insta::assert_snapshot!(told("[queue]\njobs_max = -1"), @"a setting has the wrong type: invalid value: integer `-1`, expected a whole number in `queue.jobs_max`");
    insta::assert_snapshot!(told("[http]\nauth = \"none\""), @"a setting has the wrong type: unknown value `none`, expected one of `auto`, `keys`, `open` in `http.auth`");
    insta::assert_snapshot!(told("[scrapers]\nchatgpt = 3"), @"a setting has the wrong type: invalid type: integer `3`, expected a table in `scrapers.chatgpt`");
    insta::assert_snapshot!(told("[scrapers.chatgpt]\nupstreams = \"openai\""), @r#"a setting has the wrong type: invalid type: string "openai", expected a list such as ["a", "b"] in `scrapers.chatgpt.upstreams`"#);
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named() {
    let missing = Settings::load_from(Some(Path::new("/nowhere/at-all.toml")), &BTreeMap::new());
    assert!(problems(missing).starts_with("cannot read /nowhere/at-all.toml: "));
    let told = problems(with_file("[http\nbind = 1"));
    assert!(told.contains("config.toml is not valid TOML: ") && told.contains("line 1"), "{told}");
}

#[test]
fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
    let file = "[http]\nbind = \"127.0.0.1:1\"\nworkers = 3\n";
    let settings = with_both(
        file,
        &[
            ("ANSWERD_HTTP__BIND", "127.0.0.1:2"),
            ("ANSWERD_STORE__QUICK_REPAIR", "true"),
            ("ANSWERD_QUEUE__JOBS_MAX", "7"),
            ("ANSWERD_SCRAPERS__CHATGPT__UPSTREAMS", r#"["practice", "openai"]"#),
            ("ANSWERD_STORE__PATH", "2026-01-01"),
            ("ANSWERD_UPSTREAMS__OPENAI__MODEL", "4"),
            ("ANSWERD_LOG__LEVEL", "\"debug\""),
            ("ANSWERD_URL", "not a setting"),
            ("ANSWERD_API_KEY", "not a setting"),
        ],
    )
    .unwrap();
    assert_eq!(settings.http.bind.to_string(), "127.0.0.1:2");
    assert_eq!(settings.http.workers, 3);
    assert!(settings.store.quick_repair);
    assert_eq!(settings.queue.jobs_max, 7);
    assert_eq!(settings.scrapers["chatgpt"].upstreams, ["practice", "openai"]);
    assert_eq!(settings.store.path, Path::new("2026-01-01"));
    assert_eq!(settings.upstreams["openai"].model, "4");
    assert_eq!(settings.log.level, "debug");
}

#[test]
fn a_line_break_in_a_variable_brings_no_further_settings() {
    let settings = with_env(&[("ANSWERD_HTTP__WORKERS", "3\nother = 1")]);
    assert!(problems(settings).contains("`http.workers`"));
}

#[test]
fn an_open_door_to_the_network_is_refused_with_the_way_out() {
    let open = &[("ANSWERD_HTTP__BIND", "0.0.0.0:8080")];
    insta::assert_snapshot!(problems(with_env(open)), @r#"`http.bind` is 0.0.0.0:8080 and no key is configured, so anybody who reaches that address could spend your credits: make a key with `answerd keygen NAME` and put the lines it prints into config.toml, or bind to 127.0.0.1, or set `http.auth = "open"`"#);
    let keys = format!("[[keys]]\nname = \"a\"\nhash = \"{HASH}\"\n");
    assert!(with_both(&keys, open).unwrap().http.keys_needed);
    assert!(with_file(&keys).unwrap().http.keys_needed, "keys are used on loopback too");
    let said = [open[0], ("ANSWERD_HTTP__AUTH", "open")];
    assert!(!with_env(&said).unwrap().http.keys_needed);
    assert!(!with_both(&keys, &said).unwrap().http.keys_needed);
    assert!(!with_env(&[("ANSWERD_HTTP__BIND", "[::1]:8080")]).unwrap().http.keys_needed);
}

#[test]
fn keys_needed_without_any_says_that_nobody_could_submit() {
    insta::assert_snapshot!(problems(with_env(&[("ANSWERD_HTTP__AUTH", "keys")])), @r#"`http.auth` is "keys" and no key is configured, so no one could submit: make a key with `answerd keygen NAME` and put the lines it prints into config.toml, or set `http.auth = "auto"`"#);
}

#[test]
fn a_key_is_a_name_and_a_hash_and_both_are_its_own() {
    let key = |name: &str, hash: &str| format!("[[keys]]\nname = \"{name}\"\nhash = \"{hash}\"\n");
    assert_eq!(with_file(&key("a", HASH)).unwrap().keys[0].hash, key_hash("test"));
    assert!(problems(with_file(&key("anonymous", HASH))).contains("[[keys]] number 1"));
    assert!(problems(with_file(&key("a b", HASH))).contains("it is `a b`"));
    for hash in ["sha256:HEX", "", &HASH[..70], &HASH.replacen("9f", "+f", 1)] {
        assert!(problems(with_file(&key("a", hash))).contains("64 hexadecimal digits"), "{hash}");
    }
    insta::assert_snapshot!(problems(with_file(&(key("a", HASH) + key("a", HASH).as_str()))), @r"
    two keys have the name `a`
    the key `a` has the same hash as another
    ");
}

#[test]
fn all_problems_are_told_at_once() {
    let file = "[http]\nbind = \"8080\"\nworkers = 0\npublic_url = \"answers.example.com\"\n\
                [store]\npath = \"\"\nretention_hours = 0\n\
                [log]\nlevel = \"verbose\"\n\
                [upstreams.mine]\nkind = \"openia\"\n\
                [upstreams.other]\nkind = \"compatible\"\nbase_url = \"http://me:pw@host/v1\"\n\
                auth_header = \"X Key\"\nproxy = \"socks\"\ntimeout_seconds = 601\n\
                [upstreams.vendor]\nkind = \"searchapi\"\nmodel = \"bing\"\n\
                [scrapers.mine]\nupstreams = [\"mine\", \"gone\", \"mine\"]\nworkers = 0\n\
                refused_countries = [\"jp\", \"XX\"]\n";
    insta::assert_snapshot!(problems(with_file(file)), @r#"
    `store.retention_hours` must be 1 to 2160; it is 0
    `store.path` must name a directory; it is empty
    `log.level` must be error, warn, info, debug or trace, or a filter such as `answerd=debug,warn`; it is `verbose`
    `kind` in [upstreams.mine] must be one of openai, perplexity, gemini, xai, anthropic, mistral, compatible, searchapi, serpapi, dataforseo, cloro, brightdata, oxylabs, scrapeless, scrapellm, browser, practice; it is `openia`
    `base_url` in [upstreams.other] holds a login, which does not belong into a file: send it as a key, with `auth_header = "Authorization"` and `api_key_env`
    `proxy` in [upstreams.other] must be an http(s) address
    `auth_header` in [upstreams.other] must be the name of a header such as `X-Api-Key`; it is `X Key`
    `upstreams.other.timeout_seconds` must be 1 to 600; it is 601
    `model` in [upstreams.vendor] must be one of chatgpt, perplexity, gemini, bing_copilot, google_ai_mode, google_ai_overview; it is `bing`
    `upstreams` of [scrapers.mine] names `gone`, which is not there; there are anthropic, dataforseo_ai_mode, dataforseo_ai_overview, deepseek, gemini, mine, mistral, openai, other, perplexity, practice, scrapeless_rufus, searchapi_ai_mode, searchapi_ai_overview, searchapi_chatgpt, searchapi_copilot, searchapi_gemini, searchapi_perplexity, serpapi_ai_mode, serpapi_ai_overview, vendor, xai
    `upstreams` of [scrapers.mine] names `mine` twice
    `scrapers.mine.workers` must be 1 to 1024; it is 0
    `refused_countries` of [scrapers.mine] takes ISO 3166-1 alpha-2 codes; `XX` is none
    `http.workers` must be 1 to 256; it is 0
    `http.public_url` must be `auto` or an http(s) address such as `https://answers.example.com`, without a login and a query; it is `answers.example.com`
    `http.bind` must be an address and a port such as `127.0.0.1:8080`; it is `8080`
    "#);
}

#[test]
fn a_log_level_is_a_level_or_a_filter() {
    for level in ["error", "answerd=debug,warn", "off"] {
        assert!(with_env(&[("ANSWERD_LOG__LEVEL", level)]).is_ok(), "{level}");
    }
    for level in ["", "loud", "answerd=loud", "info,,warn"] {
        assert!(problems(with_env(&[("ANSWERD_LOG__LEVEL", level)])).contains("log.level"));
    }
}

#[test]
fn a_public_url_stands_without_its_slash() {
    let url = |given| with_env(&[("ANSWERD_HTTP__PUBLIC_URL", given)]);
    let settings = url("https://answers.example.com/ai/").unwrap();
    assert_eq!(settings.http.public_url.as_deref(), Some("https://answers.example.com/ai"));
    for wrong in ["ftp://host", "https://host/?a=b", "https://host/#a", "https://a:b@host"] {
        assert!(problems(url(wrong)).contains("http.public_url"), "{wrong}");
    }
}

#[test]
fn a_scraper_says_which_settings_would_make_it_ready() {
    let missing = |settings: &Settings, name: &str| settings.missing(&settings.scrapers[name]);
    let settings = with_env(&[]).unwrap();
    assert_eq!(missing(&settings, "practice"), None);
    insta::assert_snapshot!(missing(&settings, "chatgpt").unwrap(), @"set the variable OPENAI_API_KEY for [upstreams.openai], or set the variable SEARCHAPI_API_KEY for [upstreams.searchapi_chatgpt]");
    insta::assert_snapshot!(missing(&settings, "amazon_rufus").unwrap(), @"set the variable SCRAPELESS_API_KEY for [upstreams.scrapeless_rufus]");
    // One upstream of two is enough.
    let settings = with_env(&[("SEARCHAPI_API_KEY", "secret")]).unwrap();
    assert_eq!(missing(&settings, "chatgpt"), None);
}

#[test]
fn a_compatible_server_needs_an_address_and_a_key_only_where_one_is_named() {
    let mine = |text: &str| {
        let text = format!("[upstreams.mine]\nkind = \"compatible\"\n{text}");
        with_file(&text).unwrap().upstreams["mine"].missing.clone()
    };
    let there = "base_url = \"http://127.0.0.1:11434/v1/\"\nmodel = \"m\"\n";
    assert_eq!(mine(there), None);
    assert_eq!(mine("").unwrap(), "set `base_url` and `model` in [upstreams.mine]");
    insta::assert_snapshot!(mine("api_key_env = \"MINE\"").unwrap(), @"set `base_url` and `model` in [upstreams.mine] and set the variable MINE for [upstreams.mine]");
}

#[test]
fn problems_of_every_kind_are_found_at_once() {
    let file = "[http]\nbnid = \"x\"\nworkers = \"two\"\ngrace_seconds = 9999\n[queue]\njobs_max = -1\n\
                [cache]\nttl_seconds = true\n[upstreams.mine]\nkind = 3\nsessions = \"a\"\n\
                [upstreams.flat]\nmodel = [1]\n[scrapers.mine]\nupstreams = [\"mine\", \"gone\"]\n\
                workers = \"x\"\n[[keys]]\nname = 7\n[[keys]]\nname = \"b\"\nhash = \"x\"\n\
                [log]\nlevel = \"loud\"\nformat = \"xml\"\n[upstreams.openai]\n\
                api_key_env = \"sk-1\"\n";
    insta::assert_snapshot!(problems(with_both(file, &[("ANSWERD_HTTP__BIND", "0.0.0.0:1")])), @r#"
    `upstreams.openai.api_key_env` must be the name of an environment variable, in capital letters, digits and `_`; what it holds is not repeated here, because it may be the secret itself: put the secret into a variable and name that
    a setting has the wrong type: invalid type: boolean `true`, expected a whole number in `cache.ttl_seconds`
    a setting has the wrong type: invalid type: string "two", expected a whole number in `http.workers`
    a setting has the wrong type: invalid type: integer `7`, expected a string in `keys.name`
    a setting has the wrong type: unknown value `xml`, expected `text` or `json` in `log.format`
    a setting has the wrong type: invalid value: integer `-1`, expected a whole number in `queue.jobs_max`
    a setting has the wrong type: invalid type: string "x", expected a whole number in `scrapers.mine.workers`
    a setting has the wrong type: invalid type: sequence, expected a string in `upstreams.flat.model`
    a setting has the wrong type: invalid type: integer `3`, expected a string in `upstreams.mine.kind`
    a setting has the wrong type: invalid type: string "a", expected a whole number in `upstreams.mine.sessions`
    unknown setting `http.bnid`; did you mean `bind`?
    `log.level` must be error, warn, info, debug or trace, or a filter such as `answerd=debug,warn`; it is `loud`
    `kind` in [upstreams.flat] must be one of openai, perplexity, gemini, xai, anthropic, mistral, compatible, searchapi, serpapi, dataforseo, cloro, brightdata, oxylabs, scrapeless, scrapellm, browser, practice; it is ``
    `upstreams` of [scrapers.mine] names `gone`, which is not there; there are anthropic, dataforseo_ai_mode, dataforseo_ai_overview, deepseek, flat, gemini, mine, mistral, openai, perplexity, practice, scrapeless_rufus, searchapi_ai_mode, searchapi_ai_overview, searchapi_chatgpt, searchapi_copilot, searchapi_gemini, searchapi_perplexity, serpapi_ai_mode, serpapi_ai_overview, xai
    `http.grace_seconds` must be 0 to 3600; it is 9999
    "#);
    // What the environment says is looked at beside a file that is none.
    let told = problems(with_both("[http", &[("ANSWERD_STORE__PAHT", "x")]));
    assert!(told.contains("not valid TOML") && told.contains("store.paht"), "{told}");
}

#[test]
fn fuzzed_files_are_read_or_refused_in_sentences() {
    let examples = [
        "[http]\nbind = \"127.0.0.1:0\"\ncors_origins = [\"https://a.example\"]\n[store]\npath = \"d\"",
        "[[keys]]\nname = \"a\"\nhash = \"sha256:00\"\nmonthly_credits = 5\n[cache]\nttl_seconds = 1",
        "[upstreams.x]\nkind = \"openai\"\nmodel = \"m\"\n[scrapers.chatgpt]\nupstreams = [\"x\"]",
    ];
    fuzz::text("config.toml", &examples, |text| {
        if let Err(error) = with_file(text) {
            assert!(!error.to_string().is_empty());
        }
    });
}
