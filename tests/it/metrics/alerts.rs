//! The alerting rules and the Grafana dashboard that the guide offers: that they are served and sound,
//! ask only for what there is, and that an upstream which goes away fires an alert within a minute.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use answerd::upstream::FAILURES_MAX;
use serde_json::Value;

use super::{GONE, family, scrape};
use crate::app::{App, Builder};
use crate::providers::cases;
use crate::providers::server::Provider;

const RULES: &str = include_str!("../../../src/docs/assets/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../src/docs/assets/grafana.json");
const RULE_TESTS: &str = include_str!("alerts.test.yaml");
const GUIDE: &str = include_str!("../../../src/docs/monitoring.md");

/// Prometheus' tool, where tests/run has put it or where the path has it.
fn promtool(arguments: &[&str]) {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/promtool/usr/bin/promtool");
    let program = if fetched.exists() { fetched } else { PathBuf::from("promtool") };
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("promtool is needed ({error}): tests/run fetches it on Debian and its kin")
    });
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The expressions of the dashboard, as Prometheus gets them.
fn dashboard_expressions() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(DASHBOARD).unwrap(), &mut found);
    found.iter().map(|expr| expr.replace("$__rate_interval", "1m").replace("$job", "a")).collect()
}

/// The metrics that an expression names: what stands outside of quotes, braces and brackets, is no
/// label of a `by` or `on`, and is followed by no bracket, as functions are.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let mut rest = expression.to_owned();
    for (open, close) in [('"', '"'), ('{', '}'), ('[', ']')] {
        while let Some(start) = rest.find(open) {
            let length = rest[start + 1..].find(close).unwrap() + 2;
            rest.replace_range(start..start + length, " ");
        }
    }
    for clause in ["by (", "on ("] {
        while let Some(start) = rest.find(clause) {
            let length = rest[start..].find(')').unwrap() + 1;
            rest.replace_range(start..start + length, " ");
        }
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    let mut from = 0;
    while let Some(start) = rest[from..].find(is_word).map(|at| from + at) {
        let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |at| start + at);
        let word = &rest[start..end];
        let function = rest[end..].trim_start().starts_with('(');
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        if !function && !number && !["and", "or", "unless"].contains(&word) {
            found.insert(word.to_owned());
        }
        from = end;
    }
    found
}

/// The expressions of the rules, which the file keeps on one line or folds (`>`).
fn rule_expressions() -> Vec<String> {
    let mut expressions = Vec::new();
    let mut lines = RULES.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("        expr: ") else { continue };
        let mut expression = first.trim_start_matches('>').to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            expression.push_str(more);
        }
        expressions.push(expression);
    }
    expressions
}

#[test]
fn rules_and_dashboard_ask_only_for_metrics_that_are_served() {
    let app = Builder::new().config(GONE).set("RETRY__RETRIES", "0").start();
    app.ended(&app.submit("gone", "one"));
    let (_, kinds) = scrape(&app);
    let (rules, panels) = (rule_expressions(), dashboard_expressions());
    assert_eq!(rules.len(), RULES.matches("- alert: ").count());
    assert!(rules.len() > 5 && panels.len() > 30);
    let mut asked = BTreeSet::new();
    for expression in rules.iter().chain(&panels) {
        let metrics = metrics_of(expression);
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            // Prometheus itself has this one.
            let known = metric == "up" || kinds.contains_key(family(&metric));
            assert!(known, "{metric} is not served: {expression}");
            asked.insert(family(&metric).to_owned());
        }
    }
    for metric in kinds.keys() {
        assert!(asked.contains(metric), "neither the rules nor the dashboard show {metric}");
    }
}

#[test]
fn prometheus_understands_the_rules_and_every_expression() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rules = write("rules.yaml", RULES);
    promtool(&["check", "rules", &rules]);
    let records: Vec<Value> = (0..)
        .zip(dashboard_expressions())
        .map(
            |(number, expr)| serde_json::json!({"record": format!("panel:{number}"), "expr": expr}),
        )
        .collect();
    // JSON is YAML.
    let groups = serde_json::json!({"groups": [{"name": "panels", "rules": records}]});
    promtool(&["check", "rules", &write("panels.yaml", &groups.to_string())]);
    let tests = write("tests.yaml", &RULE_TESTS.replace("RULES", &rules));
    promtool(&["test", "rules", &tests]);
}

#[test]
fn the_guide_tells_every_alert_and_offers_the_files() {
    let app = Builder::new().start();
    let told: BTreeSet<&str> =
        GUIDE.lines().filter_map(|line| line.strip_prefix("| `A")?.split('`').next()).collect();
    let real: BTreeSet<&str> =
        RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: A")).collect();
    assert_eq!(told, real);
    for (file, kind, text) in [
        ("alerts.yaml", "application/yaml", RULES),
        ("grafana.json", "application/json", DASHBOARD),
    ] {
        assert!(GUIDE.contains(&format!("](assets/{file})")), "{file}");
        let reply = app.get(&format!("/docs/assets/{file}"));
        assert_eq!((reply.status, reply.headers["content-type"].as_str()), (200, kind));
        assert_eq!(reply.text, text);
        let page = app.get("/docs/monitoring").text;
        assert!(page.contains(&format!("href=\"/docs/assets/{file}\"")), "{page}");
    }
    assert_eq!(app.get("/docs/assets/none").status, 404);
}

/// What the rule `AnswerdUpstreamRests` asks for, of one upstream: the codes for which it rests.
fn rests(app: &App, upstream: &str) -> Vec<String> {
    let (samples, _) = scrape(app);
    let available = samples[&format!("answerd_upstream_available{{upstream=\"{upstream}\"}}")];
    let error =
        format!("answerd_upstream_last_error_timestamp_seconds{{upstream=\"{upstream}\",code=\"");
    let codes = samples.keys().filter_map(|sample| sample.strip_prefix(&error));
    let codes = codes.map(|rest| rest.trim_end_matches("\"}").to_owned());
    if available < 1.0 { codes.collect() } else { Vec::new() }
}

#[test]
fn an_upstream_that_goes_away_shows_with_the_reason_as_soon_as_it_has_failed_often_enough() {
    let case = cases::named("openai");
    let mut provider = Provider::always(case.replies().remove(0));
    let app = case.builder(&provider).set("RETRY__RETRIES", 0).start();
    assert_eq!(app.ended(&case.submit(&app))["status"], "done");
    assert!(rests(&app, "local").is_empty());

    provider.kill();
    for number in 0..FAILURES_MAX {
        assert!(rests(&app, "local").is_empty(), "{number} failures are not enough");
        let job = app.ended(&app.submit(&case.scraper, &format!("question {number}")));
        assert_eq!(job["error_code"], "upstream_unreachable");
    }
    assert_eq!(rests(&app, "local"), ["upstream_unreachable"]);
    let (samples, _) = scrape(&app);
    let code = "code=\"upstream_unreachable\"";
    let scraper = &case.scraper;
    for counter in [
        format!("answerd_upstream_errors_total{{upstream=\"local\",{code}}}"),
        format!("answerd_attempts_failed_total{{scraper=\"{scraper}\",{code}}}"),
    ] {
        assert_eq!(samples[&counter], f64::from(FAILURES_MAX), "{counter}");
    }
}
