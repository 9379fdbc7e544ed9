//! Signing in, the overview and the usage, the shell around every view, and how all of it fits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use answerd::answer::{Answer, Kind};
use answerd::clock::ManualClock;
use answerd::job::{Reason, ScrapeRequest};
use answerd::upstream::{Call, Upstream, UpstreamError};
use serde_json::json;

use crate::app::{App, Builder, Gate, Scripted, Step, answer, fail};
use crate::dashboard::Dashboard;
use crate::limits::{A, keys};

#[test]
fn a_key_is_asked_for_kept_for_the_tab_and_forgotten() {
    let app = Builder::new().config(&keys("monthly_credits = 100")).start();
    let dashboard = Dashboard::open(&app, "/usage");
    let browser = &dashboard.browser;
    dashboard.sign_in("wrong");
    dashboard.shows("Invalid API key.");
    browser.run("document.getElementById('key').value = ''");
    dashboard.sign_in("secret-a");
    dashboard.shows("Key: a");
    dashboard.shows("of 100 used");
    browser.open(&format!("{}/", app.base));
    browser.until("document.querySelector('.tiles')");
    let elsewhere = "return document.cookie + JSON.stringify(localStorage) + location.href";
    assert!(!browser.run(elsewhere).to_string().contains("secret-a"));
    assert!(browser.requested().iter().all(|address| !address.contains("secret-a")));
    browser.click("#sign-out");
    browser.until("document.getElementById('key') && sessionStorage.length === 0");
    assert_eq!(browser.run("return document.title"), "Sign in · answerd");
}

#[test]
fn an_operator_is_shown_the_credits_of_every_key_and_another_key_is_not() {
    let lines = format!("{}operator = true\n", keys("monthly_credits = 4"));
    let app = Builder::new().config(&lines).start();
    let job = app.post_with("/scrapers/practice/jobs?prompt=x", &A, "").expect(202);
    app.ended(job["job_id"].as_str().unwrap());
    let rows = "[...document.querySelectorAll('[aria-label=\"Table: Credits of every key\"] tbody tr')]\
                .map((row) => row.innerText.split(/\\s*\\t\\s*/).join('|').trim()).join(';')";
    let dashboard = Dashboard::signed_in(&app, "secret-b", "/");
    for view in ["/", "/usage"] {
        dashboard.go(view);
        dashboard.browser.until(&format!("{rows} === 'a|3|0|1|4|;b|0|0|–|no limit|'"));
    }
    dashboard.is_at_peace();
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/usage");
    for view in ["/usage", "/"] {
        dashboard.go(view);
        dashboard.shows("of 4 used");
        dashboard.browser.until(&format!("{rows} === ''"));
    }
    dashboard.is_at_peace();
}

#[test]
fn files_are_asked_for_each_time_and_sent_when_they_have_changed() {
    let app = Builder::new().config(&keys("")).start();
    let page = app.get("/");
    assert_eq!((page.status, page.headers["cache-control"].as_str()), (200, "no-cache"));
    assert!(!page.text.contains("secret") && page.text.contains("/dashboard/app.js"));
    let script = app.get("/dashboard/app.js");
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers["x-content-type-options"], "nosniff");
    let tag = script.headers["etag"].as_str();
    let again = app.get_with("/dashboard/app.js", &[("if-none-match", tag)]);
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(app.get_with("/dashboard/app.js", &[("if-none-match", "\"old\"")]).status, 200);
}

#[test]
fn the_overview_is_live() {
    let gate = Gate::default();
    let mut steps = vec![Step::Hold(gate.clone())];
    // So many that the breaker opens.
    steps.extend((0..5).map(|_| fail(Reason::Auth)));
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    let dashboard = Dashboard::open(&app, "/");
    let tile = |name: &str, value: &str| {
        dashboard.browser.until(&format!(
            "[...document.querySelectorAll('.tile')].some((tile) => \
             tile.innerText.startsWith('{name}\\n{value}\\n'))"
        ))
    };
    tile("Running", "0");
    dashboard.shows("No jobs finished in the last hour");
    app.submit("chatgpt", "held");
    gate.arrived(1);
    let failing: Vec<String> =
        (0..5).map(|n| app.submit("chatgpt", &format!("fails {n}"))).collect();
    tile("Running", "1");
    tile("Waiting", "5");
    gate.open();
    failing.iter().for_each(|id| drop(app.ended(id)));
    tile("Done", "1");
    tile("Failed", "5");
    tile("Success", "17%");
    dashboard.shows("script is paused after repeated failures");
    dashboard.shows("The script says no.");
    dashboard.shows("upstream_auth");
    // What is wrong leads to the jobs, and to what its code means.
    for link in ["#/jobs?scraper=chatgpt&status=failed", "/docs/errors-and-retries#upstream_auth"] {
        let found = format!("document.querySelector('.note.bad a[href=\"{link}\"]')");
        dashboard.browser.until(&found);
    }
    // And a number to the jobs that it counts.
    let failed = "document.querySelector('.whole-tile[href*=\"status=failed&since=20\"]')";
    dashboard.browser.until(failed);
    let table = "document.querySelector('.chart tbody').textContent";
    dashboard.browser.until(&format!("/^\\d\\d:\\d\\d15$/.test({table})"));
    // Fill rates of the last hour: an answer had something in each array.
    dashboard.shows("search queries");
    dashboard.is_at_peace();
}

#[test]
fn everything_can_be_done_by_keyboard() {
    // On a clock that stands still: the jobs are in the last bucket of the chart, however long it takes.
    let (builder, _clock) = Builder::new().manual();
    let app = builder.start();
    let ids: Vec<String> =
        (0..3).map(|n| app.submit("practice", &format!("What is {n}?"))).collect();
    ids.iter().for_each(|id| drop(app.ended(id)));
    let dashboard = Dashboard::open(&app, "/");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.tile')");
    browser.press(&["g", "j"]);
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 3");
    browser.press(&["j", "j", "k", "j"]);
    browser.until("document.activeElement.textContent === 'What is 1?'");
    browser.press(&["\u{E007}"]); // Enter
    browser.until("document.querySelector('.answer')");
    browser.press(&["/"]);
    browser.until("document.activeElement.id === 'search'");
    browser.press(&["?"]);
    assert_eq!(browser.run("return document.getElementById('search').value"), "?");
    browser.run("document.getElementById('main').focus()");
    browser.press(&["?"]);
    browser.until("document.querySelector('dialog[open]')");
    browser.click("#shortcuts-on");
    browser.press(&["\u{E00C}"]); // Escape
    browser.until("!document.querySelector('dialog')");
    browser.press(&["g", "u", "\u{E004}"]); // and Tab, which is none of ours
    assert!(browser.run("return location.hash").as_str().unwrap().starts_with("#/jobs"));
    // A chart is walked along with the arrows.
    dashboard.go("/");
    browser.until("document.querySelector('.bar-part')");
    browser.run("document.querySelector('.plot').focus()");
    browser.press(&["\u{E012}"]); // left
    browser.until("document.querySelector('.chart [aria-live]').textContent.includes('done 3')");
    // The first thing that Tab reaches leads past the navigation.
    browser.post("/refresh", json!({}));
    browser.until("document.querySelector('.tile')");
    browser.press(&["\u{E004}"]);
    browser.until("document.activeElement.className === 'skip'");
    browser.press(&["\u{E007}"]);
    browser.until("document.activeElement.id === 'main'");
}

#[test]
fn the_colors_can_be_turned_and_stay() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/");
    let ground = "return getComputedStyle(document.querySelector('.card')).backgroundColor";
    dashboard.browser.until("document.querySelector('.card')");
    let light = dashboard.browser.run(ground);
    dashboard.browser.click("[aria-label='Dark colors']");
    let dark = dashboard.browser.run(ground);
    assert_ne!(light, dark);
    dashboard.browser.open(&format!("{}/", app.base));
    dashboard.browser.until("document.querySelector('.card')");
    assert_eq!(dashboard.browser.run(ground), dark);
}

#[test]
fn an_empty_service_says_what_to_do_next() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/");
    dashboard.shows("Only the practice engine is ready, which answers questions about answerd.");
    dashboard.shows("OPENAI_API_KEY");
    dashboard.go("/jobs");
    dashboard.shows("No jobs yet");
    dashboard.go("/usage");
    dashboard.shows("Nothing used yet");
    dashboard.go("/compare/00000000-0000-4000-8000-000000000000");
    dashboard.shows("Batch not found");
    dashboard.go("/jobs/00000000-0000-4000-8000-000000000000");
    dashboard.shows("Job not found");
    dashboard.go("/nothing");
    dashboard.shows("The dashboard has no such page.");
    dashboard.asks_nobody_else();
}

/// Answers, or does not, and takes its time doing it by moving the test's clock.
struct Paced {
    name: &'static str,
    clock: Arc<ManualClock>,
    ms: u64,
    asked: AtomicU64,
}

impl Upstream for Paced {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn ask(&self, request: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        let weight = request.prompt.bytes().map(u64::from).sum::<u64>();
        self.clock.advance_ms(self.ms + self.ms * (weight % 7) / 4);
        if weight % 23 == 0 {
            return Err(UpstreamError::new(
                Reason::InvalidResponse,
                "The answer could not be read.",
            ));
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let markdown = format!("{}\n\nThis is answer {number}.\n", include_str!("answer.md"));
        Ok(Answer { markdown, ..answer(&request.prompt) })
    }
}

/// A service with a day behind it, and a few jobs of every kind.
fn a_day(prompts: &[&str]) -> (App, String, [String; 3]) {
    let (builder, clock) = Builder::new()
        .config(&keys("monthly_credits = 5000\noperator = true"))
        .set("CACHE__TTL_SECONDS", 0)
        .set("RETRY__RETRIES", 0)
        .manual();
    let mut builder = builder.set("STORE__RETENTION_HOURS", 24);
    for (scraper, name, ms) in [
        ("chatgpt", "openai-us", 9_000),
        ("perplexity", "sonar", 5_000),
        ("gemini", "gemini-grounded", 3_000),
    ] {
        let paced = Paced { name, clock: clock.clone(), ms, asked: AtomicU64::default() };
        builder = builder.upstream(scraper, name, Arc::new(paced));
    }
    let app = builder.start();
    let brands = r#"{"brands": [{"name": "Chromium"}, {"name": "answerd", "own": true}]}"#;
    app.put("/trackers/acme", &A, brands).expect(200);
    let alert = json!({
        "name": "fewer-mentions-of-answerd-in-answers", "when": "mention_rate_below",
        "tracker": "acme", "threshold": 0.3, "over": "7 days",
        "to": { "webhook": "https://hooks.example/services/T0/B0/x", "format": "slack" },
    });
    app.post_with("/alerts", &A, &alert.to_string()).expect(201);
    let submit = |scraper: &str, prompt: &str, label: &str| {
        let prompt = crate::app::encoded(prompt);
        let path = format!("/scrapers/{scraper}/jobs?prompt={prompt}&track=acme{label}");
        let job = app.post_with(&path, &A, "").expect(202);
        let id = job["job_id"].as_str().unwrap().to_owned();
        app.ended(&id);
        id
    };
    let scrapers = ["chatgpt", "perplexity", "gemini"];
    for piece in 0..94_u64 {
        let load = 1 + (piece * 7 % 5) + u64::from((30..70).contains(&piece)) * 3;
        for n in 0..load {
            let prompt = prompts[(piece + n) as usize % prompts.len()];
            submit(scrapers[(piece + n) as usize % 3], &format!("{prompt} {piece}.{n}"), "");
        }
        clock.advance_ms(900_000_u64.saturating_sub(load * 8_000));
    }
    let items: Vec<_> = scrapers
        .iter()
        .map(|scraper| json!({ "scraper": scraper, "prompt": prompts[0] }))
        .collect();
    let batch = json!({ "items": items, "label": "shoes", "country": "DE" }).to_string();
    let batch = app.post_with("/batches", &A, &batch).expect(202);
    let batch = batch["batch_id"].as_str().unwrap().to_owned();
    app.get(&format!("/batches/{batch}?wait=30")).expect(200);
    let failed = (0..).map(|n| format!("Which running shoes are best? {n}"));
    let failed =
        failed.into_iter().find(|it| it.bytes().map(u64::from).sum::<u64>() % 23 == 0).unwrap();
    let failed = submit("chatgpt", &failed, "&label=nightly");
    submit("perplexity", prompts[1], "&label=nightly");
    let done = submit("perplexity", prompts[1], "&label=nightly");
    let question = "How do I verify a webhook, and what happens when my receiver is down?";
    let explained = submit("practice", question, "&label=docs");
    (app, batch, [failed, done, explained])
}

/// The ARIA attributes of the page that no standard has, and references that lead to nothing.
const BROKEN_ARIA: &str = "
    const known = /^aria-(atomic|busy|checked|controls|current|describedby|disabled|expanded|haspopup|\
        hidden|invalid|keyshortcuts|label|labelledby|live|modal|pressed|relevant|required|\
        roledescription|selected|sort|value(max|min|now|text))$/;
    const broken = [];
    for (const element of document.querySelectorAll('*')) {
        for (const { name, value } of element.attributes) {
            if (name.startsWith('aria-') && !known.test(name)) broken.push(name);
            if (/^aria-(controls|describedby|labelledby)$/.test(name))
                for (const id of value.split(/\\s+/))
                    if (!document.getElementById(id)) broken.push(`${name}=${id}`);
        }
    }
    return broken;";

/// Every view from 1440 down to 360 px, light and dark: it fits, and nothing goes wrong. With the variable
/// `ANSWERD_SCREENSHOTS` the pictures are kept in the directory that it names; with `ANSWERD_AXE`, which
/// names the file `axe.min.js` of the npm package axe-core, its rules of accessibility are held as well.
#[test]
fn every_view_fits_in_every_form() {
    let prompts = [
        "What are the best running shoes for a marathon?",
        "Which CRM do analysts recommend for small teams?",
        "Compare electric cars with a range of 400 km",
        "Is answerd a good name for a job queue?",
    ];
    let (app, batch, [failed, done, explained]) = a_day(&prompts);
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/");
    let axe = std::env::var_os("ANSWERD_AXE").map(|file| std::fs::read_to_string(file).unwrap());
    let views = [
        ("overview", "/".to_owned(), "document.querySelector('.line-part')"),
        ("jobs", "/jobs".to_owned(), "document.querySelectorAll('#jobs tbody tr').length === 50"),
        ("job", format!("/jobs/{done}"), "document.querySelector('.answer table')"),
        ("explained", format!("/jobs/{explained}"), "document.querySelector('.answer')"),
        ("failed", format!("/jobs/{failed}"), "document.querySelector('.failure')"),
        ("new", "/new".to_owned(), "document.querySelectorAll('.choice').length === 4"),
        (
            "compare",
            format!("/compare/{batch}"),
            "document.querySelectorAll('.column .badge').length === 3 && \
             document.querySelector('.sites table')",
        ),
        ("batches", "/batches".to_owned(), "document.querySelector('#batches .rows')"),
        ("batch", format!("/batches/{batch}"), "document.querySelectorAll('.job-mark').length > 4"),
        (
            "filtered",
            "/jobs?country=DE&label=nightly".to_owned(),
            "!document.querySelector('.bulk').hidden",
        ),
        ("trackers", "/trackers".to_owned(), "document.querySelector('.rows')"),
        (
            "sources",
            "/trackers/acme/sources".to_owned(),
            "document.querySelectorAll('.rows').length === 2",
        ),
        ("prompts", "/prompts?tracker=acme".to_owned(), "document.querySelector('.rows')"),
        ("history", format!("/prompts/{done}"), "document.querySelector('.answers-over-time ins')"),
        ("tracker", "/trackers/acme".to_owned(), "document.querySelector('.chart .line-part')"),
        (
            "alerts",
            "/alerts".to_owned(),
            "document.querySelector('.facts') && document.querySelector('#alert-name')",
        ),
        ("usage", "/usage".to_owned(), "document.querySelector('.rows')"),
    ];
    for (width, height) in [(1440, 900), (1024, 768), (768, 1024), (360, 780)] {
        dashboard.size(width, height);
        for scheme in ["light", "dark"] {
            dashboard.prefers(scheme);
            for (name, path, ready) in &views {
                dashboard.go("/nothing");
                dashboard.shows("no such page");
                dashboard.go(path);
                dashboard.browser.until(ready);
                let over = "return document.documentElement.scrollWidth - innerWidth";
                let over = dashboard.browser.run(over).as_i64().unwrap();
                assert!(over <= 0, "{name} is {over} px too wide at {width}");
                let broken = dashboard.browser.run(BROKEN_ARIA);
                assert_eq!(broken, json!([]), "{name} at {width} px");
                dashboard.keep(&format!("{name}-{width}-{scheme}"));
                if let Some(axe) = &axe {
                    let found = dashboard.violations(axe);
                    assert!(found.is_empty(), "{name} at {width} px, {scheme}: {found:#?}");
                }
            }
        }
    }
    dashboard.is_at_peace();
}
