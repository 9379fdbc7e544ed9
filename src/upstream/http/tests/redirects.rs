//! Addresses that redirect: which are looked up, and where they lead.

use super::*;

/// Asks once, then looks up `urls` of the sources at the same server.
fn looked_up(server: &Server, paths: &[String]) -> Vec<String> {
    let prefix: &'static str = Box::leak(format!("{}/redirect/", server.base_url).into_boxed_str());
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| Source { url: format!("{}{path}", server.base_url), ..Source::default() })
        .collect();
    let reply = move |_: &[HttpReply]| {
        let sources = Some(sources.clone());
        Ok(Step::Done(Box::new(Answer { sources, ..Answer::default() })))
    };
    let fake =
        Fake { reply: Box::new(reply), resolve_prefix: Some(prefix), ..fake(&server.base_url) };
    let answer = ask_with(fake, &call_within(20_000)).unwrap();
    let base_url = server.base_url.as_str();
    answer.sources.unwrap().into_iter().map(|source| source.url.replace(base_url, "")).collect()
}

#[test]
fn addresses_that_redirect_are_replaced_by_where_they_lead() {
    let server = serve(vec![
        answer("200 OK", "", ""),
        answer("302 Found", "location: https://a.example/page\r\n", ""),
        answer("405 No HEAD", "", ""),
        answer("301 Moved", "location: https://b.example/\r\n", ""),
        answer("200 OK", "", ""),
        answer("302 Found", "location: javascript:alert(1)\r\n", ""),
    ]);
    let paths =
        ["/redirect/1", "/kept", "/redirect/2", "/redirect/1", "/redirect/3", "/redirect/4"];
    assert_eq!(
        looked_up(&server, &paths.map(str::to_owned)),
        [
            "https://a.example/page",
            "/kept",
            "https://b.example/",
            "https://a.example/page",
            "/redirect/3",
            "/redirect/4"
        ]
    );
    let asked: Vec<String> = server.asked.iter().collect();
    let lines: Vec<&str> =
        asked.iter().skip(1).map(|asked| asked.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "HEAD /redirect/1 HTTP/1.1",
            "HEAD /redirect/2 HTTP/1.1",
            "GET /redirect/2 HTTP/1.1",
            "HEAD /redirect/3 HTTP/1.1",
            "HEAD /redirect/4 HTTP/1.1",
        ]
    );
    assert!(asked.iter().skip(1).all(|asked| !asked.contains(KEY)));
}

#[test]
fn a_host_that_fails_is_not_asked_for_every_address() {
    let mut handlers = vec![answer("200 OK", "", "")];
    handlers.extend((0..10).map(|_| answer("200 OK", "", "")));
    let server = serve(handlers);
    let paths: Vec<String> = (0..10).map(|at| format!("/redirect/{at}")).collect();
    assert_eq!(looked_up(&server, &paths), paths);
    assert_eq!(server.asked.len(), 4);
}

#[test]
fn look_ups_are_limited_in_number() {
    let mut handlers = vec![answer("200 OK", "", "")];
    handlers.extend((0..40).map(|_| answer("302 Found", "location: https://a.example/\r\n", "")));
    let server = serve(handlers);
    let paths: Vec<String> = (0..40).map(|at| format!("/redirect/{at}")).collect();
    let kept = looked_up(&server, &paths).into_iter().filter(|url| url.starts_with('/')).count();
    assert_eq!(kept, 8);
}
