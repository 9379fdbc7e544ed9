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
    // Watched from before the click: each piece that is put into the answer, until it is whole.
    let pieces = browser.wait_for(
        "const pieces = []; const page = document.getElementById('conversation');
         const watch = new MutationObserver((changes) => {
           for (const { target, addedNodes } of changes)
             if (target.id === 'answer' && addedNodes.length) pieces.push(addedNodes.length);
           const whole = document.getElementById('answer') && !page.hasAttribute('aria-busy');
           if (whole) { watch.disconnect(); done(pieces); }
         });
         watch.observe(page, { childList: true, subtree: true, attributes: true });
         document.querySelector('form button[type=submit]').click();",
    );
    let pieces = pieces.as_array().unwrap();
    assert!(pieces.len() >= 2, "the answer did not come in pieces: {pieces:?}");
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
