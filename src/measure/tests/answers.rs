use serde_json::{Value, json};

use super::super::{Brand, Measured, TrackedBrands, measure};

fn tracker() -> TrackedBrands {
    let brand = |name: &str, domains: &[&str]| Brand {
        name: name.to_owned(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        ..Brand::default()
    };
    TrackedBrands::new(vec![
        brand("Acme", &["acme.com", "acme-docs.io"]),
        brand("Globex", &["eu.globex.com"]),
        brand("Initech", &[]),
    ])
    .unwrap()
}

fn measured(result: &Value) -> Measured {
    let brands = tracker();
    measure(result.to_string().as_bytes(), &brands, &brands.matcher()).unwrap()
}

fn result(text: &str, citations: &str) -> Value {
    json!({
        "prompt": "best anvil?", "result": text,
        "provenance": { "fields": { "citations": citations } },
    })
}

#[test]
fn brands_are_ranked_by_first_appearance() {
    let measured = measured(&result("Né: buy\n1. Globex and Acme\n2. globex\nInitech", "empty"));
    let [acme, globex, initech] = &measured.brands[..] else { panic!() };
    assert_eq!((acme.rank, acme.count, acme.first_at), (Some(2), 1, Some(22)));
    assert_eq!((globex.rank, globex.count, globex.first_at), (Some(1), 2, Some(11)));
    assert!(acme.in_list_item && globex.in_list_item && !initech.in_list_item);
    assert_eq!(initech.rank, Some(3));
    assert!(!measured.branded && !measured.absent);
    assert_eq!(acme.cited, Some(false));
}

#[test]
fn pages_count_by_domain_and_never_as_mentions() {
    let mut answer = result("Here is one.", "ok");
    answer["citations"] = json!([
        { "url": "https://www.acme.com/a" }, { "url": "https://shop.acme.com/b" },
        { "url": "https://notacme.com/" }, { "url": "https://globex.com/" },
        { "url": "https://www.acme.com/a" },
    ]);
    answer["links"] = json!([{ "url": "https://eu.globex.com/x", "text": "here" }]);
    answer["sources"] = json!([{ "url": "https://news.example.co.uk/", "cited": false }]);
    let measured = measured(&answer);
    let [acme, globex, initech] = &measured.brands[..] else { panic!() };
    assert_eq!(acme.cited_urls, ["https://www.acme.com/a", "https://shop.acme.com/b"]);
    assert!(!acme.mentioned && acme.cited == Some(true) && !acme.linked);
    assert!(globex.cited == Some(false) && globex.linked && !globex.mentioned);
    assert!(initech.cited == Some(false) && !initech.linked);
    // Pages alone do not say that a search was made for this answer.
    assert_eq!(measured.searched, None);
    let domains: Vec<_> = measured.domains.iter().map(|it| (&*it.domain, it.cited)).collect();
    let expected =
        [("acme.com", true), ("example.co.uk", false), ("globex.com", true), ("notacme.com", true)];
    assert_eq!(domains, expected);
}

#[test]
fn what_is_not_told_is_null_and_not_false() {
    let mut answer = result("Acme", "unsupported");
    let unknown = measured(&answer);
    assert_eq!((unknown.brands[0].cited, unknown.searched), (None, None));
    assert!(!unknown.cited_is_told);
    answer["search"] = json!({ "made": false });
    assert_eq!(measured(&answer).searched, Some(false));
    answer["sources"] = json!([{ "url": "https://acme.com/", "cited": null }]);
    assert_eq!(measured(&answer).brands[0].cited, None);
    answer["sources"] = json!([{ "url": "https://acme.com/", "cited": true }]);
    assert_eq!(measured(&answer).brands[0].cited, Some(true));
}

#[test]
fn prompts_that_name_a_brand_are_branded() {
    let mut answer = result("", "empty");
    answer["prompt"] = "is globex good?".into();
    answer["present"] = false.into();
    let measured = measured(&answer);
    assert!(measured.branded && measured.absent);
}

#[test]
fn what_is_no_result_is_not_measured() {
    let brands = tracker();
    for stored in [&b"{}"[..], b"[]", b"", b"{\"result\":1}"] {
        assert_eq!(measure(stored, &brands, &brands.matcher()), None);
    }
}
