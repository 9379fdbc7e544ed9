//! Whom the service does not speak to, however it is asked to.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{after_attempts, builder, manual, submit};
use crate::app::{Scripted, encoded};
use crate::limits::A;
use crate::receiver::{Does, Receiver};

/// Everything that can be written for this machine or the network behind it, without `allow_hosts`:
/// alone, with samples, for a batch and for one of its items.
#[test]
fn internal_address_is_refused_at_submit_in_any_form() {
    let app = builder(&Scripted::new("script", [])).set("WEBHOOKS__ALLOW_HOSTS", "[]").start();
    let before = app.server().writer_stats().writes;
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "%31%32%37.0.0.1",
        "１２７.０.０.１",
        "127。0。0。1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "hooks.localhost",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let url = format!("http://{host}:8080/hook");
        let body = json!({ "prompt": "x", "webhook_url": url }).to_string();
        let with_samples = json!({ "prompt": "x", "samples": 2, "webhook_url": url }).to_string();
        let batch =
            json!({ "scraper": "chatgpt", "prompts": ["x"], "webhook_url": url }).to_string();
        for refused in [
            app.post_with("/scrapers/chatgpt/jobs", &A, &body),
            app.post_with("/scrapers/chatgpt/jobs", &A, &with_samples),
            app.post_with("/batches", &A, &batch),
            app.get_with(&format!("/scrapers/chatgpt?prompt=x&webhook_url={}", encoded(&url)), &A),
        ] {
            assert_eq!((refused.status, refused.code().as_str()), (400, "webhook_url_invalid"));
            let detail = refused.json()["detail"].clone();
            assert!(detail.as_str().unwrap().contains("`allow_hosts`"), "{host}: {detail}");
        }
    }
    assert_eq!(app.server().writer_stats().writes, before, "a refusal writes nothing");
    let items = json!([
        { "prompt": "x", "webhook_url": "http://10.0.0.1/hook" },
        { "prompt": "x", "webhook_url": "https://app.example/hook" },
    ]);
    let batch = json!({ "scraper": "chatgpt", "items": items }).to_string();
    let batch = app.post_with("/batches", &A, &batch).expect(202);
    assert_eq!(batch["items"][0]["error"]["code"], "webhook_url_invalid", "{batch:#}");
    assert!(batch["items"][1]["job_id"].is_string(), "{batch:#}");
}

#[test]
fn internal_address_that_is_allowed_is_taken_with_its_port_alone() {
    let app = builder(&Scripted::new("script", []))
        .set("WEBHOOKS__ALLOW_HOSTS", r#"["10.0.0.1:8080", "localhost", "[::1]:9"]"#)
        .lookup(Arc::new(|_, _| Ok(Vec::new())))
        .start();
    for (url, status) in [
        ("http://10.0.0.1:8080/", 202),
        ("http://10.0.0.1:8081/", 400),
        ("http://localhost:1/", 202),
        ("https://[::1]:9/", 202),
        ("https://[::1]/", 400),
    ] {
        let path = format!("/scrapers/chatgpt/jobs?prompt=x&webhook_url={}", encoded(url));
        assert_eq!(app.post_with(&path, &A, "").status, status, "{url}");
    }
}

/// A name is judged by where it leads, at the delivery.
#[test]
fn name_that_leads_inside_is_taken_and_not_called() {
    let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = v4.local_addr().unwrap();
    let app = builder(&Scripted::new("script", []))
        .set("WEBHOOKS__ALLOW_HOSTS", "[]")
        .lookup(Arc::new(move |_, _| Ok(vec![address])))
        .start();
    let id = submit(&app, "x", &format!("http://inside.example:{}/hook", address.port()));
    let status = after_attempts(&app, &id, 1);
    assert_eq!(status["log"][0]["error"], "address_not_public", "{status}");
    assert_eq!(status["state"], "pending");
    v4.set_nonblocking(true).unwrap();
    let connected = v4.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(connected, Err(std::io::ErrorKind::WouldBlock), "somebody connected");
}

#[test]
fn a_redirect_to_the_inside_is_a_failure_and_not_followed() {
    let inside = Receiver::start([]);
    let location = format!("location: {}\r\n", inside.url()).leak();
    let outside =
        Receiver::start([301, 302, 303, 307, 308].map(|code| Does::Status(code, location)));
    let (builder, clock) = manual(&Scripted::new("script", []));
    let app = builder.start();
    let id = submit(&app, "hello", &outside.url());
    let waits_ms = [5_500, 330_000, 1_980_000, 7_920_000, 19_800_000];
    for (attempts, code) in [(1, 301), (2, 302), (3, 303), (4, 307), (5, 308)] {
        outside.told();
        let status = after_attempts(&app, &id, attempts);
        assert_eq!(status["log"][attempts as usize - 1]["status"], code);
        assert_eq!(status["state"], "pending");
        clock.advance_ms(waits_ms[attempts as usize - 1]);
    }
    outside.told();
    after_attempts(&app, &id, 6);
    assert!(!inside.told_more());
}

/// The name leads inside, then to a receiver that is allowed by its name, then inside again.
#[test]
fn every_attempt_looks_the_name_up_and_judges_what_it_finds() {
    let receiver = Receiver::start([]);
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, address) = (asked.clone(), receiver.address);
    let lookup = move |host: &str, port: u16| {
        assert_eq!(port, address.port());
        count.fetch_add(1, Ordering::SeqCst);
        match host {
            "moves.example" | "allowed.example" => Ok(vec![address]),
            _ => Ok(Vec::new()),
        }
    };
    let (builder, clock) = manual(&Scripted::new("script", []));
    let app = builder
        .set("WEBHOOKS__ALLOW_HOSTS", r#"["allowed.example"]"#)
        .lookup(Arc::new(lookup))
        .start();
    let url = |host: &str| format!("http://{host}:{}/", address.port());
    let moves = submit(&app, "moves", &url("moves.example"));
    for attempts in 1..=3 {
        let status = after_attempts(&app, &moves, attempts);
        assert_eq!(status["log"][attempts as usize - 1]["error"], "address_not_public");
        clock.advance_ms(3_600_000);
    }
    after_attempts(&app, &moves, 4);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert!(!receiver.told_more());
    let allowed = submit(&app, "allowed", &url("allowed.example"));
    assert_eq!(receiver.told().id(), format!("msg_{allowed}"));
    let nobody = submit(&app, "nobody", &url("nobody.example"));
    assert_eq!(after_attempts(&app, &nobody, 1)["log"][0]["error"], "name_not_found");
}
