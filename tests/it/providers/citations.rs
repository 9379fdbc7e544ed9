//! What of an answer's text is a citation, through whole providers: marks and links that name a
//! source go from `result`, and nothing else does.

use serde_json::{Value, json};

use super::cases::{self, Case};
use super::server::{Provider, Says};

const POST: &str = "https://post.example/cranes";

/// The jobs that a provider's replies lead to, in their order.
fn jobs(case: &Case, bodies: &[Value]) -> Vec<Value> {
    let replies: Vec<Says> = bodies.iter().map(|body| Says::json(200, body)).collect();
    let provider = Provider::start(replies, Says::json(500, &Value::Null));
    let app = case.builder(&provider).set("RETRY__RETRIES", 0).start();
    let submitted = |at| case.submit_prompt(&app, &format!("Prompt {at}"));
    (0..bodies.len()).map(|at| app.ended(&submitted(at))).collect()
}

fn result(case: &Case, body: &Value) -> Value {
    let job = jobs(case, std::slice::from_ref(body)).remove(0);
    assert_eq!(job["status"], "done", "{job:#}");
    job["result"].clone()
}

/// A reply of the Responses API with a citation of each address.
fn response(text: &str, cited: &[(&str, &str)]) -> Value {
    let annotations: Vec<Value> = cited
        .iter()
        .map(|(url, title)| {
            let start = text.find(url).map_or(0, |at| text[..at].chars().count());
            json!({"type": "url_citation", "url": url, "title": title, "start_index": start,
                "end_index": start + url.len()})
        })
        .collect();
    json!({"id": "r", "status": "completed", "model": "m", "output": [
        {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": text, "annotations": annotations}]}]})
}

#[test]
fn only_marks_with_a_source_leave_the_text() {
    let post = format!("[The Harbour Post]({POST})");
    let cited = [(POST, "Blue cranes")];
    let texts = [
        ("As [1] and [1, 2] and 【1】 say.", &[][..], "As [1] and [1, 2] and 【1】 say."),
        (&format!("Cranes are blue ({post})."), &cited[..], "Cranes are blue."),
        (
            &format!("Cranes are blue {post}. They lift {post}. They rust {post}."),
            &cited[..],
            "Cranes are blue. They lift. They rust.",
        ),
        (
            &format!("According to {post}, cranes are blue."),
            &cited[..],
            "According to The Harbour Post, cranes are blue.",
        ),
        ("الرافعات زرقاء [1]، وطويلة [1]؟", &cited[..], "الرافعات زرقاء، وطويلة؟"),
    ];
    let bodies: Vec<Value> = texts.iter().map(|(text, cited, _)| response(text, cited)).collect();
    for (job, (text, _, expected)) in
        jobs(&cases::named("openai-azure"), &bodies).iter().zip(&texts)
    {
        assert_eq!(job["result"]["result"], *expected, "{job:#}");
        assert_eq!(job["result"]["result_markdown"], *text);
    }
}

#[test]
fn json_is_passed_as_it_is_by_every_api() {
    let text = "{\"says\": \"\\\"so\\\" [1] https:\\/\\/a.example\", \"n\": [1, 2], \"_a_\": null}";
    let mut found = response(text, &[(POST, "Blue cranes"), ("https://b.example/", "B")]);
    found["output"].as_array_mut().unwrap().insert(
        0,
        json!({"type": "search_results", "results": [
            {"id": 1, "url": "https://c.example/", "title": "C"},
            {"id": 2, "url": "https://d.example/", "title": "D"}]}),
    );
    let chat = json!({"citations": ["https://c.example/", "https://c.example/"],
        "choices": [{"finish_reason": "stop", "message": {"content": text}}]});
    for (case, body) in [
        (cases::named("openai"), &found),
        (cases::named("perplexity"), &found),
        (cases::named("xai"), &found),
        (cases::named("perplexity-sonar-gateway"), &chat),
        (cases::named("compatible"), &chat),
    ] {
        let result = result(&case, body);
        assert_eq!(result["result"], text, "{}", case.name);
        assert_eq!(result["result_markdown"], text, "{}", case.name);
    }
}

#[test]
fn thoughts_are_no_answer() {
    let texts = [
        "<think>\nWhich [1] one?\n</think>\n\nParis.",
        "Which one?\n</think>\n\nParis.",
        "<think>Which one?</think>",
        "<think>Which one?",
    ];
    let responses: Vec<Value> = texts.iter().map(|text| response(text, &[])).collect();
    let chats: Vec<Value> = texts
        .iter()
        .map(|text| json!({"choices": [{"finish_reason": "stop", "message": {"content": text}}]}))
        .collect();
    let gemini: Vec<Value> = texts
        .iter()
        .map(|text| json!({"candidates": [{"content": {"parts": [{"text": text}]}}]}))
        .collect();
    for (case, bodies) in [
        (cases::named("openai"), &responses),
        (cases::named("perplexity"), &responses),
        (cases::named("xai"), &responses),
        (cases::named("compatible"), &chats),
        (cases::named("gemini"), &gemini),
    ] {
        let jobs = jobs(&case, bodies);
        for job in &jobs[..2] {
            assert_eq!(job["result"]["result"], "Paris.", "{}: {job:#}", case.name);
            assert_eq!(job["result"]["result_markdown"], "Paris.");
        }
        for job in &jobs[2..] {
            assert_eq!(job["status"], "failed", "{}: {job:#}", case.name);
            assert_eq!(job["error_code"], "answer_empty", "{}", case.name);
        }
    }
}

#[test]
fn links_have_titles_and_addresses_that_are_written_out() {
    let long = format!("https://long.example/{}", "a".repeat(9_000));
    let text = format!(
        "Blue ([post.example]({POST}?utm_source=openai)); see https://b.example/Ruby_(language). \
         [wiki](https://c.example/Crane_(machine)) and <https://d.example/>. [far]({long})"
    );
    let marked = format!("{POST}?utm_source=openai");
    let cited = [(marked.as_str(), "Blue cranes"), (long.as_str(), "Far")];
    let result = result(&cases::named("openai"), &response(&text, &cited));
    let link = |url: &str, text: &str| json!({"url": url, "text": text});
    assert_eq!(
        result["links"],
        json!([
            link(POST, "Blue cranes"),
            link("https://b.example/Ruby_(language)", "https://b.example/Ruby_(language)"),
            link("https://c.example/Crane_(machine)", "wiki"),
            link("https://d.example/", "https://d.example/"),
        ])
    );
    assert_eq!(result["result_markdown"], text.replace("?utm_source=openai", ""));
    assert_eq!(result["warnings"], json!(["An address longer than 8192 bytes was left out."]));
}
