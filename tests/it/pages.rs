//! Answers from pages in a real Chromium, by recipes of the test's own: pages as engines have them,
//! and pages that fail in every way they can.

mod faults;
mod many;
mod places;
mod process;
mod raw;
mod rooms;
mod trials;

use serde_json::Value;

use crate::app::{App, Builder};
use crate::page_server::PageServer;

/// A recipe for the pages of these tests.
const RECIPE: &str = r##"
name = "page"
version = 1
url = "PATH"
last_verified = "never"
[[dismiss]]
name = "cookies"
click = ["#nothing", 'button:text("reject all")']
[[prepare]]
name = "open the chat"
click = "#start"
wait_ms = 0
[prompt]
box = ["#old-box", "chat-box >>> [contenteditable]", "textarea", "input[name=q]"]
wait_ms = 3000
[submit]
click = ["#send"]
key = "Enter"
wait_ms = 1000
[complete]
gone = "#stop"
unchanged_ms = 150
wait_ms = 4000
[answer]
select = [".answer"]
remove = [".tools"]
model = "#model"
marks = { item = "a.cite", url = { attribute = "href" } }
[[reveal]]
name = "open sources"
click = "#open"
wait_for = "#panel li"
wait_ms = 500
[arrays.sources]
item = "#panel li"
url = { select = "a", attribute = "href" }
title = "a"
snippet = "p"
position = { attribute = "data-n" }
[arrays.related_questions]
item = ".more"
[blocked]
text = "unusual traffic"
[login]
url = "/login"
[failed]
text = "something went wrong"
"##;

/// An app whose scraper `page` reads the page at `path` of a server.
fn builder(server: &PageServer, path: &str) -> Builder {
    let builder = Builder::new().set("RETRY__RETRIES", "0");
    let recipes = builder.directory().join("recipes");
    std::fs::create_dir_all(&recipes).unwrap();
    std::fs::write(recipes.join("page.toml"), recipe(path)).unwrap();
    builder.set("BROWSER__RECIPES", recipes.display().to_string()).config(&format!(
        "[upstreams.page]\nkind = \"browser\"\nrecipe = \"page\"\nbase_url = \"{}\"\n\
         [scrapers.page]\nupstreams = [\"page\"]",
        server.base
    ))
}

fn recipe(path: &str) -> String {
    RECIPE.replace("PATH", path)
}

fn ask(app: &App, prompt: &str) -> Value {
    app.ended(&app.submit("page", prompt))
}

#[test]
fn the_practice_page_is_read_as_its_own_upstream_reads_it() {
    let app = Builder::new()
        .config(
            "[upstreams.browser]\nkind = \"browser\"\nrecipe = \"practice\"\nsessions = 1\n\
             [scrapers.paged]\nupstreams = [\"browser\"]",
        )
        .start();
    for prompt in ["How long are results kept?", "How do I submit a prompt?"] {
        let paged = app.ended(&app.submit("paged", prompt))["result"].take();
        let plain = app.ended(&app.submit("practice", prompt))["result"].take();
        for field in ["result", "result_markdown", "sources", "search_queries", "llm_model"] {
            assert_eq!(paged[field], plain[field], "{field} of {prompt}");
        }
        let urls = |result: &Value| -> Vec<String> {
            let urls = result["citations"].as_array().unwrap().iter();
            urls.map(|it| it["url"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(urls(&paged), urls(&plain));
        assert_eq!(paged["provenance"]["kind"], "browser");
    }
}

#[test]
fn a_chat_page_is_driven_and_read_faithfully() {
    let server = PageServer::start(&[("/chat", include_str!("pages/chat.html"))]);
    let app = builder(&server, "/chat").start();
    let prompt = format!("First line 👩‍🚀 é\n\nthird \"line\" {}", "x".repeat(3_900));
    let job = ask(&app, &prompt);
    let result = &job["result"];
    let markdown = result["result_markdown"].as_str().unwrap_or_else(|| panic!("{job:#}"));
    // The page says what it was asked, so that nothing of it can be lost on the way.
    assert!(markdown.contains("👩‍🚀 é") && markdown.contains(&"x".repeat(3_900)), "{markdown}");
    let markdown = markdown.replace(&"x".repeat(3_900), "XXX").replace(&server.base, "BASE");
    insta::assert_snapshot!(markdown);
    insta::assert_snapshot!(serde_json::to_string_pretty(&result["sources"]).unwrap());
    assert_eq!(result["llm_model"], "model-7");
    assert_eq!(server.asked("/tracked"), 0, "the banner was rejected, not accepted");
}

#[test]
fn a_session_takes_on_the_country_and_forgets_the_job_before() {
    let server = PageServer::start(&[("/who", include_str!("pages/who.html"))]);
    let app = builder(&server, "/who").start();
    let who = |country: &str| {
        let path = format!("/scrapers/page?prompt=who&bypass_cache=true&country={country}");
        let text = app.get(&path).expect(200)["result"].as_str().unwrap().to_owned();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(who("US"), "en-US America/New_York visits 1 cookie no 40.7 width 1366");
    assert_eq!(who("US"), "en-US America/New_York visits 1 cookie no 40.7 width 1366");
    let german = who("DE");
    assert!(german.starts_with("de-DE Europe/Berlin visits 1 cookie no 52.5"), "{german}");
}

/// The proxy is the page server: what is asked through one stands there with its whole address.
#[test]
fn a_session_goes_through_the_proxy_of_its_upstream() {
    const ADDRESS: &str = "http://chat.example/page";
    const PAGE: &str = "<!doctype html><textarea></textarea><button id=send>Send</button>\
        <div id=out></div><script>send.onclick = () => { out.className = 'answer';\
        out.textContent = 'At ' + location.host; };</script>";
    let server = PageServer::start(&[(ADDRESS, PAGE)]);
    let app = builder(&server, "/page")
        .set("UPSTREAMS__PAGE__BASE_URL", "http://chat.example")
        .set("UPSTREAMS__PAGE__PROXY", &server.base)
        .start();
    assert_eq!(ask(&app, "hello")["result"]["result"], "At chat.example");
    assert_eq!(server.asked(ADDRESS), 1);
}

#[test]
fn a_recipe_is_read_again_and_a_broken_one_changes_nothing() {
    let server = PageServer::start(&[("/chat", include_str!("pages/chat.html"))]);
    let builder = builder(&server, "/chat");
    let file = builder.directory().join("recipes/page.toml");
    let app = builder.start();
    let recipe = std::fs::read_to_string(&file).unwrap();
    let version = || {
        let scrapers = app.get("/scrapers").expect(200);
        let page = scrapers["scrapers"].as_array().unwrap().iter().find(|it| it["name"] == "page");
        page.unwrap()["upstreams"][0]["recipe"].clone()
    };
    assert_eq!(version()["version"], 1);
    ask(&app, "hello");
    assert_eq!(version()["selectors"]["prompt.box"]["alternatives"], serde_json::json!([0, 1]));
    std::fs::write(&file, recipe.replace("version = 1", "version = x")).unwrap();
    assert_eq!(app.server().service().reload_recipes().len(), 1);
    assert_eq!(version()["version"], 1);
    std::fs::write(&file, recipe.replace("version = 1", "version = 2")).unwrap();
    assert!(app.server().service().reload_recipes().is_empty());
    assert_eq!(version()["version"], 2);
}

/// The chat in an iframe: of the same origin by ` >>> `, and of another by `frame`.
#[test]
fn a_chat_in_an_iframe_is_driven_wherever_it_comes_from() {
    const OUTER: &str = "<!doctype html><h1>Host</h1><p style='height:80px'>Above</p><script>\
        const host = location.search ? 'localhost' : location.hostname;\
        document.write('<iframe width=600 height=400 style=\"margin:20px;border:3px solid\" \
        src=\"http://' + host + ':' + location.port + '/inner\"></iframe>');</script>";
    const INNER: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
        <button id=send>Send</button><div id=out></div><script>\
        send.addEventListener('click', (event) => { out.className = 'answer'; out.textContent =\
        'Heard ' + event.isTrusted + ' ' + document.querySelector('textarea').value; });</script>";
    let server = PageServer::start(&[("/outer", OUTER), ("/inner", INNER)]);
    let pierced = RECIPE
        .replace("box = [", "box = [\"iframe >>> textarea\", ")
        .replace("\"#send\"", "\"iframe >>> #send\"")
        .replace("[\".answer\"]", "[\"iframe >>> .answer\"]");
    let framed = RECIPE.replace("last_verified", "frame = \"iframe\"\nlast_verified");
    for (path, recipe) in [("/outer", pierced), ("/outer", framed.clone()), ("/outer?x", framed)] {
        let builder = builder(&server, path);
        let file = builder.directory().join("recipes/page.toml");
        std::fs::write(file, recipe.replace("PATH", path)).unwrap();
        let job = ask(&builder.start(), "you 👋");
        assert_eq!(job["result"]["result"], "Heard true you 👋", "{path} {job:#}");
    }
}

#[test]
fn what_has_to_be_clicked_first_is_clicked_once() {
    const PAGE: &str = "<!doctype html><meta charset=utf-8><button id=start>Chat</button>\
        <div id=chat></div><script>let opened = 0; start.onclick = () => { opened += 1;\
        setTimeout(() => { chat.innerHTML = '<textarea></textarea><button id=send>Send</button>';\
        send.onclick = () => { chat.className = 'answer'; chat.textContent = 'Opened ' + opened; };\
        }, 200); };</script>";
    let server = PageServer::start(&[("/page", PAGE)]);
    let app = builder(&server, "/page").start();
    assert_eq!(ask(&app, "hello")["result"]["result"], "Opened 1");
}

/// A WebDriver server that answerd has not started. Dropping it ends it.
struct Driver(std::process::Child);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_webdriver_server_of_ones_own_is_used_and_left_running() {
    use std::io::BufRead;
    let mut driver = std::process::Command::new("chromedriver")
        .arg("--port=0")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(driver.stdout.take().unwrap()).lines();
    let driver = Driver(driver);
    let started = lines
        .find(|line| line.as_ref().unwrap().contains("successfully on port "))
        .unwrap()
        .unwrap();
    let port = started.rsplit(' ').next().unwrap().trim_end_matches('.').to_owned();
    let server = PageServer::start(&[("/chat", include_str!("pages/chat.html"))]);
    let url = format!("http://127.0.0.1:{port}");
    let app = builder(&server, "/chat").set("UPSTREAMS__PAGE__WEBDRIVER_URL", &url).start();
    let job = ask(&app, "hello");
    assert_eq!(job["status"], "done", "{job:#}");
    assert!(!app.store_path().join("browser").exists(), "no driver of our own was started");
    drop(app);
    let status = ureq::get(format!("{url}/status")).call().unwrap();
    assert_eq!(status.status(), 200);
    drop(driver);
}
