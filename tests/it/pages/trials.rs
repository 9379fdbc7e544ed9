//! Recipes as the guide's page teaches them, for pages of the kinds that people have: each is
//! written with what stands there and nothing else.

use serde_json::{Value, json};

use super::builder;
use crate::app::{App, Builder};
use crate::page_server::PageServer;

const ENGINE: &str = include_str!("../replicas/engine.js");
const PROMPT: &str = "How long are results kept?";

/// A page, a recipe for it, and an app whose scraper `page` asks it.
struct Trial {
    app: App,
    _server: PageServer,
}

impl Trial {
    fn start(pages: &[(&'static str, &str)], recipe: &str) -> Trial {
        let pages: Vec<(&'static str, &'static str)> = pages
            .iter()
            .map(|(path, html)| (*path, &*html.replace("/* engine */", ENGINE).leak()))
            .collect();
        let server = PageServer::start(&pages);
        let builder: Builder = builder(&server, "/");
        std::fs::write(builder.directory().join("recipes/page.toml"), recipe).unwrap();
        Trial { app: builder.start(), _server: server }
    }

    fn ask(&self, prompt: &str) -> Value {
        self.app.ended(&self.app.submit("page", prompt))
    }

    fn result(&self) -> Value {
        let mut job = self.ask(PROMPT);
        assert_eq!(job["status"], "done", "{job:#}");
        job["result"].take()
    }
}

macro_rules! trial {
    ($name:literal $(, $more:literal)*) => {
        Trial::start(
            &[
                (concat!("/", $name), include_str!(concat!($name, ".html"))),
                $((concat!("/", $more), include_str!(concat!($more, ".html"))),)*
            ],
            include_str!(concat!($name, ".toml")),
        )
    };
}

fn urls(sources: &Value) -> Vec<&str> {
    sources.as_array().unwrap().iter().map(|source| source["url"].as_str().unwrap()).collect()
}

const MARKED: &str = "Results are kept for **24 hours**[1] and then *removed*[2].";
const CODE: &str = "```python\nprint(\"kept\")\nprint(24)\n```";

#[test]
fn open_chat_page_is_read() {
    let trial = trial!("open_chat");
    let result = trial.result();
    let markdown = result["result_markdown"].as_str().unwrap();
    assert!(markdown.starts_with("You asked: How long are results kept?"), "{markdown}");
    assert!(markdown.contains(MARKED) && markdown.contains(CODE), "{markdown}");
    assert!(!markdown.contains("Python"), "the label of the block stayed: {markdown}");
    assert_eq!(urls(&result["sources"]), ["https://wiki.example/1", "https://wiki.example/2"]);
    assert_eq!(result["sources"][0]["title"], "Page 1");
    assert_eq!(result["llm_model"], "local-7b");
}

#[test]
fn sign_counts_in_its_scope_only() {
    let trial = trial!("open_chat");
    let job = trial.ask("What is a rate limit?");
    assert_eq!(job["status"], "done", "{job:#}");
    let job = trial.ask("Is a rate limit too much?");
    assert_eq!(job["error_code"], "upstream_rate_limited", "{job:#}");
}

#[test]
fn search_assistant_is_read() {
    let result = trial!("search_assistant").result();
    let markdown = result["result_markdown"].as_str().unwrap();
    assert!(markdown.contains("### What counts"), "{markdown}");
    assert!(markdown.contains(&MARKED.replace('[', " [")) && markdown.contains(CODE), "{markdown}");
    assert_eq!(result["search_queries"], json!(["results kept", "retention of results"]));
    assert_eq!(urls(&result["sources"]), ["https://source.example/1", "https://source.example/2"]);
    assert_eq!(result["sources"][1]["title"], "Title of 2");
}

#[test]
fn rows_that_are_recycled_are_collected_each_once() {
    let result = trial!("virtual").result();
    let markdown = result["result_markdown"].as_str().unwrap();
    let paragraphs: Vec<String> =
        (1..=12).map(|n| format!("Paragraph {n} of the answer [{n}].")).collect();
    assert_eq!(markdown, paragraphs.join("\n\n"));
    let wanted: Vec<String> = (1..=24).map(|n| format!("https://source.example/{n}")).collect();
    assert_eq!(urls(&result["sources"]), wanted);
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("recycles the rows of the answer"), "{result:#}");
    assert!(warnings.contains("recycles the rows of the list `sources`"), "{result:#}");
}

#[test]
fn rows_that_are_not_scrolled_to_are_told() {
    let recipe = include_str!("virtual.toml");
    let begin = recipe.find("[[reveal]]").unwrap();
    let end = recipe.find("[arrays.sources]").unwrap();
    let recipe = format!("{}{}", &recipe[..begin], &recipe[end..]);
    let trial = Trial::start(&[("/virtual", include_str!("virtual.html"))], &recipe);
    let result = trial.result();
    assert!(urls(&result["sources"]).len() < 24, "the page draws all of its rows");
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("only a part of the answer"), "{result:#}");
    assert!(warnings.contains("only a part of the list `sources`"), "{result:#}");
}

/// The page shows it again right after each look, so that it is there when the page is read.
#[test]
fn what_a_recipe_hides_is_in_nothing_that_is_read_though_the_page_shows_it_again() {
    let trial = trial!("again");
    let result = trial.result();
    assert_eq!(result["result_markdown"], "Results are kept for 24 hours.", "{result:#}");
    assert_eq!(urls(&result["sources"]), ["https://source.example/1"]);

    let recipe = include_str!("again.toml").replace("hide = \".ad\"", "hide = \".none\"");
    let trial = Trial::start(&[("/again", include_str!("again.html"))], &recipe);
    let result = trial.result();
    assert!(result["result"].as_str().unwrap().ends_with("Buy this."), "{result:#}");
}

#[test]
fn widget_in_a_frame_that_a_click_opens_is_driven() {
    let result = trial!("bubble", "bubble_frame").result();
    let wanted = "Results are kept for 24 hours.\n\n\
                  See [the limits](https://guide.example/limits).";
    assert_eq!(result["result_markdown"], wanted);
}

#[test]
fn shadow_roots_with_slots_are_read() {
    let result = trial!("slots").result();
    let markdown = result["result_markdown"].as_str().unwrap();
    assert!(markdown.starts_with("You asked: How long are results kept?"), "{markdown}");
    assert!(markdown.contains(MARKED) && markdown.contains(CODE), "{markdown}");
    assert!(markdown.ends_with("That is all."), "what `remove` names stayed: {markdown}");
    assert_eq!(urls(&result["sources"]), ["http://source.example/1", "http://source.example/2"]);
    assert_eq!(result["sources"][1]["title"], "Title of 2");
}
