//! What strangers wrote: an answer, its sources, a prompt and a label that try to be code.

use answerd::answer::{Answer, Source};

use crate::app::{Builder, Scripted, Step, encoded};
use crate::dashboard::Dashboard;

const HOSTILE: &str = r#"
<script>window.taken = 1</script>

Text <img src=x onerror="window.taken = 2"> and <b onclick="window.taken = 3">bold</b>.

[run](javascript:window.taken=4) [data](data:text/html,<script>window.taken=5</script>)
[vb](vbscript:x) [good](https://good.example/page) [relative](/docs)

![picture](https://tracker.example/pixel.png)

<iframe src="https://frame.example/"></iframe>
<svg onload="window.taken = 6"></svg>
<style>body { display: none }</style>

| <img src=x onerror="window.taken = 7"> |
|---|
| [x](java&#115;cript:window.taken=8) |
"#;

#[test]
fn a_hostile_answer_stays_text() {
    let source = |url: &str| Source {
        url: url.to_owned(),
        title: "<img src=x onerror='window.taken = 9'>".to_owned(),
        snippet: "<script>window.taken = 10</script>".to_owned(),
        ..Source::default()
    };
    let answer = Answer {
        markdown: HOSTILE.to_owned(),
        model: Some("<script>window.taken = 11</script>".to_owned()),
        queries: Some(vec!["<svg onload='window.taken = 12'>".to_owned()]),
        sources: Some(vec![
            source("https://source.example/"),
            source("javascript:window.taken=13"),
        ]),
        citations: Some(vec![source("data:text/html,<script>window.taken=14</script>")]),
        ..Answer::default()
    };
    let script = Scripted::new("script", [Step::Answer(Box::new(answer))]);
    let app = Builder::new().scripted("own", &script).start();
    let prompt = encoded("<img src=x onerror='window.taken = 15'>");
    let label = encoded("<script>window.taken = 16</script>");
    let job = app.post(&format!("/scrapers/own/jobs?prompt={prompt}&label={label}")).expect(202);
    let id = job["job_id"].as_str().unwrap();
    app.ended(id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.answer')");
    dashboard.click("JSON");
    // All of it is there to be read, as what it is.
    dashboard.shows("<script>window.taken = 1</script>");
    dashboard.shows("<img src=x onerror=\"window.taken = 2\">");
    let addresses = browser.run(
        "return [...document.querySelectorAll('main a[target]')].map((link) => link.href).sort()",
    );
    let addresses: Vec<&str> =
        addresses.as_array().unwrap().iter().map(|address| address.as_str().unwrap()).collect();
    assert!(addresses.contains(&"https://good.example/page"), "{addresses:?}");
    for address in addresses {
        assert!(address.starts_with("https://"), "{address}");
    }
    let made = "return document.querySelectorAll('main :is(script, img, iframe, style, object, embed), \
                main [onclick], main [onload], main [onerror], main svg:not(.icon, .span)').length";
    assert_eq!(browser.run(made), 0);
    browser.run("document.querySelectorAll('.answer a, .answer span').forEach((it) => it.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, view: null })) )");
    dashboard.go("/jobs");
    dashboard.shows("<img src=x onerror='window.taken = 15'>");
    assert!(browser.run("return window.taken ?? null").is_null());
    dashboard.is_at_peace();
}

#[test]
fn even_a_script_of_the_pages_own_could_make_no_markup() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/");
    dashboard.shows("Overview");
    let policy = app.get("/").headers["content-security-policy"].clone();
    assert!(policy.contains("default-src 'none'") && policy.contains("trusted-types"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    // The page's own code is what the policy speaks of; WebDriver's scripts are not.
    let refused = dashboard.browser.wait_for(
        "addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));
         const image = new Image(); image.src = 'http://127.0.0.1:9/outside.png';",
    );
    assert_eq!(refused, "img-src");
}
