//! The pages of the guide in a real browser: what holds for the dashboard's views holds for them.

use serde_json::json;

use crate::app::Builder;
use crate::dashboard::Dashboard;

/// Every page from 1440 down to 360 px, light and dark: it fits, and with `ANSWERD_AXE` the rules of
/// accessibility are held.
#[test]
fn every_page_of_the_guide_fits_in_every_form() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/");
    let axe = std::env::var_os("ANSWERD_AXE").map(|file| std::fs::read_to_string(file).unwrap());
    let pages: Vec<String> = crate::guide::files()
        .iter()
        .map(|file| format!("/docs/{}", file.file_stem().unwrap().to_str().unwrap()))
        .chain(["/docs".to_owned(), "/docs/reference".to_owned()])
        .collect();
    let mut faults = Vec::new();
    for path in pages {
        dashboard.browser.open(&format!("{}{path}", app.base));
        dashboard.browser.until("document.querySelector('h1')");
        for (width, height) in [(1440, 900), (360, 780)] {
            dashboard.size(width, height);
            for scheme in ["light", "dark"] {
                dashboard.prefers(scheme);
                let over = dashboard
                    .browser
                    .run("return document.documentElement.scrollWidth - innerWidth");
                if over.as_i64().unwrap() > 0 {
                    faults.push(format!("{path} is {over} px too wide at {width}"));
                }
                if let Some(axe) = &axe {
                    let found = dashboard.violations(axe);
                    if !found.is_empty() {
                        faults.push(format!("{path} at {width} px, {scheme}: {}", json!(found)));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    dashboard.asks_nobody_else();
}
