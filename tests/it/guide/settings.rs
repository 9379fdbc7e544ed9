//! The reference of settings is that of config.toml, which the code is held to: the same settings in
//! the same order with the same defaults, and the ranges that it names are the ones that are kept.

use std::collections::BTreeMap;

use answerd::config::Settings;

/// A setting as the guide has it.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    section: String,
    name: String,
    default: String,
}

/// The sections of config.toml and what their settings are by default. Those of which there can be
/// several are shown there as comments.
fn shipped() -> Vec<Setting> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).unwrap();
    let mut settings = Vec::new();
    let mut section: Option<String> = None;
    for line in text.lines() {
        let shown = line.strip_prefix("# ").unwrap_or(line);
        let many = ["[[keys]]", "[upstreams.NAME]", "[scrapers.NAME]"].contains(&shown);
        if line.starts_with('[') || many {
            let name = shown.trim_matches(['[', ']']).trim_end_matches(".NAME").to_owned();
            // `[upstreams.openai]` and its like are examples of what stands above them.
            section = (!name.contains('.')).then_some(name);
            continue;
        }
        let is_comment = line.starts_with('#');
        let in_comments =
            section.as_deref().is_some_and(|it| ["keys", "upstreams", "scrapers"].contains(&it));
        let (Some(section), Some((name, default))) = (&section, shown.split_once(" = ")) else {
            continue;
        };
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_name = name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit());
        if is_name && is_comment == in_comments {
            let (section, name, default) = (section.clone(), name.to_owned(), default.to_owned());
            settings.push(Setting { section, name, default });
        }
    }
    settings
}

/// Settings without which there is nothing, and examples of keys: there the guide says so.
const NO_DEFAULT: &[(&str, &str, &str)] = &[
    ("keys", "name", "required"),
    ("keys", "hash", "required"),
    ("keys", "monthly_credits", "0"),
    ("keys", "requests_per_minute", "0"),
    ("keys", "usd_per_day", "\"\""),
    ("keys", "operator", "false"),
    ("upstreams", "kind", "required"),
];

/// The rows of the reference: section, name, default, meaning.
fn rows() -> Vec<(Setting, String)> {
    let page = super::page("configuration");
    let mut rows = Vec::new();
    let mut section = "";
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_end_matches(" settings");
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let (name, rest) = row.split_once("` | ").unwrap();
        let (default, meaning) = rest.split_once(" | ").unwrap();
        let (section, name) = (section.to_owned(), name.to_owned());
        let default = default.trim_matches('`').to_owned();
        rows.push((Setting { section, name, default }, meaning.to_owned()));
    }
    rows
}

#[test]
fn the_reference_has_every_setting_with_its_default() {
    let expected: Vec<Setting> = shipped()
        .into_iter()
        .map(|mut setting| {
            let told = NO_DEFAULT.iter().find(|(section, name, _)| {
                (*section, *name) == (setting.section.as_str(), setting.name.as_str())
            });
            if let Some((_, _, default)) = told {
                setting.default = (*default).to_owned();
            }
            setting
        })
        .collect();
    let told: Vec<Setting> = rows().into_iter().map(|(setting, _)| setting).collect();
    assert!(told.len() > 60, "{}", told.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.len(), expected.len());
}

/// The first "N to M" of a meaning.
fn range(meaning: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> =
        meaning.split([' ', ';']).map(|word| word.trim_end_matches(',')).collect();
    words.windows(3).find_map(|words| {
        let number = |word: &str| word.replace(',', "").parse().ok();
        (words[1] == "to").then(|| Some((number(words[0])?, number(words[2])?))).flatten()
    })
}

/// Whether the settings are taken with this one.
fn is_taken(setting: &Setting, value: u64) -> bool {
    let section = match setting.section.as_str() {
        "upstreams" => "UPSTREAMS__PRACTICE",
        "scrapers" => "SCRAPERS__PRACTICE",
        plain => &plain.to_uppercase(),
    };
    let variable = format!("ANSWERD_{section}__{}", setting.name.to_uppercase());
    Settings::load_from(None, &BTreeMap::from([(variable, value.to_string())])).is_ok()
}

#[test]
fn the_ranges_of_the_reference_are_those_that_are_kept() {
    let mut checked = 0;
    for (setting, meaning) in rows() {
        let Some((least, most)) = range(&meaning) else { continue };
        checked += 1;
        assert!(is_taken(&setting, least) && is_taken(&setting, most), "{setting:?}: {meaning}");
        assert!(!is_taken(&setting, most + 1), "{setting:?} takes {}", most + 1);
        assert!(least == 0 || !is_taken(&setting, least - 1), "{setting:?} takes {}", least - 1);
    }
    assert!(checked >= 8, "{checked}");
}
