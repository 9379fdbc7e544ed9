//! The practice page in a real Chromium, through W3C WebDriver: with its script it streams, and
//! without it the form does the same. `tests/run` installs Chromium and its driver.

use serde_json::json;

use crate::app::Builder;
use crate::chromium::Browser;

#[test]
fn the_practice_page_streams_its_answer_and_then_its_sources() {
    let app = Builder::new().start();
    let browser = Browser::start(true);
    browser.open(&format!("{}/practice", app.base));
    let field = browser.element("#q");
    browser
        .post(&format!("/element/{field}/value"), json!({ "text": "How long are results kept?" }));
    let button = browser.element("form button[type=submit]");
    browser.post(&format!("/element/{button}/click"), json!({}));
    // How much of the answer stood there each time that something was added, until it was whole.
    let grown = browser.wait_for(
        "const sizes = []; const page = document.getElementById('conversation');
         const look = () => {
           const answer = document.getElementById('answer');
           sizes.push(answer ? answer.textContent.length : 0);
           if (answer && !page.hasAttribute('aria-busy')) { watch.disconnect(); done(sizes); }
         };
         const watch = new MutationObserver(look);
         watch.observe(page, { childList: true, subtree: true, attributes: true });
         look();",
    );
    let sizes: Vec<u64> =
        grown.as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
    let steps = sizes.windows(2).filter(|two| two[0] < two[1]).count();
    assert!(steps >= 2, "the answer did not come in pieces: {sizes:?}");
    assert!(browser.text("#answer").contains("24 hours"));
    assert!(browser.text("#sources li a").contains("How long are results kept?"));
}

#[test]
fn the_practice_page_works_without_its_script() {
    let app = Builder::new().start();
    let browser = Browser::start(false);
    browser.open(&format!("{}/practice", app.base));
    let field = browser.element("#q");
    browser
        .post(&format!("/element/{field}/value"), json!({ "text": "How long are results kept?" }));
    let button = browser.element("form button[type=submit]");
    browser.post(&format!("/element/{button}/click"), json!({}));
    assert!(browser.text("#answer").contains("24 hours"));
    assert!(browser.text("#sources li a").contains("How long are results kept?"));
    // With the script no page would have been loaded for the answer.
    let loaded = browser.wait_for("done(performance.getEntriesByType('navigation')[0].name);");
    assert!(loaded.as_str().unwrap().contains("/practice?q="), "{loaded}");
}
