//! The form that asks several scrapers at once, and their answers side by side.

use answerd::answer::Answer;
use serde_json::json;

use crate::app::{Builder, Gate, Scripted, Step, answer};
use crate::dashboard::Dashboard;
use crate::receiver::Receiver;

#[test]
fn one_prompt_goes_to_several_scrapers_and_comes_back_side_by_side() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &held).start();
    let dashboard = Dashboard::open(&app, "/new");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.choice input[value=chatgpt]').checked");
    browser.click(".choice input[value=practice]");
    dashboard.shows("2 jobs, at most 6 credits");
    browser.write("#prompt", "How long are results kept?");
    browser.write("#label", "both");
    browser.click("#country option[value=DE]");
    dashboard.click("Submit");
    gate.arrived(1);
    browser.until("location.hash.startsWith('#/compare/')");
    browser.until("document.querySelector('[aria-label^=practice] .answer')");
    dashboard.shows("Running");
    gate.open();
    browser.until("document.querySelector('[aria-label^=chatgpt] .answer')");
    // Whom each of them cites: the script names one page of this site, and practice none.
    browser.until(
        "[...document.querySelectorAll('.sites tr')].some((row) => \
         row.textContent === 'example.com1–')",
    );
    let jobs = app.get("/jobs").expect(200);
    for job in jobs["jobs"].as_array().unwrap() {
        assert_eq!((&job["country"], &job["label"]), (&"DE".into(), &"both".into()));
    }
    dashboard.is_at_peace();
}

#[test]
fn answers_side_by_side_are_told_apart_by_country_and_mixed_kinds_are_said() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let item = |scraper: &str, country: &str| json!({ "scraper": scraper, "country": country, "prompt": "What is a job?" });
    let same = [item("chatgpt", "US"), item("chatgpt", "DE")];
    let compared = |items: &[serde_json::Value]| {
        let body = json!({ "items": items }).to_string();
        let batch = app.post_with("/batches", &[], &body).expect(202);
        let id = batch["batch_id"].as_str().unwrap().to_owned();
        app.get(&format!("/batches/{id}?wait=30")).expect(200);
        format!("/compare/{id}")
    };
    let dashboard = Dashboard::open(&app, &compared(&same));
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('.sites thead th').length === 3");
    let heads = "return [...document.querySelectorAll('.sites thead th')]
        .map(({ textContent }) => textContent).join('|')";
    assert_eq!(browser.run(heads), "Site|chatgpt US|chatgpt DE");
    let names = "return [...document.querySelectorAll('.column')]
        .map(({ ariaLabel }) => ariaLabel).join('|')";
    assert_eq!(browser.run(names), "chatgpt, US, item 1|chatgpt, DE, item 2");
    assert!(!browser.run("return document.body.innerText").as_str().unwrap().contains("mixed"));
    dashboard.go(&compared(&[item("chatgpt", "US"), item("practice", "US")]));
    dashboard.shows("Answers of several kinds are mixed here (api, practice).");
    dashboard.is_at_peace();
}

#[test]
fn every_prompt_of_a_batch_heads_its_own_answers() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let prompts = ["one", "the second", "a third prompt"];
    let body = json!({ "prompts": prompts, "scrapers": ["chatgpt", "practice"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    let dashboard =
        Dashboard::open(&app, &format!("/compare/{}", batch["batch_id"].as_str().unwrap()));
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('.column .answer').length === 6");
    dashboard.keep("prompts");
    // The scripted answer says how long its prompt is.
    let groups =
        "return [...document.querySelectorAll('main section:has(> .columns)')].map((group) => [
        group.querySelector('h2').textContent,
        [...group.querySelectorAll('.column')].map((column) => column.ariaLabel.split(',')[0]).join(' '),
        group.querySelector('[aria-label^=chatgpt] .answer strong').textContent])";
    let expected =
        prompts.map(|prompt| json!([prompt, "chatgpt practice", prompt.len().to_string()]));
    assert_eq!(browser.run(groups), json!(expected));
    dashboard.is_at_peace();
}

#[test]
fn more_jobs_than_stand_side_by_side_are_a_link_away() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    app.ended(&app.submit("chatgpt", "of no batch"));
    let prompts: Vec<String> = (0..25).map(|n| format!("prompt {n}")).collect();
    let body = json!({ "prompts": prompts, "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    let dashboard =
        Dashboard::open(&app, &format!("/compare/{}", batch["batch_id"].as_str().unwrap()));
    dashboard.click("5 more jobs of this batch");
    dashboard.browser.until("document.querySelectorAll('.matrix .job-mark').length === 25");
    dashboard.click("Side by side");
    dashboard.browser.until("document.querySelectorAll('.column .answer').length === 20");
    dashboard.is_at_peace();
}

#[test]
fn all_that_has_not_ended_is_canceled_at_once() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app =
        Builder::new().scripted("chatgpt", &held).set("SCRAPERS__CHATGPT__WORKERS", 1).start();
    // More than a browser opens connections to one server.
    let prompts: Vec<String> = (0..12).map(|n| format!("prompt {n}")).collect();
    let body = json!({ "prompts": prompts, "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    gate.arrived(1);
    let dashboard =
        Dashboard::open(&app, &format!("/compare/{}", batch["batch_id"].as_str().unwrap()));
    dashboard.click("Cancel all");
    dashboard.browser.until(
        "[...document.querySelectorAll('.column .badge')].filter((badge) => \
         badge.textContent === 'canceled').length === 12",
    );
    dashboard.browser.until("!document.querySelector('.button.danger')");
    gate.open();
    dashboard.is_at_peace();
}

#[test]
fn what_the_server_refuses_is_told_beside_the_form() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/new");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.choice')");
    browser.run("document.getElementById('prompt').value = 'x'.repeat(4001)");
    dashboard.click("Submit");
    dashboard.shows("Parameter `prompt` must be 1 to 4000 characters");
    browser.run("document.getElementById('prompt').value = 'What is a job?'");
    dashboard.click("Submit");
    browser.until("document.querySelector('.answer')");
    dashboard.asks_nobody_else();
}

#[test]
fn typed_prompt_does_not_wait_behind_a_batch() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app =
        Builder::new().scripted("chatgpt", &held).set("SCRAPERS__CHATGPT__WORKERS", 1).start();
    let prompts: Vec<String> = (0..20).map(|n| format!("batch {n}")).collect();
    let body = json!({ "prompts": prompts, "scrapers": ["chatgpt"] }).to_string();
    app.post_with("/batches", &[], &body).expect(202);
    gate.arrived(1);
    let dashboard = Dashboard::open(&app, "/new");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.choice input[value=chatgpt]').checked");
    browser.write("#prompt", "typed");
    dashboard.click("Submit");
    browser.until("location.hash.startsWith('#/jobs/')");
    gate.open();
    browser.until("document.querySelector('.answer')");
    let asked = held.asked.lock().unwrap();
    let typed = asked.iter().position(|asked| asked.prompt == "typed");
    // The row that the worker takes next may have been chosen before.
    assert!(typed.is_some_and(|typed| typed <= 4), "{typed:?}");
    drop(asked);
    dashboard.is_at_peace();
}

#[test]
fn a_comparison_has_the_label_the_counts_marks_that_lead_out_and_what_differs() {
    let says = |markdown: &str| {
        Step::Answer(Box::new(Answer { markdown: markdown.to_owned(), ..answer("x") }))
    };
    let app = Builder::new()
        .scripted("chatgpt", &Scripted::new("one", [says("The best is the red shoe [2].")]))
        .scripted("grok", &Scripted::new("other", [says("The best is the blue shoe [2].")]))
        .start();
    let body = json!({ "label": "weekly", "prompts": ["x"], "scrapers": ["chatgpt", "grok"] });
    let batch = app.post_with("/batches", &[], &body.to_string()).expect(202);
    let id = batch["batch_id"].as_str().unwrap();
    app.get(&format!("/batches/{id}?wait=30")).expect(200);
    let dashboard = Dashboard::open(&app, &format!("/compare/{id}"));
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.title .label').innerText === 'weekly'");
    browser.until("document.getElementById('counts').innerText === '2 items: 2 done'");
    browser.until("document.querySelectorAll('.column a.mark').length === 2");
    let mark = "const { href, target, rel, innerText } = document.querySelector('.column a.mark');
                return [href, target, rel.includes('noreferrer'), innerText]";
    let expected = json!(["https://example.com/2", "_blank", true, "[2]"]);
    assert_eq!(browser.run(mark), expected);
    dashboard.click("Differences of two answers");
    dashboard.shows("1 word only in the first, 1 word only in the second.");
    dashboard.keep("differences");
    let differs = "return ['del', 'ins'].map((tag) =>
        document.querySelector(`.differences ${tag}`).innerText)";
    assert_eq!(browser.run(differs), json!(["red", "blue"]));
    let second = batch["items"][1]["job_id"].as_str().unwrap();
    browser.click(&format!("select[aria-label='First answer'] option[value='{second}']"));
    dashboard.shows("Word for word the same.");
    dashboard.is_at_peace();
}

#[test]
fn the_form_has_a_timeout_and_a_webhook_and_begins_with_the_choices_of_the_last_submit() {
    let receiver = Receiver::start([]);
    let app = crate::webhooks::builder(&Scripted::new("script", [])).start();
    let dashboard = Dashboard::open(&app, "/new");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.choice input[value=chatgpt]').checked");
    browser.click(".choice input[value=practice]");
    browser.write("#prompt", "What is a job?");
    browser.click("#country option[value=DE]");
    browser.write("#webhook", &receiver.url());
    browser.run("document.getElementById('timeout').value = '45'");
    browser.click("#ahead");
    dashboard.keep("new-webhook");
    dashboard.click("Submit");
    browser.until("location.hash.startsWith('#/compare/')");
    let batch = browser.run("return location.hash.slice('#/compare/'.length)");
    assert_eq!(receiver.told().json()["batch_id"], batch);
    let jobs = app.get("/jobs").expect(200);
    let path = format!("/jobs/{}/attempts", jobs["jobs"][0]["job_id"].as_str().unwrap());
    assert_eq!(app.get(&path).expect(200)["parameters"]["timeout"], 45.0);
    dashboard.go("/new");
    browser.until("document.querySelectorAll('.choice input:checked').length === 2");
    let fields = "return ['prompt', 'webhook', 'country', 'timeout']
        .map((id) => document.getElementById(id).value)
        .concat(document.getElementById('ahead').checked)";
    assert_eq!(browser.run(fields), json!(["", "", "DE", "300", false]));
    let kept = browser.run("return Object.values(localStorage).join()");
    assert!(!kept.as_str().unwrap().contains(&receiver.url()), "{kept}");
    // A link that names a scraper goes before them.
    dashboard.go("/new?scraper=practice");
    let picked = "[...document.querySelectorAll('.choice input:checked')]
        .map(({ value }) => value).join()";
    browser.until(&format!("{picked} === 'practice'"));
    dashboard.is_at_peace();
}
