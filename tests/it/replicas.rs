//! The recipes that ship, as they ship, against replicas of the pages that they are for: pages that
//! write in pieces, ask for consent and for a login, show the question in the shape of the answer,
//! load their sources late, and draw everything again at the end. What differs from the live page is only where the recipe is sent.

use serde_json::{Value, json};

use crate::app::{App, Builder};
use crate::page_server::PageServer;

const ENGINE: &str = include_str!("replicas/engine.js");

/// The replica of one engine's page, and an app whose scraper of that name asks it.
struct Replica {
    app: App,
    server: PageServer,
    scraper: &'static str,
}

impl Replica {
    /// `pages` are HTML by path; `/* engine */` in them stands for what they share.
    fn start(scraper: &'static str, pages: &[(&'static str, &str)]) -> Replica {
        let pages: Vec<(&'static str, &'static str)> = pages
            .iter()
            .map(|(path, html)| (*path, &*html.replace("/* engine */", ENGINE).leak()))
            .collect();
        let server = PageServer::start(&pages);
        let app = Builder::new()
            .set("RETRY__RETRIES", "0")
            .config(&format!(
                "[upstreams.page]\nkind = \"browser\"\nrecipe = \"{scraper}\"\nsessions = 1\n\
                 base_url = \"{}\"\n[scrapers.{scraper}]\nupstreams = [\"page\"]",
                server.base
            ))
            .start();
        Replica { app, server, scraper }
    }

    /// What the page answers, as far as it says something of the page.
    fn answer(&self) -> String {
        let job = self.app.ended(&self.app.submit(self.scraper, "How long are results kept?"));
        assert_eq!(job["status"], "done", "{job:#}");
        assert_eq!(self.server.asked("/tracked"), 0, "a banner was accepted");
        let result = job["result"].as_object().unwrap();
        assert_eq!(result["provenance"]["kind"], "browser");
        let markdown = result["result_markdown"].as_str().unwrap();
        let mut shown = format!("{markdown}\n");
        let arrays = arrays(self.scraper);
        for name in arrays.iter().chain(&["llm_model"]) {
            let value = result.get(*name).cloned().unwrap_or(json!(null));
            shown.push_str(&format!("\n{name}: {}", serde_json::to_string_pretty(&value).unwrap()));
        }
        shown.push_str(&format!("\nfields: {}\n", result["provenance"]["fields"]));
        shown.replace(&self.server.base, "BASE")
    }

    /// A page that wants a login or a proof ends the attempt, and what it showed is kept.
    fn assert_blocked(&self) {
        let job = self.app.ended(&self.app.submit(self.scraper, "Are you a robot?"));
        assert_eq!(
            (&job["status"], &job["error_code"]),
            (&json!("failed"), &json!("blocked")),
            "{job:#}"
        );
        let path = format!("/jobs/{}/evidence", job["job_id"].as_str().unwrap());
        let evidence: Value = self.app.get(&path).expect(200);
        assert!(!evidence["attempts"][0]["files"].as_array().unwrap().is_empty(), "{evidence:#}");
    }
}

/// The arrays of a scraper's result.
fn arrays(scraper: &str) -> Vec<&'static str> {
    answerd::catalog::arrays(scraper).iter().map(|array| array.name()).collect()
}

macro_rules! replica {
    ($name:ident, $path:literal) => {
        #[test]
        fn $name() {
            let page = include_str!(concat!("replicas/", stringify!($name), ".html"));
            let replica = Replica::start(stringify!($name), &[($path, page)]);
            insta::assert_snapshot!(stringify!($name), replica.answer());
            replica.assert_blocked();
        }
    };
}

replica!(amazon_rufus, "/");
replica!(chatgpt, "/");
replica!(copilot, "/");
replica!(gemini, "/app");
replica!(google_ai_mode, "/search");
replica!(grok, "/");
replica!(perplexity, "/");
