use super::super::{Brand, InvalidTracker, TrackedBrands};

fn brand(name: &str) -> Brand {
    Brand { name: name.to_owned(), ..Brand::default() }
}

fn refusal(brands: Vec<Brand>) -> InvalidTracker {
    TrackedBrands::new(brands).unwrap_err()
}

#[test]
fn names_have_rules() {
    for given in ["", " ", "!!", "a\nb", &"x".repeat(81), "\u{0}a"] {
        let refused = refusal(vec![brand(given)]);
        assert!(matches!(refused, InvalidTracker::Name { .. }), "{given:?}: {refused}");
    }
    for given in ["米", "삼", "ソ"] {
        assert!(matches!(refusal(vec![brand(given)]), InvalidTracker::TooShort { .. }), "{given}");
    }
    assert_eq!(
        refusal(vec![brand("Acme"), brand("Globex"), brand("ACMÉ")]).to_string(),
        "Field `brands[2].name` must be a name that occurs once; given: \"ACMÉ\"."
    );
    assert!(matches!(refusal(Vec::new()), InvalidTracker::BrandCount(0)));
    let many = (0..51).map(|at| brand(&format!("Acme {at}"))).collect();
    assert!(matches!(refusal(many), InvalidTracker::BrandCount(51)));
    let aliases = (0..21).map(|at| format!("Acme {at}")).collect();
    let refused = refusal(vec![Brand { aliases, ..brand("Acme") }]);
    assert!(matches!(refused, InvalidTracker::TooMany { max: 20, given: 21, .. }));
}

#[test]
fn common_words_are_refused_or_warned_of() {
    for word in ["you", "It", "the"] {
        let refused = refusal(vec![Brand { aliases: vec![word.to_owned()], ..brand("Acme") }]);
        assert!(matches!(refused, InvalidTracker::CommonWord { .. }), "{word}");
    }
    let told = |name: &str| Brand { case_sensitive: Some(true), ..brand(name) };
    assert!(TrackedBrands::new(vec![told("You")]).is_ok());
    assert!(TrackedBrands::new(vec![told("you")]).is_err());
    for word in ["monday", "Zoom", "Slack"] {
        let warnings = TrackedBrands::new(vec![brand(word)]).unwrap().warnings();
        assert_eq!(warnings.len(), 1, "{word}");
        assert!(warnings[0].contains("common word"));
    }
    assert!(TrackedBrands::new(vec![told("Zoom"), brand("Acme")]).unwrap().warnings().is_empty());
}

#[test]
fn domains_are_written_in_one_form() {
    let domains = |given: &[&str]| {
        let domains = given.iter().map(|domain| (*domain).to_owned()).collect();
        TrackedBrands::new(vec![Brand { domains, ..brand("Acme") }])
    };
    let checked = domains(&["https://www.ACME.com/de", "acme.com", "Bücher.de", "me.github.io"]);
    assert_eq!(
        checked.unwrap().brands()[0].domains,
        ["acme.com", "me.github.io", "xn--bcher-kva.de"]
    );
    for given in ["com", "co.uk", "acme", "10.0.0.1", "", "acme .com", "github.io", "a.invalid"] {
        let refused = domains(&[given]).unwrap_err();
        assert!(matches!(refused, InvalidTracker::Domain { .. }), "{given}");
    }
}
