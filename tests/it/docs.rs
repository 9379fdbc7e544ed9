//! The guide as its readers meet it: over HTTP, and in a real Chromium.

use serde_json::json;

use crate::app::{App, Builder, Reply};
use crate::chromium::Browser;

/// The addresses that the search page lists, in order.
fn found(page: &Reply) -> Vec<String> {
    let list = page.text.split("<ol id=\"found\">").nth(1).unwrap_or_default();
    let links = list.split("<li><a href=\"").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

fn search(app: &App, query: &str) -> Reply {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    app.get(&format!("/docs/search?q={query}"))
}

#[test]
fn the_search_page_finds_sections_and_links_to_them() {
    let app = Builder::new().start();
    let page = search(&app, "verify webhook signature");
    assert_eq!(page.status, 200);
    assert!(page.headers["content-security-policy"].contains("default-src 'none'"));
    let links = found(&page);
    assert_eq!(links[0], "/docs/webhooks#how-do-i-verify-a-webhooks-signature");
    assert!(links.len() > 3 && page.text.contains("<mark>signature</mark>"));
    for link in links {
        let (path, anchor) = link.split_once('#').unwrap();
        let target = app.get(path);
        assert_eq!(target.status, 200, "{link}");
        assert!(target.text.contains(&format!(" id=\"{anchor}\"")), "{link}");
    }
    // Every page of the guide has the box.
    for path in ["/docs", "/docs/api", "/docs/search"] {
        assert!(app.get(path).text.contains("<form id=\"search\" role=\"search\""), "{path}");
    }
}

#[test]
fn a_query_is_bounded_and_shown_as_the_text_that_it_is() {
    let app = Builder::new().start();
    let hostile = search(&app, "\"><script>alert(1)</script>&retry\0");
    assert_eq!(hostile.status, 200);
    assert!(!hostile.text.contains("<script>"), "{}", hostile.text);
    assert!(
        hostile.text.contains("value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;retry")
    );
    assert_eq!(search(&app, &"ä".repeat(200)).status, 200);
    let long = search(&app, &"ä".repeat(201));
    assert_eq!(long.status, 400);
    assert!(long.text.contains("at most 200 characters; this one has 201"));
    let none = search(&app, "zzzzzz");
    assert!(found(&none).is_empty() && none.text.contains("has nothing on <q>zzzzzz</q>"));
    assert_eq!(app.get("/docs/search").status, 200);
    assert_eq!(app.method("POST", "/docs/search?q=x").code(), "method_not_allowed");
}

#[test]
fn every_page_is_listed_and_shown_with_a_policy() {
    let app = Builder::new().start();
    let index = app.get("/docs");
    assert!(index.status == 200 && index.headers.contains_key("content-security-policy"));
    let mut slugs: Vec<String> =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .collect();
    slugs.push("reference".to_owned());
    assert!(slugs.len() > 10, "{slugs:?}");
    for slug in slugs {
        assert!(index.text.contains(&format!("href=\"/docs/{slug}\"")), "{slug}");
        let page = app.get(&format!("/docs/{slug}"));
        assert!(page.status == 200 && page.text.contains("<h1 id=\""), "{slug}");
        assert!(page.headers.contains_key("content-security-policy"), "{slug}");
    }
    let none = app.get("/docs/none%22such");
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
}

#[test]
fn every_page_is_there_as_markdown_and_listed_for_models() {
    let app = Builder::new().start();
    let list = app.get("/llms.txt");
    assert_eq!(list.headers["content-type"], "text/plain; charset=utf-8");
    for path in crate::guide::files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(list.text.contains(&format!("](/docs/{name}): ")), "{name}: {}", list.text);
        let page = app.get(&format!("/docs/{name}"));
        assert_eq!(page.headers["content-type"], "text/markdown; charset=utf-8");
        assert_eq!(page.text, std::fs::read_to_string(&path).unwrap(), "{name}");
    }
    let none = app.get("/docs/none.md");
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
}

fn sized(browser: &Browser, width: u32) {
    let size = json!({
        "width": width, "height": 780, "deviceScaleFactor": 1, "mobile": false,
    });
    browser.devtools("Emulation.setDeviceMetricsOverride", size);
    browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
}

const DOWN: &str = "\u{e015}";
const ESCAPE: &str = "\u{e00c}";
const ENTER: &str = "\u{e007}";

#[test]
fn one_finds_a_section_with_the_keyboard_alone_on_a_small_screen() {
    let app = Builder::new().start();
    let browser = Browser::start(true);
    sized(&browser, 360);
    browser.open(&format!("{}/docs/api", app.base));
    browser.press(&["/"]);
    browser.until("document.activeElement.id === 'sought'");
    // Typed letter by letter, and the last word not to its end.
    browser.press(&["r", "e", "s", "t", "o", "r", "e", " ", "b", "a", "c"]);
    let first = "document.querySelector('#suggestions:not([hidden]) a')";
    browser.until(&format!("{first}.hash === '#how-do-i-restore-a-backup'"));
    assert_eq!(browser.run("return document.getElementById('sought').value"), "restore bac");
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(&format!("return {fits}")), true);
    browser.press(&[DOWN]);
    browser.until(&format!("document.activeElement === {first}"));
    browser.press(&[ESCAPE]);
    browser.until("document.getElementById('suggestions').hidden");
    browser.until("document.activeElement.id === 'sought'");
    browser.press(&["k"]);
    browser.until(first);
    browser.press(&[DOWN, ENTER]);
    browser.until("location.href.endsWith('/docs/storage#how-do-i-restore-a-backup')");
    browser.until("document.querySelector(':target').getBoundingClientRect().top < innerHeight");
    assert_eq!(browser.console(), Vec::<String>::new());
    for address in browser.requested() {
        assert!(address.starts_with(&format!("{}/", app.base)) || address.starts_with("data:"));
    }
}

#[test]
fn without_a_script_the_box_is_a_form() {
    let app = Builder::new().start();
    let browser = Browser::start(false);
    sized(&browser, 360);
    browser.open(&format!("{}/docs", app.base));
    browser.write("#sought", &format!("exit codes{ENTER}"));
    browser.click("#found li:first-child a");
    browser.element("#which-exit-codes-are-there");
    assert!(browser.text("h1").starts_with("The command line"), "{}", browser.text("h1"));
}

#[test]
fn no_page_of_the_guide_is_wider_than_a_small_screen() {
    let app = Builder::new().start();
    let index = app.get("/docs").text;
    let pages: Vec<&str> = index
        .split("<li><a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .chain(["/docs", "/docs/search?q=webhook+signature"])
        .collect();
    assert!(pages.len() > 20);
    let browser = Browser::start(true);
    sized(&browser, 360);
    for page in pages {
        browser.open(&format!("{}{page}", app.base));
        let width = browser.run("return document.documentElement.scrollWidth");
        assert_eq!(width, 360, "{page}");
    }
    assert_eq!(browser.console(), Vec::<String>::new());
    // Not everybody has a pointer to scroll with.
    browser.open(&format!("{}/docs/quick-start", app.base));
    let out_of_reach = "return [...document.querySelectorAll('pre, .wide')]
        .filter((each) => each.tabIndex < 0 || !each.role || !each.ariaLabel).length";
    assert_eq!(browser.run(out_of_reach), 0);
    browser.run("[...document.querySelectorAll('pre')].find((each) => each.scrollWidth > each.clientWidth).focus()");
    browser.press(&["\u{e014}"]); // right
    browser.until("document.activeElement.scrollLeft > 0");
    // What a name means stands beside it, however long the name is.
    for page in ["configuration", "monitoring"] {
        browser.open(&format!("{}/docs/{page}", app.base));
        let hidden = "return [...document.querySelectorAll('.wide')]\
                      .filter((table) => table.scrollWidth > table.clientWidth).length";
        assert_eq!(browser.run(hidden), 0, "{page}");
    }
}
