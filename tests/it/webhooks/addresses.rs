//! Whom the service does not speak to, however it is asked to.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{after_attempts, builder, manual, submit};
use crate::app::Scripted;
use crate::receiver::{Does, Receiver};

/// Everything that can be written for this machine or the network behind it, without `allow_hosts`.
#[test]
fn no_form_of_an_address_leads_inside() {
    let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = v4.local_addr().unwrap().port();
    let v6 = TcpListener::bind(("::1", port)).ok();
    let app = builder(&Scripted::new("script", [])).set("WEBHOOKS__ALLOW_HOSTS", "[]").start();
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
        let id = submit(&app, host, &format!("http://{host}:{port}/hook"));
        let status = after_attempts(&app, &id, 1);
        let error = status["log"][0]["error"].as_str().unwrap();
        // Not every system resolves this one.
        let unknown = host == "localhost." && error == "name_not_found";
        assert!(error == "address_not_public" || unknown, "{host}: {status}");
        assert_eq!(status["state"], "pending", "{host}");
    }
    for listener in v6.iter().chain([&v4]) {
        listener.set_nonblocking(true).unwrap();
        let connected = listener.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(connected, Err(std::io::ErrorKind::WouldBlock), "somebody connected");
    }
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
