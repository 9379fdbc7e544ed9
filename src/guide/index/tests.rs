//! What the index finds in the guide as it ships.

use std::sync::LazyLock;

use super::super::pages::PAGES;
use super::*;

/// Questions as people put them, and the sections (`slug#anchor`) of which one must come first.
const RETRIEVAL: &[(&str, &[&str])] = &[
    (
        "when do results expire",
        &["storage#how-long-are-results-kept", "how-it-works#how-is-expiry-exact"],
    ),
    ("what is the retention of a job", &["storage#how-long-are-results-kept"]),
    ("Does it work with Kubernetes and Helm charts?", &["faq#does-answerd-run-on-kubernetes"]),
    ("retention_hours", &["storage#how-long-are-results-kept", "configuration#store"]),
    (
        "What does the PostgreSQL database need for several machines?",
        &["scale-out#what-does-the-database-need"],
    ),
    (
        "How long are results kept when it runs on a Hetzner machine in Falkenstein?",
        &["storage#how-long-are-results-kept"],
    ),
    ("what is answerd and what does it do", &["concepts#what-is-answerd"]),
    (
        "is it compatible with ScrapeLLM",
        &["migrating#what-is-compatible", "migrating#how-do-i-move-from-scrapellm-to-answerd"],
    ),
    (
        "migrate from scrapellm",
        &[
            "migrating#how-do-i-move-from-scrapellm-to-answerd",
            "migrating#migrating-from-scrapellm",
        ],
    ),
    ("how do I start the server", &["quick-start#how-do-i-build-and-start-answerd"]),
    (
        "how to submit a prompt",
        &[
            "command-line#how-do-i-submit-a-prompt-from-the-command-line",
            "quick-start#how-do-i-send-my-first-prompt",
            "api#how-do-i-queue-a-scrape",
        ],
    ),
    (
        "python example",
        &[
            "clients#how-do-i-use-the-python-client",
            "clients#how-do-i-use-answerd-from-python-without-the-library",
        ],
    ),
    ("javascript fetch", &["clients#how-do-i-use-answerd-from-javascript"]),
    ("use it from n8n", &["integrations#how-do-i-use-answerd-from-n8n"]),
    ("langchain tool", &["integrations#how-do-i-use-answerd-from-langchain"]),
    ("call it from rust", &["clients#how-do-i-use-answerd-from-rust"]),
    (
        "do I need an API key",
        &["security#when-does-answerd-need-a-key", "migrating#do-i-need-a-new-api-key"],
    ),
    (
        "keygen",
        &["command-line#what-does-answerd-keygen-print", "security#how-do-i-make-an-api-key"],
    ),
    ("how do I create an API key", &["security#how-do-i-make-an-api-key"]),
    ("revoke an api key", &["security#how-do-i-revoke-or-replace-a-key"]),
    ("what is a credit worth", &["concepts#what-is-a-credit", "results#what-is-in-a-result"]),
    (
        "how much does a scrape cost",
        &[
            "concepts#what-is-a-credit",
            "scrapers#how-do-i-change-the-price-of-a-scrape",
            "upstreams#how-many-requests-does-one-scrape-cost-at-the-provider",
        ],
    ),
    ("cap what a day costs in dollars", &["costs#how-do-i-cap-what-a-day-costs"]),
    ("require_search", &["costs#how-do-i-insist-on-a-search"]),
    ("extra_body", &["costs#how-do-i-add-fields-to-what-a-provider-is-sent"]),
    ("let a request choose its model", &["costs#how-do-i-let-a-request-choose-its-model"]),
    ("which fields does the result have", &["results#what-is-in-a-result"]),
    ("get the answer as markdown", &["api#how-do-i-get-the-answer-as-markdown"]),
    ("how do I track my brand", &["tracking#track-a-brand"]),
    (
        "keep the raw reply of an upstream",
        &["raw-replies#how-do-i-keep-the-raw-reply-of-an-upstream"],
    ),
    ("ask from a city", &["places#how-do-i-ask-from-a-city"]),
    ("which models train on my prompts", &["terms#which-models-train-on-prompts"]),
    ("how many samples", &["trust#how-many-samples-do-i-need"]),
    (
        "read old results again with new parsers",
        &["raw-replies#how-do-i-read-old-results-again-after-an-upgrade"],
    ),
    ("delete all jobs with a label", &["api#how-do-i-delete-jobs-before-they-expire"]),
    ("why is the sources array empty", &["results#why-is-an-array-empty"]),
    ("how can I simulate failures", &["practice#how-do-i-rehearse-slow-answers-and-failures"]),
    ("make the practice engine slow", &["practice#how-do-i-rehearse-slow-answers-and-failures"]),
    ("pratcice engine", &["practice#the-practice-engine", "practice#what-is-the-practice-engine"]),
    (
        "how many retries are there",
        &[
            "errors-and-retries#how-often-is-a-failed-attempt-tried-again",
            "limits#how-many-attempts-does-a-job-have",
            "configuration#retry",
        ],
    ),
    ("I get a 429, what now", &["errors-and-retries#what-should-my-client-do-with-a-429"]),
    (
        "rate limit exceeded",
        &[
            "errors-and-retries#what-should-my-client-do-with-a-429",
            "limits#how-many-requests-may-a-key-make",
            "errors-and-retries#what-does-the-code-of-a-refused-request-mean",
        ],
    ),
    ("what does error 408 mean", &["errors-and-retries#what-does-408-mean"]),
    (
        "maximum length of a prompt in characters",
        &["parameters#how-long-may-a-prompt-be", "limits#which-limits-does-a-request-have"],
    ),
    ("how many characters may a prompt have", &["parameters#how-long-may-a-prompt-be"]),
    ("which countries are supported", &["parameters#which-countries-can-i-ask-for"]),
    ("bypass the cache", &["parameters#how-do-i-skip-the-cache"]),
    ("what is a recipe", &["recipes#what-is-a-recipe"]),
    ("write a recipe for a page", &["recipes#how-do-i-write-a-recipe-for-a-new-page"]),
    ("get rid of a cookie banner", &["recipes#how-do-i-get-rid-of-a-cookie-banner"]),
    ("why did the web page give no answer", &["api#how-do-i-see-why-a-web-page-gave-no-answer"]),
    ("how does caching work", &["concepts#how-does-the-cache-work"]),
    ("get a callback when a job has ended", &["webhooks#how-do-i-get-a-webhook-when-a-job-ends"]),
    ("verify the webhook signature", &["webhooks#how-do-i-verify-a-webhooks-signature"]),
    ("webhook receiver is down", &["webhooks#what-happens-when-my-receiver-is-down"]),
    ("resend a webhook", &["webhooks#how-do-i-send-a-webhook-again"]),
    (
        "allow_hosts",
        &["webhooks#can-a-webhook-reach-my-internal-network", "configuration#webhooks-settings"],
    ),
    ("change the timeout", &["parameters#what-does-the-parameter-timeout-do"]),
    ("run it as a systemd service", &["running#how-do-i-run-answerd-under-systemd"]),
    ("docker container", &["running#how-do-i-run-answerd-in-a-container-or-by-hand"]),
    (
        "nginx reverse proxy https",
        &["running#how-do-i-run-answerd-behind-a-reverse-proxy", "security#does-answerd-speak-tls"],
    ),
    ("upgrade to a new version", &["running#how-do-i-upgrade-answerd"]),
    ("what happens if the power goes out", &["storage#does-a-job-survive-a-crash-or-a-power-cut"]),
    (
        "are jobs lost after kill -9",
        &[
            "running#what-happens-when-answerd-is-killed",
            "how-it-works#why-does-a-job-never-get-lost-or-end-twice",
            "storage#what-happens-to-running-jobs-when-the-process-dies",
        ],
    ),
    ("disk full", &["storage#what-happens-when-the-disk-is-full"]),
    ("backup the database", &["storage#how-do-i-make-a-backup-of-the-store"]),
    (
        "compact the database",
        &[
            "storage#how-do-i-make-the-database-file-smaller",
            "command-line#what-do-the-db-commands-do",
        ],
    ),
    ("use ollama", &["upstreams#how-do-i-add-an-openai-compatible-server-such-as-ollama"]),
    ("add my own scraper", &["scrapers#how-do-i-add-a-scraper-of-my-own"]),
    (
        "environment variables",
        &[
            "configuration#which-environment-variables-are-settings",
            "scrapers#which-environment-variable-does-each-scraper-need",
        ],
    ),
    ("how many workers should I configure", &["running#how-many-workers-does-a-scraper-need"]),
    ("does it need internet access", &["faq#does-answerd-need-the-internet"]),
    ("is answerd free of charge", &["faq#is-answerd-free"]),
    (
        "circuit breaker",
        &[
            "concepts#what-is-a-circuit-breaker",
            "errors-and-retries#when-does-the-circuit-breaker-open",
        ],
    ),
    (
        "difference between sources and citations",
        &["results#what-is-the-difference-between-sources-and-citations"],
    ),
    ("who can see my results", &["security#who-can-read-a-result"]),
    ("is the database encrypted", &["security#is-the-store-encrypted"]),
    ("what is a job", &["concepts#what-is-a-job"]),
    ("job states", &["concepts#which-states-does-a-job-go-through"]),
    (
        "how to wait for the answer synchronously",
        &[
            "api#how-do-i-run-a-scrape-and-wait-for-the-answer",
            "quick-start#how-do-i-ask-and-wait-in-one-call",
        ],
    ),
    ("exit codes of the command line", &["command-line#which-exit-codes-are-there"]),
    (
        "readyz",
        &[
            "api#what-do-healthz-and-readyz-mean",
            "running#how-do-i-check-the-health-of-the-service",
        ],
    ),
    ("can I run several instances", &["running#can-i-run-several-instances-of-answerd"]),
    ("how fast is it", &["performance#how-fast-is-answerd"]),
    ("is it faster than redis", &["performance#is-answerd-faster-than-redis-postgresql-or-bullmq"]),
    ("memory of a long poll", &["performance#what-do-waiting-clients-cost"]),
    ("run the benchmarks", &["performance#how-do-i-run-the-benchmarks"]),
    ("open the dashboard", &["dashboard#how-do-i-open-the-dashboard"]),
    ("sign in to the dashboard", &["dashboard#how-do-i-sign-in-to-the-dashboard"]),
    ("prometheus alerts", &["monitoring#which-alerts-should-i-have"]),
    ("who could attack the service", &["threat-model#who-may-attack-and-what-stops-them"]),
    (
        "use answerd in claude desktop",
        &[
            "mcp#how-do-i-add-answerd-to-claude-desktop",
            "mcp#can-an-answer-give-orders-to-my-assistant",
        ],
    ),
    ("add the mcp server to cursor", &["mcp#how-do-i-add-answerd-to-cursor"]),
    ("run the same prompts every day with cron", &["schedules#how-do-i-run-prompts-every-day"]),
    (
        "notice when fewer answers mention my brand",
        &["alerts#how-do-i-get-a-notice-when-fewer-answers-mention-my-brand"],
    ),
    ("export results to a csv file", &["export#how-do-i-export-results"]),
    ("send a list of prompts as a batch", &["batches#how-do-i-send-a-batch-of-prompts"]),
    ("how are job ids made", &["how-it-works#how-are-job-ids-made"]),
    ("check my configuration file", &["configuration#how-do-i-check-my-configuration"]),
    ("names that are allowed", &["limits#which-names-are-allowed"]),
    ("restore a backup", &["storage#how-do-i-restore-a-backup"]),
];

/// Questions about something else.
const NOT_COVERED: &[&str] = &[
    "What is the capital of France?",
    "best CRM for small teams",
    "best laptops for students",
    "what's the weather in Paris tomorrow",
    "what are the best running shoes for beginners",
    "who won the world cup in 2022",
    "write me a poem about the sea",
    "how do I cook rice",
    "compare iPhone and Samsung cameras",
    "cheap flights from Berlin to Lisbon in May",
    "日本の首都はどこですか",
    "hello",
    "???",
];

static INDEX: LazyLock<Index> = LazyLock::new(|| Index::new(Guide::of(PAGES)));

fn name_of_first(index: &Index, question: &str) -> String {
    let findings = index.find(question);
    let Some((at, _)) = findings.hits.first() else { return String::new() };
    let section = index.section(*at);
    format!("{}#{}", index.guide.pages[section.page].slug, section.anchor)
}

#[test]
fn questions_find_their_sections() {
    let index = &*INDEX;
    // All that are wrong at once: a change of weights moves several.
    let mut wrong = Vec::new();
    for (question, expected) in RETRIEVAL {
        let found = name_of_first(index, question);
        if !expected.contains(&found.as_str()) {
            wrong.push(format!("{question}: {found}, not {}", expected[0]));
        } else if !index.find(question).covered {
            wrong.push(format!("{question}: not covered"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_of_other_tools_find_what_the_guide_calls_otherwise() {
    let words = [
        ("ssl", "security"),
        ("sdk", "clients"),
        ("cron", "schedules"),
        ("kubernetes", "faq"),
        ("k8s", "faq"),
        ("helm", "faq"),
        ("docker", "running"),
        ("podman", "running"),
        ("mcp", "mcp"),
        ("rate limit", "limits"),
        ("throttling", "errors-and-retries"),
        ("typescript", "clients"),
        ("zapier", "integrations"),
        ("swagger", "api"),
        ("cli", "command-line"),
        ("terminal", "command-line"),
        ("grafana", "monitoring"),
        ("jwt", "security"),
        ("oauth", "security"),
        ("pricing", "costs"),
        ("dedupe", "api"),
        ("pagination", "api"),
        ("csv", "export"),
        ("excel", "export"),
        ("geolocation", "places"),
        ("slack", "alerts"),
        ("brand mentions", "tracking"),
        ("nodejs", "clients"),
        ("sse", "api"),
        ("websocket", "api"),
        ("gdpr", "terms"),
        ("ollama", "upstreams"),
        ("redis", "performance"),
        ("proxy", "running"),
        ("self-hosted", "concepts"),
    ];
    let mut wrong = Vec::new();
    for (word, page) in words {
        let found = INDEX.search(word);
        let mut pages = found.iter().map(|found| found.href.as_str()).take(5);
        let start = format!("/docs/{page}#");
        if !pages.any(|href| href.starts_with(&start)) {
            let pages = found.iter().map(|found| found.href.as_str()).take(5);
            wrong.push(format!("{word}: {:?}, not {page}", pages.collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_page_is_found_first_by_a_question() {
    let found: Vec<String> =
        RETRIEVAL.iter().map(|(question, _)| name_of_first(&INDEX, question)).collect();
    for page in &INDEX.guide.pages {
        let start = format!("{}#", page.slug);
        assert!(found.iter().any(|name| name.starts_with(&start)), "{}", page.slug);
    }
}

#[test]
fn every_question_of_the_guide_finds_itself() {
    let index = &*INDEX;
    for section in index.guide.sections.iter().filter(|section| section.is_question()) {
        // The same question may be answered on two pages.
        let found = index.find(&section.heading);
        let first = index.section(found.hits[0].0);
        assert_eq!(first.heading, section.heading);
        assert!(found.covered, "{}", section.heading);
    }
}

#[test]
fn what_the_guide_does_not_cover_is_known_as_that() {
    let index = &*INDEX;
    let covered: Vec<_> =
        NOT_COVERED.iter().filter(|question| index.find(question).covered).collect();
    assert!(covered.is_empty(), "{covered:#?}");
}

const FRUIT: &[(&str, &str)] = &[
    ("a", "# Apples\n\nRed fruit.\n\n## How are apples stored?\n\nStored in a cool cellar.\n"),
    ("b", "# Pears\n\nGreen fruit. Apples are other fruit.\n\n## Storage\n\nIn boxes.\n"),
];

#[test]
fn a_word_in_a_heading_weighs_more_than_one_in_the_text() {
    let index = Index::new(Guide::of(FRUIT));
    let ranked = |question: &str| -> Vec<String> {
        let hits = index.find(question).hits;
        hits.iter().map(|(at, _)| index.section(*at).heading.clone()).collect()
    };
    assert_eq!(ranked("pear")[0], "Pears");
    assert_eq!(ranked("apples").last().unwrap(), "Pears");
    assert_eq!(ranked("cellars"), ["How are apples stored?"]);
    assert!(ranked("quantum").is_empty());
}

#[test]
fn a_heading_is_as_alike_as_the_words_it_shares() {
    let index = Index::new(Guide::of(FRUIT));
    let likeness = |question: &str| index.find(question).likeness[1];
    assert!((likeness("How are stored apples?") - 1.0).abs() < 1e-6);
    assert!(likeness("stored apples") > likeness("apples"));
    assert_eq!(likeness("pears"), 0.0);
}

#[test]
fn one_wrong_letter_is_put_right() {
    let index = Index::new(Guide::of(FRUIT));
    assert_eq!(index.respelt("cellra").unwrap().word, "cellar");
    assert_eq!(index.respelt("cellar"), None);
    assert_eq!(index.respelt("zzzzzz"), None);
}
