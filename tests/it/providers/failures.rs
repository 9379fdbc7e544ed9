//! Everything that a provider can do instead of answering: what the job says then, how often it was
//! asked, and that the key does not stand in the reason.

use serde_json::{Value, json};

use super::cases::{self, Case, KEY, PROMPT};
use super::server::Says;
use super::table::{Table, at_once, in_the_end};

/// Few enough that their sockets fit into the files that a process may open.
const KINDS_AT_ONCE: usize = 5;

/// Every kind with every row.
fn pairs<'a, T>(kinds: &'a [Case], rows: &'a [T]) -> impl Iterator<Item = (&'a Case, &'a T)> {
    kinds.iter().flat_map(move |case| rows.iter().map(move |row| (case, row)))
}

#[test]
fn a_status_means_the_same_of_every_kind() {
    let rows = [
        (401, at_once("upstream_auth", "`api_key_env` of [upstreams.local")),
        (402, at_once("upstream_quota", "no quota or balance")),
        (403, at_once("upstream_auth", "refused permission")),
        (404, at_once("upstream_bad_request", "`model` and `base_url` of [upstreams.local")),
        (422, at_once("upstream_bad_request", "HTTP 422")),
        (500, in_the_end("upstream_error", "HTTP 500")),
        (503, in_the_end("upstream_overloaded", "HTTP 503")),
        (529, in_the_end("upstream_overloaded", "HTTP 529")),
    ];
    // A message that holds the key is left out; one that holds the prompt is the owner's to read.
    let messages = [KEY, PROMPT].map(|private| format!("You sent {private}."));
    for kinds in cases::every_kind().chunks(KINDS_AT_ONCE) {
        let mut table = Table::default();
        for (case, (status, ends)) in pairs(kinds, &rows) {
            for message in &messages {
                let body = json!({"error": {"message": message}});
                table.row(&format!("{status} {message}"), case, Says::json(*status, &body), *ends);
            }
        }
        table.check();
    }
}

#[test]
fn a_refused_key_and_a_spent_balance_are_known_by_their_words() {
    let auth = at_once("upstream_auth", "`api_key_env` of [upstreams.local");
    let quota = at_once("upstream_quota", "no quota or balance");
    let gemini = |status: u16, body: Value| (cases::named("gemini"), status, body);
    let rows = [
        (
            gemini(
                400,
                json!({"error": {"code": 400, "message": "API key not valid.",
                    "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}),
            ),
            auth,
        ),
        (
            (
                cases::named("xai"),
                400,
                json!({"code": "invalid-argument",
                    "error": format!("Incorrect API key provided: {KEY}.")}),
            ),
            auth,
        ),
        ((cases::named("mistral"), 401, json!({"detail": "Invalid API Key"})), auth),
        (
            (
                cases::named("dataforseo"),
                200,
                json!({"status_code": 40100, "status_message": "You are not authorized."}),
            ),
            auth,
        ),
        (
            (
                cases::named("openai"),
                429,
                json!({"error": {"message": "You exceeded your current quota.",
                    "type": "insufficient_quota", "code": "insufficient_quota"}}),
            ),
            quota,
        ),
        (
            gemini(
                429,
                json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
                    {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]},
                    {"retryDelay": "34.4s"}]}}),
            ),
            quota,
        ),
        (
            (
                cases::named("serpapi"),
                429,
                json!({"error": "Your account has run out of searches."}),
            ),
            quota,
        ),
        (
            (
                cases::named("dataforseo"),
                200,
                json!({"status_code": 20000, "tasks": [{"status_code": 40200,
                    "status_message": "Payment Required."}]}),
            ),
            quota,
        ),
    ];
    let mut table = Table::default();
    for ((case, status, body), ends) in rows {
        table.row(&body.to_string(), &case, Says::json(status, &body), ends);
    }
    table.check();
}

#[test]
fn a_200_can_be_a_failure() {
    let refused = at_once("answer_refused", "declined to answer this prompt");
    let cut = at_once("answer_incomplete", "cut its answer short");
    let empty = in_the_end("answer_empty", "without text");
    let failed = in_the_end("upstream_error", "failed");
    let output = |part: Value| {
        json!({"status": "completed", "output": [{"type": "message", "role": "assistant",
            "content": [part]}]})
    };
    let incomplete = |why: &str| json!({"status": "incomplete", "incomplete_details": {"reason": why}, "output": []});
    let candidate = |reason: &str| json!({"candidates": [{"finishReason": reason}]});
    let turn = |stop: &str, content: Value| json!({"type": "message", "content": content, "stop_reason": stop});
    let choice = |reason: &str, text: &str| json!({"choices": [{"finish_reason": reason, "message": {"content": text}}]});
    let (openai, anthropic) = (cases::named("openai"), cases::named("anthropic"));
    let (gemini, compatible) = (cases::named("gemini"), cases::named("compatible"));
    let (mistral, serpapi) = (cases::named("mistral"), cases::named("serpapi"));
    let rows = [
        (&openai, output(json!({"type": "refusal", "refusal": PROMPT})), refused),
        (&openai, incomplete("content_filter"), refused),
        (&openai, incomplete("max_output_tokens"), cut),
        (&openai, output(json!({"type": "output_text", "text": " \n"})), empty),
        (
            &openai,
            json!({"status": "failed", "error": {"code": "server_error", "message": PROMPT}}),
            failed,
        ),
        (&anthropic, turn("refusal", json!([])), refused),
        (&anthropic, turn("max_tokens", json!([{"type": "text", "text": "It"}])), cut),
        (&anthropic, turn("end_turn", json!([])), empty),
        (&gemini, candidate("SAFETY"), refused),
        (&gemini, json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), refused),
        (&gemini, candidate("MAX_TOKENS"), cut),
        (&gemini, candidate("STOP"), empty),
        (&compatible, choice("content_filter", ""), refused),
        (&compatible, choice("length", "It"), cut),
        (&compatible, choice("stop", "<think>never ends"), empty),
        (&compatible, json!({"error": {"message": KEY, "code": 502}}), failed),
        (&mistral, json!({"outputs": [{"type": "message.output", "content": ""}]}), empty),
        (
            &serpapi,
            json!({"search_metadata": {"status": "Success"}, "error": "No results."}),
            empty,
        ),
    ];
    let mut table = Table::default();
    for (case, body, ends) in rows {
        table.row(&body.to_string(), case, Says::json(200, &body), ends);
    }
    table.check();
}

#[test]
fn what_is_no_answer_at_all_is_told_apart() {
    let invalid = in_the_end("upstream_invalid_response", "not JSON");
    let page = "<html><title>Sorry</title>planted-login</html>";
    let rows = [
        ("no JSON", Says::text(200, "application/json", "{\"output\": ["), invalid),
        ("no UTF-8", Says::text(200, "application/json", [0xff, 0xfe]), invalid),
        ("a page", Says::text(200, "text/html", page), invalid),
        (
            "other JSON",
            Says::json(200, &json!([1])),
            in_the_end("upstream_invalid_response", "answered with JSON"),
        ),
        ("nothing", Says::text(200, "application/json", ""), invalid),
        (
            "a page before it",
            Says::text(403, "text/html", page),
            at_once("blocked", "a page instead"),
        ),
        (
            "a gateway's page",
            Says::text(502, "text/html", page),
            in_the_end("upstream_error", "HTTP 502"),
        ),
        (
            "half a body",
            Says::Half(vec![b' '; 4_000]),
            in_the_end("upstream_unreachable", "broke off"),
        ),
        (
            "too much",
            Says::text(200, "application/json", vec![b' '; 10 << 20]),
            at_once("answer_too_large", "more than 8 MiB"),
        ),
        (
            "elsewhere",
            Says::json(307, &json!({})).with("location", "https://elsewhere.example/"),
            at_once("upstream_bad_request", "`base_url` of [upstreams.local"),
        ),
    ];
    for kinds in cases::every_kind().chunks(KINDS_AT_ONCE) {
        let mut table = Table::default();
        for (case, (what, says, ends)) in pairs(kinds, &rows) {
            table.row(what, case, says.clone(), *ends);
        }
        table.check();
    }
}

#[test]
fn a_provider_that_says_no_retry_gets_none() {
    let body = json!({"error": {"message": "No."}});
    let mut table = Table::default();
    for (status, code) in
        [(429, "upstream_quota"), (500, "upstream_bad_request"), (503, "upstream_bad_request")]
    {
        let says = Says::json(status, &body).with("x-should-retry", "false");
        let says = says.with("retry-after", "1");
        table.row(&status.to_string(), &cases::named("openai"), says, at_once(code, "HTTP"));
    }
    table.check();
}
