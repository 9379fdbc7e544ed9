//! The guide's own code for verifying a webhook, run on one that was really sent.

use super::{builder, submit};
use crate::app::Scripted;
use crate::guide::examples::{example, run};
use crate::receiver::{OTHER_SECRET, Receiver, SECRET, Told};

fn block(language: &str) -> String {
    example("webhooks", "How do I verify a webhook's signature?", language)
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

/// Runs a program on the webhook as it came, and on one with another body.
fn accepts_only_the_genuine(program: &str, arguments: &[&str], webhook: &Told) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("body.json");
    let mut forged = webhook.body.clone();
    let last = forged.len() - 1;
    forged.insert(last, b' ');
    let environment = told(webhook);
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (body, genuine) in [(&webhook.body, true), (&forged, false)] {
        std::fs::write(&file, body).unwrap();
        let ended = run(program, arguments, &environment, directory.path());
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.success(), genuine, "{program}: {told}");
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
    accepts_only_the_genuine("sh", &["-c", &shell], &webhook);
}
