//! The settings of webhooks: the secrets that sign them, from the environment or a file, and which
//! receivers may be internal.

use std::collections::BTreeMap;

use url::Url;

use super::file;
use super::redaction::quoted;
use super::secret::{SECRET_BYTES_MAX, SECRET_BYTES_MIN, SECRET_PREFIX, SigningKey};
use super::secret_source::SecretSource;
use super::settings::Webhooks;

/// The most threads that deliver.
pub(crate) const WEBHOOK_WORKERS_MAX: usize = 256;

pub(super) fn check(
    typed: &file::Webhooks,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Webhooks {
    let current = Source { setting: "secret", env: &typed.secret_env, file: &typed.secret_file };
    let previous = Source {
        setting: "previous_secret",
        env: &typed.previous_secret_env,
        file: &typed.previous_secret_file,
    };
    let key = current.load(environment, problems);
    let previous_key = previous.load(environment, problems);
    if key.is_none() && previous_key.is_some() {
        problems.push(
            "[webhooks] has a previous secret and no current one: the current one signs, the \
             previous one signs beside it while receivers change over"
                .to_owned(),
        );
    }
    for (name, given, most) in [
        ("timeout_seconds", typed.timeout_seconds, 120),
        ("workers", typed.workers as u64, WEBHOOK_WORKERS_MAX as u64),
    ] {
        if !(1..=most).contains(&given) {
            problems.push(format!("`webhooks.{name}` must be 1 to {most}; it is {given}"));
        }
    }
    Webhooks {
        missing: key.is_none().then(|| current.way_out()),
        keys: key.into_iter().chain(previous_key).collect(),
        allow_hosts: typed.allow_hosts.iter().map(|host| check_host(host, problems)).collect(),
        timeout_seconds: typed.timeout_seconds,
        workers: typed.workers,
    }
}

/// Where a secret is to be found.
struct Source<'a> {
    setting: &'static str,
    env: &'a str,
    file: &'a str,
}

impl Source<'_> {
    fn load(
        &self,
        environment: &BTreeMap<String, String>,
        problems: &mut Vec<String>,
    ) -> Option<SigningKey> {
        let Source { setting, file, env } = *self;
        let text = SecretSource { file, variable: env }.read(environment).unwrap_or_else(|error| {
            let which = if file.is_empty() { "env" } else { "file" };
            problems.push(format!("`webhooks.{setting}_{which}` {error}"));
            String::new()
        });
        if text.is_empty() {
            return None;
        }
        let key = SigningKey::parse(&text);
        if key.is_none() {
            // Never the secret itself.
            problems.push(format!(
                "the secret {} must be `{SECRET_PREFIX}` and {SECRET_BYTES_MIN} to \
                 {SECRET_BYTES_MAX} bytes in base64; `answerd keygen --webhook` makes one",
                self.place()
            ));
        }
        key
    }

    fn place(&self) -> String {
        if self.file.is_empty() {
            format!("in the variable {}", self.env)
        } else {
            format!("in the file of `webhooks.{}_file`", self.setting)
        }
    }

    fn way_out(&self) -> String {
        let how = "`answerd keygen --webhook` makes one";
        match (self.file, self.env) {
            ("", "") => format!("set `secret_env` or `secret_file` in [webhooks]; {how}"),
            ("", variable) => {
                format!("put a secret into the variable {variable} of [webhooks]; {how}")
            }
            (_, _) => format!("put a secret into the file of `secret_file` in [webhooks]; {how}"),
        }
    }
}

/// A host, with or without a port, written as addresses of webhooks are called.
fn check_host(given: &str, problems: &mut Vec<String>) -> String {
    let url = Url::parse(&format!("http://{given}/")).ok();
    let url = url.filter(|url| {
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        bare && url.username().is_empty() && url.password().is_none() && !given.contains('/')
    });
    let Some(url) = url else {
        problems.push(format!(
            "`webhooks.allow_hosts` must hold hosts such as `hooks.internal`, `10.0.0.7` or \
             `10.0.0.7:8080`; it holds {}",
            quoted(given)
        ));
        return given.to_owned();
    };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    // `url` leaves out the port that http has anyway, but here it says something.
    let given_port = given.rsplit_once(':').filter(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && !given.ends_with(']')
    });
    match (url.port(), given_port) {
        (Some(port), _) => format!("{host}:{port}"),
        (None, Some(_)) => format!("{host}:80"),
        (None, None) => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn load(pairs: &[(&str, &str)]) -> Result<Webhooks, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::load_from(None, &pairs.collect::<BTreeMap<_, _>>());
        settings.map(|settings| settings.webhooks).map_err(|error| error.problems.join("\n"))
    }

    #[test]
    fn secrets_come_from_the_environment_or_a_file_and_cannot_be_printed() {
        let none = load(&[]).unwrap();
        assert!(none.keys.is_empty());
        assert!(none.missing.unwrap().contains("ANSWERD_WEBHOOK_SECRET"));
        let one = load(&[("ANSWERD_WEBHOOK_SECRET", SECRET)]).unwrap();
        assert_eq!((one.keys.len(), one.missing), (1, None));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let other = SigningKey::text_of(&[7; 32]);
        std::fs::write(&path, format!("{other}\n")).unwrap();
        let both = load(&[
            ("ANSWERD_WEBHOOKS__SECRET_FILE", path.to_str().unwrap()),
            ("ANSWERD_WEBHOOK_SECRET_PREVIOUS", SECRET),
        ]);
        let both = both.unwrap();
        assert_eq!(both.keys[0].bytes(), [7; 32]);
        assert_eq!(both.keys[1], one.keys[0]);
        assert!(!format!("{both:?}").contains("MfKQ"));
        assert!(!format!("{both:?}").contains('7'), "{both:?}");
    }

    #[test]
    fn wrong_settings_are_told_without_the_secret() {
        let short = SigningKey::text_of(&[7; 23]);
        let long = SigningKey::text_of(&[7; 65]);
        for wrong in [short.as_str(), &long, "whsec_???", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let told = load(&[("ANSWERD_WEBHOOK_SECRET", wrong)]).unwrap_err();
            assert!(told.contains("24 to 64 bytes") && !told.contains(wrong), "{told}");
        }
        let told = load(&[("ANSWERD_WEBHOOK_SECRET_PREVIOUS", SECRET)]).unwrap_err();
        assert!(told.contains("no current one"), "{told}");
        let told = load(&[("ANSWERD_WEBHOOKS__SECRET_FILE", "/nowhere")]).unwrap_err();
        assert!(told.contains("`webhooks.secret_file` cannot be read"), "{told}");
        let told = load(&[("ANSWERD_WEBHOOKS__TIMEOUT_SECONDS", "0")]).unwrap_err();
        assert_eq!(told, "`webhooks.timeout_seconds` must be 1 to 120; it is 0");
    }

    #[test]
    fn allowed_hosts_are_written_as_they_are_called() {
        let hosts = r#"["Hooks.Internal.", "10.0.0.7:8080", "hooks:80", "0x7f.1", "[::1]:9"]"#;
        let allowed = load(&[("ANSWERD_WEBHOOKS__ALLOW_HOSTS", hosts)]).unwrap().allow_hosts;
        assert_eq!(
            allowed,
            ["hooks.internal", "10.0.0.7:8080", "hooks:80", "127.0.0.1", "[::1]:9"]
        );
        for wrong in ["http://a", "a/b", "", "a b", "u@a", "a?b"] {
            let told = load(&[("ANSWERD_WEBHOOKS__ALLOW_HOSTS", &format!("[{wrong:?}]"))]);
            assert!(told.unwrap_err().contains("`webhooks.allow_hosts` must hold"), "{wrong}");
        }
    }
}
