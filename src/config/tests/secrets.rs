//! Secrets: where they come from, and that no sentence repeats one.

use super::*;

#[test]
fn a_secret_comes_from_its_file_or_variable_and_is_never_printed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("openai.key");
    let file = format!("[upstreams.openai]\napi_key_file = \"{}\"\n", path.display());
    let variable = &[("OPENAI_API_KEY", "from-the-variable")];

    assert!(problems(with_file(&file)).contains("`api_key_file` in [upstreams.openai]"));
    std::fs::write(&path, "\n").unwrap();
    let empty = with_both(&file, variable).unwrap();
    assert!(empty.upstreams["openai"].missing.as_ref().unwrap().contains("put a key into"));
    std::fs::write(&path, "from-the-file\n").unwrap();
    let settings = with_both(&file, variable).unwrap();
    let secret = settings.upstreams["openai"].api_key.as_ref().unwrap();
    assert_eq!(secret.reveal(), "from-the-file");
    assert!(!format!("{settings:?}").contains("from-the-file"));

    let settings = with_env(variable).unwrap();
    assert_eq!(settings.upstreams["openai"].api_key, Some(Secret::new("from-the-variable")));
    let two_lines = with_env(&[("OPENAI_API_KEY", "one\ntwo")]);
    let told = problems(two_lines);
    assert!(told.contains("[upstreams.openai]") && !told.contains("two"), "{told}");
}

/// The path of every setting, with the section's name for those of upstreams and scrapers.
fn every_setting() -> Vec<(Vec<String>, Value)> {
    let defaults: Table = file::DEFAULTS.parse().unwrap();
    let mut sections: Vec<(Vec<String>, Table)> = defaults
        .into_iter()
        .filter(|(name, _)| name != "upstreams" && name != "scrapers")
        .map(|(name, section)| (vec![name], section.as_table().unwrap().clone()))
        .collect();
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let upstream = Table::try_from(file::Upstream::default()).unwrap();
    let scraper = Table::try_from(file::Scraper::default()).unwrap();
    sections.push((of(&["upstreams", "openai"]), upstream));
    sections.push((of(&["scrapers", "chatgpt"]), scraper));
    sections
        .into_iter()
        .flat_map(|(path, section)| {
            section.into_iter().map(move |(name, default)| {
                (path.iter().cloned().chain([name]).collect::<Vec<String>>(), default)
            })
        })
        .collect()
}

#[test]
fn a_key_in_the_place_of_any_setting_is_refused_and_not_repeated() {
    let key = "sk-live-0123456789abcdefghij";
    for (path, default) in every_setting() {
        let value = if default.is_array() { format!("[{key:?}]") } else { format!("{key:?}") };
        let (name, section) = path.split_last().unwrap();
        let text = format!("[{}]\n{name} = {value}\n", section.join("."));
        let told = problems(with_file(&text));
        assert!(!told.contains("sk-live"), "{text}{told}");
        assert!(told.contains(name.as_str()) && told.lines().count() == 1, "{text}{told}");
        // The environment is read the same way.
        let variable = format!("ANSWERD_{}", path.join("__").to_ascii_uppercase());
        assert_eq!(problems(with_env(&[(&variable, &value)])), told, "{variable}");
    }
    for (path, told) in [
        ("[[keys]]\nhash = \"HASH\"\nname = \"KEY\"\n", "keys.0.name"),
        ("[[keys]]\nname = \"a\"\nhash = \"KEY\"\n", "keys.0.hash"),
        ("[upstreams.KEY]\nkind = \"openai\"\n", "upstreams.NAME"),
        ("[scrapers.KEY]\nupstreams = [\"KEY\"]\n", "scrapers.NAME"),
        ("[upstreams.openai]\nKEY = 1\n", "unknown setting"),
        ("[http]\nworkers = KEY\n", "line 2, column 11"),
        ("[http]\nauth = \"https://u:KEY@host\"\n", "`http.auth`"),
    ] {
        let told_now = problems(with_file(&path.replace("KEY", key).replace("HASH", HASH)));
        assert!(told_now.contains(told) && !told_now.contains("sk-live"), "{path}{told_now}");
    }
}

#[test]
fn every_env_setting_takes_the_name_of_a_variable_and_nothing_else() {
    let wrong = [
        "sk-proj-short",
        "AIzaSyA0123456789abcdefghijABCDEFGHIJKLM",
        "0123456789abcdef0123456789ABCDEF",
        "kZ3mVq8RtY2wXb5nLc7dFg9h",
        "bG9naW46cGFzc3dvcmQ=",
        "openai key",
    ];
    let settings = every_setting();
    let names = settings.iter().filter(|(path, _)| path.last().unwrap().ends_with("_env"));
    assert_eq!(names.clone().count(), 4);
    for (path, _) in names {
        let (name, section) = path.split_last().unwrap();
        for value in wrong {
            let told =
                problems(with_file(&format!("[{}]\n{name} = {value:?}\n", section.join("."))));
            assert!(told.contains("must be the name of an environment variable"), "{told}");
            assert!(!told.contains(value), "{told}");
        }
    }
    insta::assert_snapshot!(problems(with_file("[upstreams.openai]\napi_key_env = \"sk-1\"")), @"`upstreams.openai.api_key_env` must be the name of an environment variable, in capital letters, digits and `_`; what it holds is not repeated here, because it may be the secret itself: put the secret into a variable and name that");
}

#[test]
fn a_wrong_value_that_may_be_a_secret_is_not_repeated() {
    let files = [
        ("[http]\npublic_url = \"https://me:TOKEN@host\"", "public_url"),
        ("[http]\nbind = \"TOKEN\"", "bind"),
        ("[http]\ncors_origins = [\"https://me:TOKEN@host\"]", "cors_origins"),
        ("[http]\ntrusted_proxies = [\"TOKEN\"]", "trusted_proxies"),
        ("[webhooks]\nallow_hosts = [\"https://me:TOKEN@host\"]", "allow_hosts"),
        ("[log]\nlevel = \"TOKEN\"", "log.level"),
        ("[browser]\nviewport = \"TOKEN\"", "viewport"),
        ("[browser]\ntrusted_keys = [\"TOKEN\"]", "trusted_keys"),
        ("[upstreams.openai]\nkind = \"TOKEN\"", "kind"),
        ("[upstreams.openai]\nbase_url = \"TOKEN\"", "base_url"),
        ("[upstreams.openai]\nbase_url = \"https://host/v1?key=TOKEN\"", "base_url"),
        ("[upstreams.openai]\nproxy = \"TOKEN\"", "proxy"),
        ("[upstreams.openai]\nauth_header = \"Authorization: Bearer TOKEN\"", "auth_header"),
        ("[upstreams.openai]\nauth_header = \"TOKEN\"", "auth_header"),
        ("[upstreams.openai]\napi_key_file = \"TOKEN\"", "api_key_file"),
        ("[upstreams.openai]\nwebdriver_url = \"http://grid/?token=TOKEN\"", "webdriver_url"),
        ("[webhooks]\nsecret_file = \"TOKEN\"", "secret_file"),
        ("[scrapers.chatgpt]\nupstreams = [\"TOKEN\"]", "upstreams"),
        ("[scrapers.chatgpt]\nrefused_countries = [\"TOKEN\"]", "refused_countries"),
        ("[http]\nworkers = \"TOKEN\"", "workers"),
        ("[http]\nauth = \"TOKEN\"", "auth"),
        ("[[keys]]\noperator = \"TOKEN\"", "operator"),
        ("[upstreams.searchapi_chatgpt]\nmodel = \"TOKEN\"", "model"),
    ];
    for (text, name) in files {
        // As Mistral's, SearchApi's and SerpApi's look: no prefix says what they are.
        for token in ["kZ3mVq8RtY2wXb5nLc7dFg9h", "0123456789abcdef0123456789abcdef"] {
            let told = problems(with_file(&text.replace("TOKEN", token)));
            assert!(told.contains(name), "{text}: {told}");
            assert!(!told.to_ascii_lowercase().contains(&token.to_ascii_lowercase()), "{told}");
        }
    }
    let proxy = "[upstreams.openai]\nproxy = \"http://me:word@host:3128\"";
    assert!(!format!("{:?}", with_file(proxy).unwrap()).contains("word"));
}

#[test]
fn a_secret_may_be_a_credential_of_systemd() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = ("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap());
    let key = |environment: &[(&str, &str)]| {
        with_env(environment).map(|settings| settings.upstreams["openai"].api_key.clone())
    };
    assert_eq!(key(&[credentials]).unwrap(), None);
    std::fs::write(directory.path().join("OPENAI_API_KEY"), "from-the-credential\n").unwrap();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    std::fs::write(directory.path().join("ANSWERD_WEBHOOK_SECRET"), secret).unwrap();
    assert_eq!(key(&[credentials]).unwrap(), Some(Secret::new("from-the-credential")));
    assert_eq!(with_env(&[credentials]).unwrap().webhooks.missing, None);
    let variable = ("OPENAI_API_KEY", "from-the-variable");
    assert_eq!(key(&[credentials, variable]).unwrap(), Some(Secret::new("from-the-variable")));

    // A name that leads elsewhere is refused.
    let outside = ("ANSWERD_UPSTREAMS__OPENAI__API_KEY_ENV", "../OPENAI_API_KEY");
    let inside = directory.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let below = ("CREDENTIALS_DIRECTORY", inside.to_str().unwrap());
    assert!(key(&[below, outside]).is_err());
    // A file that exists and cannot be read is an error.
    std::fs::create_dir(inside.join("OPENAI_API_KEY")).unwrap();
    assert!(problems(with_env(&[below])).contains("`api_key_env` in [upstreams.openai]"));
}

#[test]
fn no_value_in_config_toml_looks_like_a_secret() {
    let defaults: Table = file::DEFAULTS.parse().unwrap();
    for upstream in defaults["upstreams"].as_table().unwrap().values() {
        let settings = upstream.as_table().unwrap();
        let named = settings.get("api_key_env").and_then(Value::as_str).unwrap_or_default();
        assert!(named.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{named}");
    }
}
