//! What is refused, and in which form: by the transport, as an error of the protocol, or as a
//! result that a model reads.

use answerd::job::Reason;
use serde_json::{Value, json};

use super::client::{HANDSHAKE, OverHttp, OverStdio, STATELESS, Speaks, request, stateless};
use crate::app::{App, Builder, Scripted, fail};
use crate::limits::{A, keys};

fn app() -> App {
    let upstream = Scripted::new("script", [fail(Reason::Auth)]);
    Builder::new().config(&keys("monthly_credits = 5")).scripted("chatgpt", &upstream).start()
}

#[test]
fn bad_arguments_are_errors_that_name_the_argument() {
    let app = app();
    for version in [STATELESS, HANDSHAKE] {
        let mut client = OverHttp::new(&app.base, Some("secret-a"), version);
        let mut refused = |tool: &str, arguments: Value| {
            let error = client.error("tools/call", json!({ "name": tool, "arguments": arguments }));
            assert_eq!((&error["code"], client.status), (&json!(-32_602), 200), "{error}");
            let code = error["data"]["code"].as_str().unwrap_or_default().to_owned();
            (code, error["message"].as_str().unwrap().to_owned())
        };
        for (tool, arguments, code, named) in [
            ("ask", json!({ "prompt": "a" }), "scraper_missing", "`scraper`"),
            ("ask", json!({ "scraper": "chatgpt" }), "prompt_missing", "`prompt`"),
            ("ask", json!({ "scraper": "gone", "prompt": "a" }), "scraper_unknown", "`gone`"),
            (
                "ask",
                json!({ "scraper": "chatgpt", "prompt": "a", "contry": "DE" }),
                "parameter_invalid",
                "`contry`",
            ),
            (
                "ask",
                json!({ "scraper": "chatgpt", "prompt": "a", "country": "XX" }),
                "country_invalid",
                "`country`",
            ),
            (
                "ask",
                json!({ "scraper": "chatgpt", "prompt": "a", "web_search": "maybe" }),
                "parameter_invalid",
                "`web_search`",
            ),
            (
                "ask",
                json!({ "scraper": "chatgpt", "prompt": "a", "wait_seconds": 56 }),
                "wait_invalid",
                "`wait_seconds`",
            ),
            (
                "submit",
                json!({ "scraper": "chatgpt", "prompt": "a", "samples": 2 }),
                "parameter_invalid",
                "`samples`",
            ),
            ("get_job", json!({}), "parameter_invalid", "`job_id`"),
            ("list_jobs", json!({ "limit": 0 }), "limit_invalid", "`limit`"),
            ("retry_jobs", json!({}), "filter_missing", "filter"),
            ("retry_jobs", json!({ "labl": "a" }), "parameter_invalid", "`labl`"),
            ("run_batch", json!({ "prompts": [] }), "batch_invalid", "A batch"),
            ("usage", json!({ "days": [1] }), "parameter_invalid", "`days`"),
            ("report", json!({ "by": "hour" }), "by_invalid", "`by`"),
            ("get_job", json!([1]), "parameter_invalid", "`arguments`"),
        ] {
            let (given, sentence) = refused(tool, arguments);
            assert_eq!(given, code, "{tool}: {sentence}");
            assert!(sentence.contains(named), "{tool}: {sentence}");
        }
        let (_, sentence) = refused("asks", json!({}));
        assert_eq!(sentence, "There is no tool `asks`; `tools/list` has all.");
        let none = client.error("resources/list", json!({}));
        assert_eq!(none["code"], -32_601);
        assert_eq!(client.status, if version == STATELESS { 404 } else { 200 });
    }
}

#[test]
fn failures_are_results_with_the_code_of_the_problem() {
    let app = app();
    let mut client = OverHttp::new(&app.base, Some("secret-a"), STATELESS);
    let ask = json!({ "scraper": "chatgpt", "prompt": "a" });
    let failed = client.call("ask", ask.clone());
    assert_eq!(failed["isError"], true);
    let job = &failed["structuredContent"];
    assert_eq!((&job["status"], &job["error_code"]), (&json!("failed"), &json!("upstream_auth")));
    let text = failed["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("The script says no. (code `upstream_auth`)"), "{text}");
    // Asking how a job is succeeds, however the job is.
    let looked = client.call("get_job", json!({ "job_id": job["job_id"] }));
    assert_eq!((&looked["isError"], &looked["structuredContent"]), (&json!(false), job));
    let refused = |result: Value| {
        assert_eq!(result["isError"], true, "{result}");
        result["structuredContent"]["code"].as_str().unwrap().to_owned()
    };
    client.called("ask", ask);
    let over = client.call("ask", json!({ "scraper": "chatgpt", "prompt": "b" }));
    assert!(over["structuredContent"]["retry_after_seconds"].is_u64(), "{over}");
    assert_eq!(refused(over), "credit_limit");
    let missing = json!({ "job_id": "0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10" });
    assert_eq!(refused(client.call("wait_job", missing.clone())), "job_not_found");
    assert_eq!(refused(client.call("cancel_job", missing)), "job_not_found");
    let closed = json!({ "scraper": "grok", "prompt": "a" });
    assert_eq!(refused(client.call("ask", closed)), "scraper_not_configured");
}

#[test]
fn transport_refuses_as_everywhere() {
    let app = app();
    let list = request("tools/list", &json!({}));
    assert_eq!(app.post_with("/mcp", &[], &list).code(), "key_missing");
    assert_eq!(app.post_with("/mcp", &[("x-api-key", "wrong")], &list).status, 401);
    assert_eq!(app.post_with("/mcp", &A, &list).status, 200);
    let get = app.get_with("/mcp", &A);
    assert_eq!((get.status, get.headers["allow"].as_str()), (405, "POST"));
    let large = format!("{{\"a\":\"{}\"}}", "a".repeat(9 << 20));
    assert_eq!(app.post_with("/mcp", &A, &large).code(), "body_too_large");
    for (body, code) in
        [("{", -32_700), ("[]", -32_600), ("{\"jsonrpc\":\"2.0\",\"id\":1}", -32_600)]
    {
        let reply = app.post_with("/mcp", &A, body).expect(400);
        assert_eq!(reply["error"]["code"], code, "{body}");
    }
    let told =
        app.post_with("/mcp", &A, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!((told.status, told.text.as_str()), (202, ""));
    let open = Builder::new().start();
    let foreign = open.post_with("/mcp", &[("origin", "https://elsewhere.example")], &list);
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "cross_site"));
}

#[test]
fn stateless_requests_are_held_to_their_headers() {
    let app = app();
    let body = request("tools/list", &stateless(json!({})));
    let post = |headers: &[(&str, &str)]| {
        app.post_with("/mcp", &[&A[..], headers].concat(), &body).expect(400)["error"].clone()
    };
    let version = ("mcp-protocol-version", STATELESS);
    assert_eq!(post(&[version])["code"], -32_020);
    assert_eq!(post(&[version, ("mcp-method", "tools/call")])["code"], -32_020);
    let later = request("tools/list", &json!({}));
    let headers = [A[0], ("mcp-protocol-version", "2030-01-01")];
    let unknown = app.post_with("/mcp", &headers, &later).expect(400)["error"].clone();
    assert_eq!(unknown["code"], -32_022);
    assert_eq!(unknown["data"]["supported"][0], STATELESS);
    let probe = request("server/discover", &stateless(json!({})));
    // Through an older bridge: the client behind it goes on with `initialize`.
    assert_eq!(app.post_with("/mcp", &A, &probe).expect(200)["error"]["code"], -32_601);
}

#[test]
fn stdio_refuses_in_the_words_of_the_protocol() {
    let app = app();
    let mut client = OverStdio::start(&app.base, None, HANDSHAKE);
    let error = client.error("tools/list", json!({}));
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32_603), &json!("key_missing")));
    let mut nobody = OverStdio::start("http://127.0.0.1:1", None, STATELESS);
    let error = nobody.error("server/discover", json!({}));
    assert_eq!(error["data"]["code"], "unreachable");
    assert!(error["message"].as_str().unwrap().contains("answerd serve"), "{error}");
}
