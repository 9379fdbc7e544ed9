use super::*;

fn raw(prompt: &str) -> RawRequest {
    RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let request = raw("hi").check("chatgpt", &[]).unwrap();
    assert_eq!(request.country, "US");
    assert_eq!(request.timeout_ms, 300_000);
    assert!(request.web_search && !request.bypass_cache && !request.markdown_json);
}

#[test]
fn prompts_are_counted_in_characters_not_bytes() {
    assert!(raw(&"ü".repeat(PROMPT_CHARS_MAX)).check("chatgpt", &[]).is_ok());
    let refused = raw(&"ü".repeat(PROMPT_CHARS_MAX + 1)).check("chatgpt", &[]).unwrap_err();
    assert_eq!(refused.rule, Rule::PromptTooLong);
    assert!(refused.sentence.contains("4001"), "{refused}");
}

#[test]
fn a_refusal_names_parameter_rule_and_value() {
    let refused_countries = ["JP".to_owned(), "TW".to_owned()];
    let cases = [
        (RawRequest::default(), Rule::PromptMissing, "`prompt`", "required"),
        (raw(" \n"), Rule::PromptBlank, "`prompt`", "not blank"),
        (raw("a\0b"), Rule::PromptInvalid, "`prompt`", "U+0000"),
        (
            RawRequest { country: Some("USA".to_owned()), ..raw("x") },
            Rule::CountryInvalid,
            "`country`",
            "`USA`",
        ),
        (
            RawRequest { country: Some("jp".to_owned()), ..raw("x") },
            Rule::CountryRefused,
            "`country`",
            "`jp`",
        ),
        (
            RawRequest { timeout: Some(9.99), ..raw("x") },
            Rule::TimeoutInvalid,
            "`timeout`",
            "`9.99`",
        ),
        (
            RawRequest { timeout: Some(f64::NAN), ..raw("x") },
            Rule::TimeoutInvalid,
            "`timeout`",
            "`NaN`",
        ),
        (RawRequest { mode: Some("x".repeat(65)), ..raw("x") }, Rule::ModeInvalid, "`mode`", "64"),
    ];
    for (given, rule, parameter, detail) in cases {
        let refused = given.check("gemini", &refused_countries).unwrap_err();
        assert_eq!(refused.rule, rule);
        assert!(refused.sentence.contains(parameter), "{refused}");
        assert!(refused.sentence.contains(detail), "{refused}");
    }
}

#[test]
fn labels_and_start_deadlines_keep_their_rules() {
    let take = |label: &str, start_within: Option<f64>| {
        let label = Some(label.to_owned());
        RawRequest { label, start_within, ..RawRequest::default() }.take_handling()
    };
    let label = "ü".repeat(LABEL_CHARS_MAX);
    assert_eq!(take(&label, None).unwrap().label, Some(label));
    assert_eq!(take("", Some(1.5)).unwrap().start_within_ms, Some(1_500));
    for wrong in ["x".repeat(LABEL_CHARS_MAX + 1), "a\nb".to_owned()] {
        assert_eq!(take(&wrong, None).unwrap_err().rule, Rule::LabelInvalid);
    }
    for wrong in [0.99, 86_400.5, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(take("a", Some(wrong)).unwrap_err().rule, Rule::StartWithinInvalid);
    }
}
