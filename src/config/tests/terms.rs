//! What an upstream may ask and cost: dollars, models, and fields of an operator's own.

use serde_json::json;

use super::*;

#[test]
fn prices_and_caps_are_read_and_what_is_none_is_named() {
    let upstream = |lines: &str| with_file(&format!("[upstreams.openai]\n{lines}\n"));
    let settings =
        upstream("usd_per_day = 0.01\nusd_per_1k_searches = 10\nusd_per_call = 0").unwrap();
    let openai = &settings.upstreams["openai"];
    assert_eq!(openai.day_nanos_max, Some(10_000_000));
    assert_eq!(openai.prices.thousand_searches_nanos, Some(10_000_000_000));
    assert_eq!(openai.prices.call_nanos, Some(0), "a call may cost nothing");
    assert_eq!(openai.prices.million_input_tokens_nanos, None);
    assert_eq!(settings.upstreams["gemini"].day_nanos_max, None);

    let told = |lines: &str| problems(upstream(lines));
    insta::assert_snapshot!(told("usd_per_day = 0"), @"`usd_per_day` in [upstreams.openai] must be dollars, above 0 and at most 1000000, such as 5.0; it is `0`; leave it out to set no cap");
    insta::assert_snapshot!(told("usd_per_day = nan"), @"`usd_per_day` in [upstreams.openai] must be dollars, above 0 and at most 1000000, such as 5.0; it is `NaN`; leave it out to set no cap");
    insta::assert_snapshot!(told("usd_per_day = \"five\""), @"`usd_per_day` in [upstreams.openai] must be dollars, above 0 and at most 1000000, such as 5.0; it is `five`; leave it out to set no cap");
    insta::assert_snapshot!(told("usd_per_call = -1"), @"`usd_per_call` in [upstreams.openai] must be dollars, 0 to 1000000, such as 2.5; it is `-1`");
    insta::assert_snapshot!(told("usd_per_call = [1]"), @"`usd_per_call` in [upstreams.openai] must be dollars, 0 to 1000000, such as 2.5; it is no number");
    let hash = "0".repeat(64);
    let key = format!("[[keys]]\nname = \"a\"\nhash = \"sha256:{hash}\"\nusd_per_day = 0.0\n");
    insta::assert_snapshot!(problems(with_file(&key)), @"`usd_per_day` of the key `a` must be dollars, above 0 and at most 1000000, such as 5.0; it is `0`; leave it out to set no cap");
}

#[test]
fn models_that_a_request_may_choose_are_names_of_models() {
    let told = |kind: &str, models: &str| {
        problems(with_file(&format!(
            "[upstreams.a]\nkind = \"{kind}\"\nmodels_allowed = {models}\n"
        )))
    };
    insta::assert_snapshot!(told("searchapi", "[\"chatgpt\"]"), @"`models_allowed` in [upstreams.a] must be empty: a request to the kind `searchapi` cannot choose a model");
    insta::assert_snapshot!(told("openai", "[\"a b\", \"\"]"), @"
    `models_allowed` in [upstreams.a] must hold names of models, 1 to 128 visible ASCII characters; it holds `a b`
    `models_allowed` in [upstreams.a] must hold names of models, 1 to 128 visible ASCII characters; it holds ``
    ");
}

#[test]
fn extra_body_is_read_as_json() {
    let file = "[upstreams.a]\nkind = \"compatible\"\n[upstreams.a.extra_body]\n\
                tools = [{ type = \"openrouter:web_search\" }]\nreasoning.effort = \"high\"\n\
                temperature = 0.5\nat = 2026-05-11\n";
    let settings = with_file(file).unwrap();
    let expected = json!({"tools": [{"type": "openrouter:web_search"}],
        "reasoning": {"effort": "high"}, "temperature": 0.5, "at": "2026-05-11"});
    assert_eq!(Some(&settings.upstreams["a"].extra_body), expected.as_object());
    assert!(settings.upstreams["openai"].extra_body.is_empty());
}

#[test]
fn extra_body_that_answerd_or_nobody_could_write_is_refused() {
    let told = |kind: &str, body: &str| {
        problems(with_file(&format!("[upstreams.a]\nkind = \"{kind}\"\nextra_body = {body}\n")))
    };
    for name in extra_body::OWNED {
        let told = told("openai", &format!("{{ {name} = true }}"));
        assert!(told.contains(&format!("must not hold `{name}`")), "{told}");
    }
    insta::assert_snapshot!(told("openai", "{ model = \"m\" }"), @"`extra_body` in [upstreams.a] must not hold `model`, which answerd writes itself: set `model`");
    insta::assert_snapshot!(told("openai", "{ top_p = nan }"), @"`extra_body` in [upstreams.a] must be JSON: `NaN` is no number there");
    insta::assert_snapshot!(told("serpapi", "{ x = 1 }"), @"`extra_body` in [upstreams.a] must be empty: requests of the kind `serpapi` have no body");
    insta::assert_snapshot!(told("openai", "5"), @"a setting has the wrong type: invalid type: integer `5`, expected a table in `upstreams.a.extra_body`");
    let nested = format!("{}1{}", "[".repeat(20), "]".repeat(20));
    assert!(told("openai", &format!("{{ x = {nested} }}")).contains("deeper than 16"));
}
