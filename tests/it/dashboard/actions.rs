//! One job, and what can be done with it.

use answerd::answer::Answer;
use answerd::job::Reason;
use answerd::upstream::UpstreamError;
use serde_json::json;

use crate::app::{Builder, Gate, Scripted, Step, answer, fail};
use crate::dashboard::Dashboard;
use crate::limits::{A, keys};
use crate::receiver::{Does, Receiver};

#[test]
fn a_job_is_shown_with_all_that_belongs_to_it() {
    let app = Builder::new().start();
    let id = app.submit("practice", "How long are results kept?");
    let job = app.ended(&id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.answer')");
    for text in [
        "24 hours",
        "Sources",
        "cited",
        "practice · practice",
        "Search queries",
        "Related questions",
        "answerd-practice-1",
        "Attempt 1 succeeded",
        "Submitted",
        &id,
    ] {
        dashboard.shows(text);
    }
    let source = job["result"]["sources"][0]["url"].as_str().unwrap();
    let link = format!("document.querySelector('.sources a[href={}]')", json!(source));
    assert_eq!(browser.until(&format!("{link}.rel")), "noopener noreferrer nofollow");
    dashboard.click("JSON");
    let raw = browser.run("return document.querySelector('.raw pre').textContent");
    let raw: serde_json::Value = serde_json::from_str(raw.as_str().unwrap()).unwrap();
    assert_eq!(raw, job);
    assert_eq!(browser.run("return document.title"), "How long are results kept? · answerd");
    dashboard.is_at_peace();
}

#[test]
fn marks_of_an_answer_lead_to_the_list_of_sources() {
    let mut two = answer("x");
    two.markdown = "One thing [2], and another [1][2].".to_owned();
    let upstream = Scripted::new("s", [Step::Answer(Box::new(two))]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "x");
    let job = app.ended(&id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    let marks = "[...document.querySelectorAll('.answer button.mark')]";
    browser.until(&format!("{marks}.length === 3"));
    let sources = job["result"]["sources"].as_array().unwrap();
    for (at, number) in [(0, 2), (1, 1), (2, 2)] {
        browser.run(&format!("{marks}[{at}].click()"));
        let focused = "document.activeElement";
        browser.until(&format!("{focused}.matches('.sources li') && {focused}.value === {number}"));
        let href = browser.run(&format!("return {focused}.querySelector('a').href"));
        assert_eq!(href, sources[number - 1]["url"], "mark {at}");
    }
    dashboard.is_at_peace();
}

#[test]
fn a_job_is_followed_canceled_and_run_again() {
    let gates = [Gate::default(), Gate::default()];
    let steps = gates.iter().map(|gate| Step::Hold(gate.clone()));
    let app = Builder::new()
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    let path = "/scrapers/chatgpt/jobs?prompt=it%27s+%22me%22&label=l&country=de&web_search=false";
    let job = app.post_with(path, &A, "").expect(202);
    let id = job["job_id"].as_str().unwrap();
    gates[0].arrived(1);
    let dashboard = Dashboard::signed_in(&app, "secret-a", &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    dashboard.shows("Attempt 1 is running");
    dashboard.click("Cancel");
    dashboard.shows("Canceled");
    gates[0].open();
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["error_code"], "canceled");

    dashboard.click("Run again");
    gates[1].arrived(1);
    browser.until(&format!("location.hash !== '#/jobs/{id}'"));
    dashboard.shows("Attempt 1 is running");
    let again = browser.run("return location.hash.slice(7)").as_str().unwrap().to_owned();
    let asked = app.get_with(&format!("/jobs/{again}/attempts"), &A).expect(200);
    let parameters = json!({
        "prompt": "it's \"me\"", "country": "DE", "bypass_cache": true, "timeout": 300.0,
        "web_search": false, "markdown_json": false, "label": "l",
    });
    assert_eq!(asked["parameters"], parameters);
    gates[1].open();
    // The end comes over the stream of events; nothing is loaded again.
    browser.until("document.querySelector('.answer')");
    dashboard.shows("Attempt 1 succeeded");

    browser.devtools(
        "Browser.grantPermissions",
        json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
    );
    dashboard.click("Copy as curl");
    dashboard.shows("Copied");
    let copied = browser.wait_for("navigator.clipboard.readText().then(done, (e) => done(`${e}`))");
    let command = copied.as_str().unwrap();
    assert!(!command.contains("secret-a"), "{command}");
    let run = std::process::Command::new("sh")
        .args(["-c", command])
        .env("ANSWERD_API_KEY", "secret-a")
        .output()
        .unwrap();
    let answered: serde_json::Value =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{command}: {run:?}"));
    assert_eq!(answered["prompt"], "it's \"me\"");
    assert_eq!(answered["label"], "l");
    app.ended(answered["job_id"].as_str().unwrap());
    dashboard.is_at_peace();
}

#[test]
fn attempts_that_failed_are_told_with_their_reasons() {
    let gate = Gate::default();
    let steps = [fail(Reason::Overloaded), Step::Hold(gate.clone()), fail(Reason::Refused)];
    let app = Builder::new()
        .set("RETRY__BACKOFF_MS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    let id = app.submit("chatgpt", "x");
    gate.arrived(1);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    dashboard.shows("Attempt 1 failed");
    dashboard.shows("upstream_overloaded");
    dashboard.shows("Attempt 2 is running");
    gate.open();
    dashboard.shows("Attempt 2 succeeded");
    let refused = app.submit("chatgpt", "y");
    app.ended(&refused);
    dashboard.go(&format!("/jobs/{refused}"));
    dashboard.browser.until("document.querySelector('.failure')");
    dashboard.shows("answer_refused");
    dashboard.browser.until("document.querySelector('.failure a').hash === '#answer_refused'");
    dashboard.is_at_peace();
}

#[test]
fn a_job_that_waits_for_its_next_attempt_says_why() {
    let error = UpstreamError::new(Reason::Overloaded, "Busy.").retry_after_ms(Some(60_000));
    let app =
        Builder::new().scripted("chatgpt", &Scripted::new("script", [Step::Fail(error)])).start();
    let id = app.submit("chatgpt", "x");
    app.until(&id, |job| job["phase"] == "waiting_retry");
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    dashboard.shows("retrying");
    dashboard.shows("Waits for the next attempt");
    dashboard.shows("Busy.");
    dashboard.click("Cancel");
    dashboard.shows("Canceled");
    dashboard.is_at_peace();
}

#[test]
fn the_deliveries_of_a_webhook_are_shown_and_made_again() {
    let receiver = Receiver::start([Does::Status(410, "")]);
    let app = crate::webhooks::builder(&Scripted::new("script", [])).start();
    let id = crate::webhooks::submit(&app, "x", &receiver.url());
    receiver.told();
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    dashboard.shows("Status 410");
    dashboard.click("Send again");
    receiver.told();
    dashboard.shows("Status 204");
    dashboard.shows("delivered");
    dashboard.is_at_peace();
}

#[test]
fn run_again_calls_the_webhook_only_where_that_is_chosen() {
    let receiver = Receiver::start([]);
    let app = crate::webhooks::builder(&Scripted::new("script", [])).start();
    let id = crate::webhooks::submit(&app, "x", &receiver.url());
    let first = receiver.told();
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    let run_again = || {
        let before = browser.run("return location.hash").as_str().unwrap().to_owned();
        dashboard.click("Run again");
        browser.until(&format!("location.hash !== '{before}'"));
        let again = browser.run("return location.hash.slice(7)").as_str().unwrap().to_owned();
        app.ended(&again);
        app.get(&format!("/jobs/{again}/attempts")).expect(200)["parameters"].clone()
    };
    // It is said which webhook there is, and that nobody has chosen to call it.
    browser.until("document.querySelector('.webhook-choice input').checked === false");
    dashboard.shows(&format!("also call the webhook {}", receiver.url()));
    dashboard.keep("webhook-choice");
    let parameters = run_again();
    assert_eq!((&parameters["prompt"], &parameters["webhook_url"]), (&json!("x"), &json!(null)));
    browser
        .until("document.querySelector('.answer') && !document.querySelector('.webhook-choice')");
    dashboard.go(&format!("/jobs/{id}"));
    browser.click(".webhook-choice input");
    assert_eq!(run_again()["webhook_url"], receiver.url());
    // Those of the first and of the third job, and none of the second.
    let second = receiver.told();
    assert_ne!(first.json()["job_id"], second.json()["job_id"]);
    let third = browser.run("return location.hash.slice(7)");
    assert_eq!(second.json()["job_id"], third);
    dashboard.is_at_peace();
}

#[test]
fn a_cached_job_shows_no_duration_of_an_attempt_that_it_did_not_make() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let asked = app.submit("chatgpt", "x");
    app.ended(&asked);
    let body = json!({ "prompts": ["x"], "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    let cached = batch["items"][0]["job_id"].as_str().unwrap();
    let dashboard = Dashboard::open(&app, &format!("/jobs/{asked}"));
    dashboard.shows("Attempt took");
    dashboard.go(&format!("/jobs/{cached}"));
    dashboard.shows("yes, from");
    let page = dashboard.browser.run("return document.body.innerText").to_string();
    assert!(!page.contains("Attempt took"), "{page}");
    // Nor where it stands beside others.
    dashboard.go(&format!("/compare/{}", batch["batch_id"].as_str().unwrap()));
    dashboard.shows("scripted-1 · cached · 1 site cited");
    dashboard.is_at_peace();
}

#[test]
fn the_evidence_of_a_page_is_shown() {
    let app = Builder::new()
        .set("RETRY__RETRIES", 0)
        .set("PRACTICE__FAILURE_PERCENT", 100)
        .config(
            "[upstreams.browser]\nkind = \"browser\"\nrecipe = \"practice\"\nsessions = 1\n\
             [scrapers.paged]\nupstreams = [\"browser\"]",
        )
        .start();
    let id = app.submit("paged", "How long are results kept?");
    app.ended(&id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    dashboard.shows("Evidence");
    dashboard.shows("Attempt 1 at browser");
    let button = "[...document.querySelectorAll('.evidence button')]\
                  .find((button) => button.textContent.endsWith('.png'))";
    dashboard.browser.until(button);
    dashboard.browser.run(&format!("{button}.click()"));
    dashboard.browser.until("document.querySelector('.screenshot').naturalWidth > 300");
    dashboard.is_at_peace();
}

#[test]
fn task_lists_keep_number_and_indent_and_columns_their_alignment() {
    let markdown = "1. [x] done\n2. [ ] open\n   - [ ] below\n\n\
                    | a | b | c |\n|---|:-:|--:|\n| 1 | 2 | 3 |";
    let answer = Answer { markdown: markdown.to_owned(), ..Answer::default() };
    let script = Scripted::new("script", [Step::Answer(Box::new(answer))]);
    let app = Builder::new().scripted("own", &script).start();
    let id = app.submit("own", "x");
    app.ended(&id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    dashboard.browser.until("document.querySelector('.answer td')");
    let tasks = "return [...document.querySelectorAll('.answer .task')].map((task) => {
                   const indent = task.getBoundingClientRect().left
                     - task.parentElement.getBoundingClientRect().left;
                   return getComputedStyle(task).listStyleType + (indent > 10 ? ' in' : ' out');
                 }).join('|')";
    assert_eq!(dashboard.browser.run(tasks), "decimal in|decimal in|none in");
    let cells = "return [...document.querySelectorAll('.answer :is(th, td)')]
                   .map((cell) => getComputedStyle(cell).textAlign).join(' ')";
    assert_eq!(dashboard.browser.run(cells), "start center right start center right");
    dashboard.is_at_peace();
}

/// An answer may begin with a heading of any depth and leave out others; the page has two above it.
#[test]
fn the_headings_of_an_answer_go_down_one_level_at_a_time() {
    let markdown =
        "## A\n\n#### B\n\n###### C\n\n### D\n\n# E\n\n- [x] done\n- [ ] open\n\n###### F";
    let answer = Answer { markdown: markdown.to_owned(), ..Answer::default() };
    let script = Scripted::new("script", [Step::Answer(Box::new(answer))]);
    let app = Builder::new().scripted("own", &script).start();
    let id = app.submit("own", "x");
    app.ended(&id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    dashboard.browser.until("document.querySelector('.answer h3')");
    let headings = "return [...document.querySelectorAll('.answer :is(h1, h2, h3, h4, h5, h6)')]
                      .map((heading) => heading.tagName[1] + heading.textContent).join(' ')";
    assert_eq!(dashboard.browser.run(headings), "3A 4B 5C 4D 3E 4F");
    let tasks = "return [...document.querySelectorAll('.answer .task')]
                   .map((task) => task.textContent).join('|')";
    assert_eq!(dashboard.browser.run(tasks), "☑ done|☐ open");
    dashboard.is_at_peace();
}

#[test]
fn what_a_button_has_copied_stays_said_when_the_job_is_drawn_again() {
    let gate = Gate::default();
    let script = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &script).start();
    let id = app.submit("chatgpt", "x");
    gate.arrived(1);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    dashboard.shows("Attempt 1 is running");
    // What another run costs is said before it is made.
    dashboard.shows("Run again costs at most 3 credits.");
    browser.devtools(
        "Browser.grantPermissions",
        json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
    );
    // A page may copy only while it has the focus, which no other window may take here.
    browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
    // The two seconds in which it is said do not pass.
    browser.run(
        "const [now, after] = [Date.now(), setTimeout];
         Date.now = () => now;
         window.setTimeout = (act, ms) => ms === 2000 ? 0 : after(act, ms);",
    );
    dashboard.click("Copy as curl");
    dashboard.shows("Copied");
    gate.open();
    browser.until("document.querySelector('.answer')");
    let names = "[...document.querySelectorAll('.title button')].map((it) => it.innerText).join()";
    assert_eq!(browser.run(&format!("return {names}")), "Run again,Copied");
    // Its attempts have a table; the timeline does not repeat them.
    let timeline = browser.run("return document.querySelector('.timeline').innerText");
    assert!(!timeline.as_str().unwrap().contains("Attempt"), "{timeline}");
    dashboard.is_at_peace();
}
