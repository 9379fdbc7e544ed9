//! What a job leaves in its browser, and pages whose loading goes wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::faults::browsers;
use super::process::started_for;
use super::{ask, builder};
use crate::app::Builder;
use crate::kill_loop::setting;
use crate::page_server::PageServer;

/// The most processor time that a session may take in a second of waiting, milliseconds. What runs
/// beside the test adds to it, and the service of the tests is not optimized: the long run, which is
/// alone, holds it to less.
const WAITING_MS_MAX: u64 = 250;

/// Cookies, storage, databases, caches, workers and permissions on two origins, the window's name
/// and its history.
#[test]
fn a_job_finds_nothing_of_the_job_before() {
    let server = PageServer::start(&[
        ("/plant", include_str!("plant.html")),
        ("/worker.js", "// A worker."),
    ]);
    let app = builder(&server, "/plant").set("UPSTREAMS__PAGE__SESSIONS", "1");
    // To plant all of it takes a busy machine seconds.
    be_patient(&app);
    let app = app.start();
    for round in 0..3 {
        let job = ask(&app, &format!("hello {round}"));
        assert_eq!(job["result"]["result"], "Found: nothing", "{job:#}");
    }
}

#[test]
fn upstreams_that_go_the_same_way_share_a_browser() {
    const PAGE: &str = "<!doctype html><textarea></textarea><button id=send>Send</button>\
        <div id=out></div><script>send.onclick = async () => { await fetch('/begun');\
        out.className = 'answer'; out.textContent = document.cookie || 'nothing';\
        document.cookie = 'was=here'; };</script>";
    let server = PageServer::start(&[("/page", PAGE), ("/begun", "")]);
    let upstream = |name: &str, more: &str| {
        format!(
            "[upstreams.{name}]\nkind = \"browser\"\nrecipe = \"page\"\nbase_url = \"{}\"\n{more}\n\
             [scrapers.{name}]\nupstreams = [\"{name}\"]",
            server.base
        )
    };
    let app = builder(&server, "/page")
        .config(&upstream("other", ""))
        .config(&upstream("proxied", &format!("proxy = \"{}\"", server.base)))
        .start();
    let mains = || browsers(&app.store_path()).into_iter().filter(|(_, main)| *main).count();
    let all = ["page", "other", "page", "other"].map(|scraper| app.submit(scraper, "hello"));
    for id in all {
        let job = app.ended(&id);
        assert_eq!(job["result"]["result"], "nothing", "{job:#}");
    }
    assert_eq!(mains(), 1);
    app.ended(&app.submit("proxied", "hello"));
    assert_eq!(mains(), 2);
}

#[test]
fn page_that_fills_the_memory_is_ended_and_no_other() {
    const PAGE: &str = "<!doctype html><textarea></textarea><button id=send>Send</button>\
        <p id=stop>Stop</p><div id=out></div><script>send.onclick = () => {\
        out.className = 'answer'; out.textContent = 'Small';\
        if (document.querySelector('textarea').value === 'fill')\
            window.kept = Array.from({ length: 9 }, () => new Uint8Array(50 << 20).fill(1));\
        setTimeout(() => document.getElementById('stop').remove(), 16000); };</script>";
    let server = PageServer::start(&[("/page", PAGE)]);
    let builder = builder(&server, "/page").set("BROWSER__SESSION_MIB_MAX", "256");
    be_patient(&builder);
    let app = builder.start();
    let small = app.submit("page", "stay");
    let large = app.submit("page", "fill");
    let job = app.ended(&large);
    assert_eq!(job["error_code"], "upstream_unreachable", "{job:#}");
    assert!(job["error"].as_str().unwrap().contains("more than 256 MiB of memory"), "{job:#}");
    let job = app.ended(&small);
    assert_eq!(job["result"]["result"], "Small", "{job:#}");
}

/// An origin with a certificate that nobody has signed; its address.
fn self_signed() -> String {
    tls(include_bytes!("selfsigned.crt"), include_bytes!("selfsigned.key"))
}

/// An origin with a certificate and its key, in PEM; its address.
fn tls(certificate: &[u8], key: &[u8]) -> String {
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // The browser hangs up as soon as it has seen the certificate.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    format!("https://{address}")
}

#[test]
fn a_certificate_that_nobody_has_signed_is_told() {
    let server = PageServer::start(&[]);
    let app = builder(&server, "/chat").set("UPSTREAMS__PAGE__BASE_URL", self_signed()).start();
    let job = ask(&app, "hello");
    assert_eq!(job["error_code"], "upstream_unreachable", "{job:#}");
    assert!(job["error"].as_str().unwrap().contains("ERR_CERT_AUTHORITY_INVALID"), "{job:#}");
}

/// Its answer is no page of a chat, but it is read.
#[test]
fn a_certificate_whose_key_is_trusted_is_taken() {
    const KEY: &str = "[\"yGDqukDwv6buKFnzjy3sB9y0brXGvW2KSwYVS1Gqfzs=\"]";
    let server = PageServer::start(&[]);
    let app = builder(&server, "/chat")
        .set("UPSTREAMS__PAGE__BASE_URL", self_signed())
        .set("BROWSER__TRUSTED_KEYS", KEY)
        .start();
    assert_eq!(ask(&app, "hello")["error_code"], "recipe_outdated");
}

#[test]
fn certificate_is_taken_if_an_authority_of_the_operator_has_signed_it() {
    let server = PageServer::start(&[]);
    let base = tls(include_bytes!("signed.crt"), include_bytes!("signed.key"));
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/pages/authority.crt");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/pages/selfsigned.crt");
    // What is read then is no page of a chat.
    for (file, code) in [(own, "recipe_outdated"), (other, "upstream_unreachable")] {
        let app = builder(&server, "/chat")
            .set("UPSTREAMS__PAGE__BASE_URL", &base)
            .set("BROWSER__CA_FILE", file)
            .start();
        let job = ask(&app, "hello");
        assert_eq!(job["error_code"], code, "{job:#}");
    }
}

/// The script at the end never comes, so the document is never whole.
#[test]
fn a_page_that_is_usable_is_used_though_it_goes_on_loading() {
    const PAGE: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
        <button id=send>Send</button><div id=out></div><script>send.onclick = () => {\
        out.className = 'answer'; out.textContent = document.readyState; };</script>\
        <script src=/hang></script>";
    let server = PageServer::start(&[("/page", PAGE)]);
    let app = builder(&server, "/page").start();
    let job = ask(&app, "hello");
    assert_eq!(job["result"]["result"], "loading", "{job:#}");
}

/// Has the recipe wait for long.
fn be_patient(builder: &Builder) {
    let file = builder.directory().join("recipes/page.toml");
    let recipe = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, recipe.replace("wait_ms = 4000", "wait_ms = 60000")).unwrap();
}

#[test]
fn a_page_that_leaves_its_answer_for_another_page_is_told() {
    const PAGE: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
        <button id=send>Send</button><div id=out></div><script>send.onclick = () => {\
        out.className = 'answer'; let words = 0;\
        setInterval(() => { out.textContent += ' word'; words += 1;\
        if (words === 10) location = '/elsewhere'; }, 50); };</script>";
    let server = PageServer::start(&[("/page", PAGE), ("/elsewhere", "<h1>Home</h1>")]);
    let app = builder(&server, "/page");
    be_patient(&app);
    let job = ask(&app.start(), "hello");
    assert_eq!(job["error_code"], "upstream_error", "{job:#}");
    assert!(job["error"].as_str().unwrap().contains("another page"), "{job:#}");
}

/// Processor time of this process and of all that runs for a store, milliseconds.
fn used_ms(store: &std::path::Path) -> u64 {
    let of = |pid: u32| -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
        // A tick is 10 ms wherever Linux runs.
        Some(ticks * 10)
    };
    let all = started_for(store).into_iter().chain([std::process::id()]);
    all.filter_map(of).sum()
}

#[test]
fn waiting_for_an_answer_costs_little() {
    const SECONDS: u64 = 10;
    const PAGE: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
        <button id=send>Send</button><div id=out></div><script>send.onclick = () => {\
        out.className = 'answer'; out.textContent = 'Thinking';\
        out.insertAdjacentHTML('afterend', '<p id=stop>Stop</p>'); fetch('/begun');\
        setTimeout(() => document.getElementById('stop').remove(), 10000); };</script>";
    let server = PageServer::start(&[("/page", PAGE), ("/begun", "")]);
    let app = builder(&server, "/page");
    be_patient(&app);
    let app = app.start();
    let id = app.submit("page", "hello");
    while server.asked("/begun") == 0 {
        std::thread::yield_now();
    }
    let before = used_ms(&app.store_path());
    let job = app.ended(&id);
    assert_eq!(job["result"]["result"], "Thinking", "{job:#}");
    let each_second = (used_ms(&app.store_path()) - before) / SECONDS;
    println!("{each_second} ms of processor time in a second of waiting");
    let most = setting("ANSWERD_WAITING_MS_MAX", WAITING_MS_MAX);
    assert!(each_second <= most, "{each_second} ms in a second");
}
