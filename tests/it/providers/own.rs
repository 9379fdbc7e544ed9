//! An upstream of the operator's own: four settings in config.toml and no code.

use serde_json::json;

use super::cases;
use super::server::Provider;
use crate::app::Builder;

#[test]
fn an_openai_compatible_server_takes_four_settings() {
    let case = cases::named("compatible");
    let provider = Provider::always(case.replies().remove(0));
    let lines = format!(
        r#"
        [upstreams.mine]
        kind = "compatible"
        base_url = "{}"
        model = "qwen3:0.6b"
        [scrapers.mine]
        upstreams = ["mine"]
        "#,
        provider.url("/v1")
    );
    let app = Builder::new().config(&lines).start();
    let job = app.ended(&app.submit("mine", "Which Ruby?"));
    assert_eq!(job["status"], "done", "{job:#}");
    assert_eq!(job["result"]["scraper"], "mine");
    assert_eq!(job["result"]["result"], case.expected["job"]["result"]["result"]);
    assert_eq!(job["result"]["links"], case.expected["job"]["result"]["links"]);
    assert_eq!(job["result"]["provenance"]["upstream"], "mine");

    let asked = provider.asked().remove(0);
    assert_eq!(asked.path(), "/v1/chat/completions");
    assert!(!asked.headers.contains_key("authorization"), "there is no key to send");
    let messages = json!([
        {"role": "system", "content": "The user is in the United States."},
        {"role": "user", "content": "Which Ruby?"},
    ]);
    let sent = asked.json();
    assert_eq!((&sent["model"], &sent["messages"]), (&json!("qwen3:0.6b"), &messages));
}
