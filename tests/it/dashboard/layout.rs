//! How what is shown is laid out: writing from right to left, long names, narrow screens, and regions
//! that scroll by themselves.

use answerd::answer::Answer;
use serde_json::{Value, json};

use crate::app::{App, Builder, Scripted, Step, answer};
use crate::dashboard::Dashboard;
use crate::limits::{A, keys};

const ARABIC: &str = "\
# أفضل أحذية الجري

هذه إجابة عن **أحذية الجري** في 2026. [1]

1. الأول خفيف جدا.
2. الثاني مريح.

- نص قصير

  وفقرة ثانية
- An item in English.

> اقتباس قصير

| الحذاء | Weight |
|---|---|
| الأول | 248 g |

```
let x = 1; // تعليق
```

And a paragraph in English.
";
const ARABIC_PROMPT: &str = "ما هي أفضل أحذية الجري؟";

/// The direction of what is found, one after the other.
fn directions(dashboard: &Dashboard, selector: &str) -> Value {
    dashboard.browser.until(&format!("document.querySelector('{selector}')"));
    dashboard.browser.run(&format!(
        "return [...document.querySelectorAll('{selector}')]
           .map((each) => getComputedStyle(each).direction).join(' ')"
    ))
}

#[test]
fn an_answer_is_laid_out_in_the_direction_of_its_own_writing() {
    let markdown = ARABIC.to_owned();
    let arabic = || Step::Answer(Box::new(Answer { markdown: markdown.clone(), ..answer("x") }));
    let app =
        Builder::new().scripted("chatgpt", &Scripted::new("script", [arabic(), arabic()])).start();
    let prompt = crate::app::encoded(ARABIC_PROMPT);
    let label = crate::app::encoded("حملة");
    let path = format!("/scrapers/chatgpt/jobs?prompt={prompt}&label={label}");
    let job = app.post(&path).expect(202)["job_id"].as_str().unwrap().to_owned();
    app.ended(&job);
    let body = json!({ "scraper": "chatgpt", "items": [
        { "prompt": ARABIC_PROMPT, "bypass_cache": true },
        { "prompt": "In English", "scraper": "practice" },
        { "prompt": "哪些跑鞋最适合参加马拉松比赛？", "scraper": "practice" },
    ] });
    let batch = app.post_with("/batches", &[], &body.to_string()).expect(202);
    let batch = batch["batch_id"].as_str().unwrap();
    app.get(&format!("/batches/{batch}?wait=30")).expect(200);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{job}"));
    let is = |selector: &str, expected: &str| {
        assert_eq!(directions(&dashboard, selector), expected, "{selector}");
    };
    for path in [format!("/jobs/{job}"), format!("/compare/{batch}")] {
        dashboard.go(&path);
        let columns = path.starts_with("/compare");
        dashboard.browser.until("document.querySelector('.answer blockquote')");
        dashboard.keep(if columns { "rtl-compare" } else { "rtl-job" });
        let first = if columns { ".stack > section:first-child .answer" } else { ".answer" };
        let of = |selector: &str| format!("{first} {selector}");
        is(&of("> :is(h3, h4)"), "rtl");
        is(&of("> p"), "rtl ltr");
        is(&of("> ol"), "rtl");
        is(&of("> ul"), "rtl");
        is(&of("> ol > li"), "rtl rtl");
        is(&of("> ul > li"), "rtl ltr");
        is(&of("> ul > li:first-child > p"), "rtl rtl");
        is(&of("blockquote"), "rtl");
        is(&of("table"), "rtl");
        is(&of("th"), "rtl ltr");
        is(&of("pre"), "ltr");
        if columns {
            is(".prompt h2", "rtl ltr ltr");
        } else {
            is("h1", "rtl");
        }
    }
    dashboard.go("/jobs");
    is(".of-prompt a[data-step]", "ltr ltr rtl rtl");
    dashboard.keep("rtl-jobs");
    is(".label", "rtl");
    dashboard.go("/new");
    dashboard.browser.write("#prompt", ARABIC_PROMPT);
    is("#prompt", "rtl");
    dashboard.is_at_peace();
}

/// A name of 45 characters.
const LONG: &str = "a_scraper_with_the_longest_name_of_all_of_use";
const LONG_KEY: &str = "agency-for-brand-monitoring-north-america-one";

/// What makes the page wider than the window.
const TOO_WIDE: &str = "
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    return [...document.querySelectorAll('body *')]
        .filter((each) => each.getBoundingClientRect().right > innerWidth && each.checkVisibility())
        .map((each) => each.outerHTML.slice(0, 120)).slice(0, 3);";

/// What is cut off at the edge of something, or sticks out of the window, as texts. What can be scrolled to
/// is neither, nor is what ends with an ellipsis.
const CUT_OFF: &str = "
    const cut = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const around = text.parentElement;
        if (!text.data.trim() || !around.checkVisibility() || around.closest('option, svg, .out-of-sight')) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        const { left, right, width } = range.getBoundingClientRect();
        if (width === 0) continue;
        let edge = null;
        for (let box = around; box; box = box.parentElement) {
            const style = getComputedStyle(box);
            if (style.overflowX === 'auto' || style.overflowX === 'scroll' || style.clipPath !== 'none' ||
                (style.overflowX === 'hidden' && (style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none'))) { edge = null; break; }
            const bounds = box.getBoundingClientRect();
            if (style.overflowX === 'hidden' || box === document.documentElement)
                if (left < bounds.left - 1 || right > bounds.right + 1) { edge = box; break; }
        }
        if (edge) cut.push(text.data.slice(0, 60));
    }
    return cut;";

/// Regions that scroll by themselves and are out of reach for the keyboard, or have no name.
const OUT_OF_REACH: &str = "
    return [...document.querySelectorAll('body *')].filter((each) => {
        const { overflowX, overflowY } = getComputedStyle(each);
        const scrolls = (overflowX === 'auto' && each.scrollWidth > each.clientWidth + 1) ||
            (overflowY === 'auto' && each.scrollHeight > each.clientHeight + 1);
        const reached = each.tabIndex >= 0 && each.role && each.ariaLabel;
        return scrolls && !reached && !each.matches('textarea, select, nav');
    }).map((each) => each.outerHTML.slice(0, 120));";

/// Jobs with long names everywhere, and a batch of them.
fn long_names() -> (App, String, String) {
    let config = keys("monthly_credits = 5000\noperator = true")
        .replace("name = \"a\"", &format!("name = \"{LONG_KEY}\""));
    let markdown = format!(
        "A paragraph with {} in it.\n\n    {}\n\n| {} |\n|{}\n| {} |\n",
        "https://example.com/".repeat(9),
        "one line of code that goes on and on, ".repeat(9),
        "column | ".repeat(12),
        "---|".repeat(13),
        "a cell with words | ".repeat(12),
    );
    let step = || Step::Answer(Box::new(Answer { markdown: markdown.clone(), ..answer("x") }));
    let app = Builder::new()
        .config(&config)
        .scripted(LONG, &Scripted::new(&format!("upstream_{}", &LONG[9..]), [step(), step()]))
        .scripted("google_ai_mode", &Scripted::new("serp", []))
        .start();
    let prompt = format!(
        "{}?{}",
        "Which running shoes are the best of the year ".repeat(9),
        "\nmore".repeat(40)
    );
    let items: Vec<Value> = [LONG, "google_ai_mode"]
        .iter()
        .map(|scraper| json!({ "scraper": scraper, "prompt": prompt }))
        .collect();
    let body = json!({ "items": items, "label": "l".repeat(90) }).to_string();
    let batch = app.post_with("/batches", &A, &body).expect(202);
    let batch_id = batch["batch_id"].as_str().unwrap().to_owned();
    app.get(&format!("/batches/{batch_id}?wait=30")).expect(200);
    (app, batch_id, batch["items"][0]["job_id"].as_str().unwrap().to_owned())
}

#[test]
fn long_names_fit_at_every_width_and_the_keyboard_reaches_what_scrolls() {
    let (app, batch, job) = long_names();
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/");
    let browser = &dashboard.browser;
    let views = [
        ("overview", "/".to_owned(), "document.querySelectorAll('.stacked tbody tr').length > 4"),
        ("jobs", "/jobs".to_owned(), "document.querySelectorAll('#jobs tbody tr').length === 2"),
        ("job", format!("/jobs/{job}"), "document.querySelector('.answer table')"),
        (
            "compare",
            format!("/compare/{batch}"),
            "document.querySelectorAll('.column .answer').length === 2",
        ),
        ("prompts", "/prompts".to_owned(), "document.querySelector('.rows')"),
        ("history", format!("/prompts/{job}"), "document.querySelector('.answers-over-time')"),
        ("batches", "/batches".to_owned(), "document.querySelector('#batches .rows')"),
        ("batch", format!("/batches/{batch}"), "document.querySelectorAll('.job-mark').length > 4"),
        ("new", "/new".to_owned(), "document.querySelectorAll('.choice').length === 3"),
        ("usage", "/usage".to_owned(), "document.querySelectorAll('.rows tbody tr').length === 5"),
    ];
    let mut faults = Vec::new();
    for (width, height) in [(360, 780), (720, 1024), (768, 1024), (1024, 768), (1440, 900)] {
        dashboard.size(width, height);
        for (name, path, ready) in &views {
            dashboard.go("/nothing");
            dashboard.shows("no such page");
            dashboard.go(path);
            browser.until(ready);
            for rule in [TOO_WIDE, CUT_OFF, OUT_OF_REACH] {
                let found = browser.run(rule);
                if found != json!([]) {
                    faults.push(format!("{name} at {width} px: {found}"));
                }
            }
            dashboard.keep(&format!("long-{name}-{width}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    dashboard.is_at_peace();
}

#[test]
fn the_prompts_of_a_batch_stay_in_sight_and_their_rows_are_low() {
    let scrapers = ["one", "two", "three", "four", "five", "six"];
    let mut builder = Builder::new();
    for name in scrapers {
        builder = builder.scripted(name, &Scripted::new(&format!("upstream_{name}"), []));
    }
    let app = builder.start();
    let prompt = "Which running shoes are the best of the year for a beginner? ".repeat(9);
    let body = json!({
        "prompts": [prompt, "short"], "scrapers": scrapers, "countries": ["DE", "US"],
    });
    let batch = app.post_with("/batches", &[], &body.to_string()).expect(202);
    let id = batch["batch_id"].as_str().unwrap();
    app.get(&format!("/batches/{id}?wait=30")).expect(200);
    let dashboard = Dashboard::open(&app, &format!("/batches/{id}"));
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('.job-mark[data-state=done]').length === 25");
    for (width, height) in [(360, 780), (768, 1024), (1024, 768), (1440, 900)] {
        dashboard.size(width, height);
        browser.until(&format!("innerWidth === {width}"));
        let most = browser.run(
            "return Math.max(...[...document.querySelectorAll('.matrix tbody tr')]
               .map((row) => row.getBoundingClientRect().height))",
        );
        assert!(most.as_f64().unwrap() <= 64.0, "{most} px at {width}");
        // Scrolled to the last column, the prompt is where it was.
        let moved = browser.run(
            "const region = document.querySelector('.scroll:has(.matrix)');
             const prompt = region.querySelector('tbody th');
             const before = prompt.getBoundingClientRect().left;
             region.scrollLeft = region.scrollWidth;
             return [prompt.getBoundingClientRect().left - before, region.scrollLeft]",
        );
        assert_eq!(moved[0], 0, "at {width}");
        assert!(width > 360 || moved[1].as_f64().unwrap() > 0.0, "{moved} at {width}");
        dashboard.keep(&format!("matrix-{width}"));
        browser.run("document.querySelector('.scroll:has(.matrix)').scrollLeft = 0");
    }
    dashboard.is_at_peace();
}

#[test]
fn the_prompt_of_a_job_has_room_at_every_width() {
    let (app, _, _) = long_names();
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/jobs");
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 2");
    for (width, least) in
        [(360, 280), (720, 400), (900, 400), (1000, 400), (1024, 400), (1200, 300)]
    {
        dashboard.size(width, 900);
        let room =
            browser.run("return document.querySelector('.of-prompt a[data-step]').clientWidth");
        assert!(room.as_i64().unwrap() >= least, "{room} px at {width}");
    }
    // A name that ships stands on one line, beside the others.
    dashboard.size(1440, 900);
    let lines = "return [...document.querySelectorAll('.of-scraper')]
        .filter((cell) => cell.textContent === 'google_ai_mode')
        .map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return new Set([...range.getClientRects()].map(({ top }) => top)).size;
        })";
    assert_eq!(browser.run(lines), json!([1]));
}

#[test]
fn the_numbers_of_the_usage_are_seen_on_a_phone() {
    let (app, _, _) = long_names();
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/usage");
    dashboard.size(360, 780);
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('.rows tbody tr').length === 5");
    let seen = "return [...document.querySelectorAll('.rows td.number')].map((cell) => {
        const { left, right } = cell.getBoundingClientRect();
        return cell.innerText.trim() !== '' && left >= 0 && right <= innerWidth;
    })";
    let seen = browser.run(seen);
    let cells = seen.as_array().unwrap();
    assert!(cells.len() >= 20 && cells.iter().all(|cell| *cell == true), "{seen}");
    let scrolled = "return [...document.querySelectorAll('.scroll')]
        .filter((each) => each.scrollWidth > each.clientWidth).length";
    assert_eq!(browser.run(scrolled), 0);
}

#[test]
fn the_tab_of_the_view_is_in_sight_on_a_phone() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/");
    dashboard.size(360, 780);
    for path in ["/usage", "/alerts", "/jobs", "/"] {
        dashboard.go(path);
        dashboard.browser.until(&format!(
            "(() => {{
                const tab = document.querySelector('#tabs [aria-current]');
                const {{ left, right }} = tab.getBoundingClientRect();
                return tab.hash === '#{path}' && left >= 0 && right <= innerWidth;
            }})()"
        ));
        assert_eq!(dashboard.browser.run("return scrollX"), 0);
    }
    dashboard.is_at_peace();
}
