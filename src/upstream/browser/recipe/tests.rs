//! What a recipe may hold, and what is said of one that breaks a rule.

use super::*;
use crate::tests::fuzz;

const SMALL: &str = "name = \"x\"\nversion = 1\nurl = \"https://h.example/?q={prompt}\"\n\
                     last_verified = \"never\"\n[answer]\nselect = \"main\"\n";

fn problems(text: &str) -> Vec<String> {
    let problems = Recipe::parse("x.toml", text).expect_err("a problem");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_small_recipe_has_defaults() {
    let recipe = Recipe::parse("x.toml", SMALL).unwrap();
    assert_eq!((recipe.version, recipe.last_verified), (1, None));
    assert_eq!((recipe.complete.unchanged_ms, recipe.answer.which), (1_000, Which::Last));
    assert!(recipe.prompt.is_none() && recipe.arrays.is_empty());
}

#[test]
fn every_key_is_read() {
    let recipe = Recipe::parse(
        "all.toml",
        r##"
        name = "all"
        version = 7
        url = "/chat?hl={language}&gl={country}"
        last_verified = "2026-11-24"
        frame = ["iframe#a", "iframe.b"]
        [[dismiss]]
        name = "cookies"
        click = ["#no", 'button:text("Reject all")']
        [[dismiss]]
        hide = "#news"
        [[prepare]]
        name = "chat"
        click = "button.chat"
        wait_ms = 10
        [prompt]
        box = "chat-app >>> textarea"
        wait_ms = 1_000
        [submit]
        click = "button.send"
        key = "Control+Enter"
        wait_ms = 2000
        [complete]
        appears = "button.copy"
        gone = "button.stop"
        unchanged_ms = 500
        request_ended = "/api/chat"
        wait_ms = 60000
        [answer]
        select = [".answer", "article"]
        which = "all"
        remove = ["button", "svg"]
        keep = "button.name"
        model = ".model"
        language = [".lang", { attribute = "data-code" }]
        marks = { item = "sup", number = "a", url = { attribute = "data-all", json = "*.url" } }
        [[reveal]]
        name = "open"
        click = "button.sources"
        each = true
        scroll = ".panel"
        wait_for = ".panel li"
        wait_ms = 100
        read = ["sources", "answer"]
        close = "button.close"
        [[reveal]]
        name = "cards"
        after = "open"
        hover = ".card"
        wait_for = ".tip"
        read = "related_questions"
        [arrays.sources]
        item = ".panel li"
        url = { select = "a", attribute = "href", parameter = "u" }
        title = [{ json = "title" }, { select = "a", attribute = "title" }, "b"]
        entries = { attribute = "data-pages", json = "pages.*" }
        highlights = "mark"
        position = { attribute = "data-n", pattern = '(\d+)' }
        [arrays.products]
        item = ".card"
        title = "h3"
        asin = { attribute = "data-asin" }
        [arrays.related_questions]
        item = ".more button"
        while_running = true
        [blocked]
        text = ["unusual traffic"]
        within = "[role=alert]"
        [login]
        url = "/login"
        [human_check]
        select = "iframe.captcha"
        [rate_limited]
        text = "limit"
        [failed]
        select = ".error"
        "##,
    )
    .unwrap();
    assert_eq!(recipe.signs.len(), 5);
    assert_eq!((recipe.arrays.len(), recipe.prepare.len()), (3, 1));
    assert_eq!(
        (recipe.reveal[0].read.clone(), recipe.reveal[0].reads_answer),
        (vec![Array::Sources], true)
    );
    assert_eq!(recipe.reveal[1].after.as_deref(), Some("open"));
    assert_eq!(recipe.answer.language.unwrap().ways.len(), 2);
    assert_eq!(recipe.submit.unwrap().key, Some(Key::ControlEnter));
    let sources = recipe.arrays.iter().find(|part| part.array == Array::Sources).unwrap();
    let names: Vec<&str> = sources.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["url", "title", "highlights", "position"]);
    assert_eq!(sources.fields[1].1.ways.len(), 3);
    assert!(sources.entries.as_ref().is_some_and(|way| way.json.is_some()));
}

#[test]
fn a_problem_names_file_line_and_rule() {
    let text = SMALL.replace("select = \"main\"", "selct = \"main\"");
    assert_eq!(
        problems(&text),
        [
            "x.toml:5: `select` is missing in [answer]: the element that holds the answer",
            "x.toml:6: unknown key `selct` in [answer]; did you mean `select`?"
        ]
    );
    let text = SMALL.replace("\"main\"", "[\"main\",\n\"div[\"]");
    assert_eq!(problems(&text), ["x.toml:7: `select` in [answer]: `div[` is no CSS selector"]);
    assert_eq!(problems("a = \n").len(), 1);
}

#[test]
fn each_rule_is_told() {
    for (from, to, rule) in [
        ("{prompt}", "", "the prompt goes nowhere"),
        ("{prompt}", "{prompt}{city}", "knows the placeholders"),
        ("https", "ftp", "`url` must be an http(s) address"),
        ("version = 1", "version = 0", "from 1 to 1000000"),
        ("version = 1", "", "`version` is missing"),
        ("\"x\"", "\"a b\"", "`name` must be"),
        ("never", "soon", "`last_verified` must be"),
        ("[answer]", "[submit]\nkey = \"Enter\"\n[answer]", "go together"),
        ("[answer]", "[submit]\nkey = \"Tab\"\n[answer]", "`key` in [submit]"),
        ("[answer]", "[arrays.source]\nitem = \"a\"\n[answer]", "did you mean `sources`?"),
        ("[answer]", "[arrays.sources]\nitem = \"a\"\n[answer]", "`url` is missing"),
        ("[answer]", "[blocked]\n[answer]", "[blocked] needs"),
        ("[answer]", "[blocked]\ntext = \" \"\n[answer]", "holds a blank text"),
        ("[answer]", "[[reveal]]\nwait_ms = 1\n[answer]", "needs at least one of"),
        ("[answer]", "[[reveal]]\nclick = 1\n[answer]", "must be a string, or a list"),
        ("[answer]", "[[reveal]]\nscroll = \"a\"\neach = true\n[answer]", "`each` in [[reveal]]"),
        ("[answer]", "[[reveal]]\nhover = \"a\"\n[answer]", "`hover` in [[reveal]] needs"),
        ("[answer]", "[[reveal]]\nclick = \"a\"\nread = \"links\"\n[answer]", "no [arrays.links]"),
        ("[answer]", "[[reveal]]\nclick = \"a\"\nafter = \"x\"\n[answer]", "is named `x`"),
        ("[answer]", "[[dismiss]]\nname = \"a\"\n[answer]", "needs `click`, the button"),
        ("[answer]", "[blocked]\nurl = \"a\"\nwithin = \"b\"\n[answer]", "needs `text`"),
        ("[answer]", "[answer]\nmodel = { json = \"a..b\" }", "`json` must be a path"),
        ("[answer]", "[answer]\nmarks = { item = \"a\" }", "[marks] needs `number`"),
        ("[answer]", "[answer]\nwhich = \"best\"", "`which` in [answer]"),
        ("[answer]", "[answer]\nmodel = { pattern = \"(\" }", "`pattern` of `model`"),
    ] {
        let told = problems(&SMALL.replace(from, to));
        assert!(told.iter().any(|problem| problem.contains(rule)), "{rule}: {told:?}");
    }
}

#[test]
fn fuzzed_recipes_are_read_or_refused_with_a_line() {
    let examples = [
        SMALL,
        include_str!("../recipes/chatgpt.toml"),
        include_str!("../recipes/amazon_rufus.toml"),
        include_str!("../recipes/practice.toml"),
    ];
    fuzz::text("recipe", &examples, |text| {
        if let Err(problems) = Recipe::parse("x.toml", text) {
            assert!(!problems.is_empty());
            let lines = text.lines().count() + 1;
            for problem in problems.iter().map(ToString::to_string) {
                let line = problem.strip_prefix("x.toml:").and_then(|rest| rest.split(':').next());
                let line: usize = line.and_then(|line| line.parse().ok()).expect(&problem);
                assert!((1..=lines).contains(&line), "{problem}");
            }
        }
    });
}
