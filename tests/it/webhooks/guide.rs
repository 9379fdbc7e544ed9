//! The guide's own code for verifying a webhook, run on one that was really sent.

use std::process::{Command, Output};

use super::{builder, submit};
use crate::app::Scripted;
use crate::receiver::{OTHER_SECRET, Receiver, SECRET, Told};

fn block(language: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/webhooks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split("## How do I verify a webhook's signature?").nth(1).unwrap();
    let code = section.split(&format!("```{language}\n")).nth(1).unwrap();
    code.split("\n```").next().unwrap().to_owned()
}

fn told(told: &Told) -> Vec<(&'static str, String)> {
    let mut environment = vec![("SECRET", SECRET.to_owned())];
    for (variable, header) in [
        ("WEBHOOK_ID", "webhook-id"),
        ("WEBHOOK_TIMESTAMP", "webhook-timestamp"),
        ("WEBHOOK_SIGNATURE", "webhook-signature"),
    ] {
        environment.push((variable, told.headers[header].clone()));
    }
    environment
}

/// Runs a program on the webhook as it came, and on one with another body. Nothing where the
/// program is not installed: `Told::signed_by` has verified the signature by then.
fn accepts_only_the_genuine(program: &str, arguments: &[&str], webhook: &Told) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("body.json");
    let mut forged = webhook.body.clone();
    let last = forged.len() - 1;
    forged.insert(last, b' ');
    for (body, genuine) in [(&webhook.body, true), (&forged, false)] {
        std::fs::write(&file, body).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).envs(told(webhook)).current_dir(directory.path());
        match command.output() {
            Ok(Output { status, stderr, .. }) => {
                let told = String::from_utf8_lossy(&stderr);
                assert_eq!(status.success(), genuine, "{program}: {told}");
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{program}");
            }
        }
    }
}

#[test]
fn the_guides_code_takes_what_is_genuine_and_nothing_else() {
    let receiver = Receiver::start([]);
    let app = builder(&Scripted::new("script", []))
        .env("ANSWERD_WEBHOOK_SECRET", OTHER_SECRET)
        .env("ANSWERD_WEBHOOK_SECRET_PREVIOUS", SECRET)
        .start();
    submit(&app, "hello", &receiver.url());
    let webhook = receiver.told();
    assert_eq!(webhook.signed_by(SECRET), 1);

    let python = format!(
        "{}\n\nimport os\nheaders = {{name: os.environ[name.upper().replace('-', '_')] for name in \
         ('webhook-id', 'webhook-timestamp', 'webhook-signature')}}\n\
         verify_webhook(os.environ['SECRET'], headers, open('body.json', 'rb').read())\n",
        block("python")
    );
    accepts_only_the_genuine("python3", &["-c", &python], &webhook);
    let javascript = format!(
        "{}\nconst headers = {{}};\n\
         for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'])\n\
         headers[name] = process.env[name.toUpperCase().replace('-', '_')];\n\
         const body = require('node:fs').readFileSync('body.json');\n\
         verifyWebhook(process.env.SECRET, headers, body);\n",
        block("javascript")
    );
    accepts_only_the_genuine("node", &["-e", &javascript], &webhook);
    let shell = format!(
        "set -e\n\
         given=$({{\n{}\n}})\ncase \" $WEBHOOK_SIGNATURE \" in *\" v1,$given \"*) ;; *) exit 1;; esac",
        block("sh")
    );
    if Command::new("openssl").arg("version").output().is_ok() {
        accepts_only_the_genuine("sh", &["-c", &shell], &webhook);
    }
}
