//! The rules of `[http]`.

use std::net::{IpAddr, ToSocketAddrs};

use super::rules::{has_login, is_bare, range, web_address};
use crate::config::file::{self, Auth};
use crate::config::redaction::quoted;
use crate::config::settings::Http;

pub(super) fn check_http(
    typed: &file::Http,
    has_keys: bool,
    problems: &mut Vec<String>,
) -> Option<Http> {
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
        operators_read_jobs: typed.operators_read_jobs,
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
