//! The clients that the guide offers as files: the Python one runs its own tests against a real
//! server, and both name what the OpenAPI document has.

use std::collections::{BTreeMap, BTreeSet};

use answerd::api::ErrorCode;
use answerd::guide::FILES;
use regex_lite::Regex;
use serde_json::Value;

use super::examples::{example, run};
use crate::app::{App, Builder, Scripted};
use crate::limits::keys;
use crate::receiver::{OTHER_SECRET, Receiver, SECRET};

/// The directory of the clients.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/clients");
const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/guide/test_answerd.py");

fn file(name: &str) -> &'static str {
    let path = format!("clients/{name}");
    FILES.iter().find(|(known, _)| *known == path).unwrap().1
}

#[test]
fn files_are_served_as_they_are() {
    let app = Builder::new().start();
    for (name, content_type, slug) in [
        ("answerd.py", "text/x-python; charset=utf-8", "clients"),
        ("answerd.ts", "text/plain; charset=utf-8", "clients"),
        ("answerd_langchain.py", "text/x-python; charset=utf-8", "integrations"),
        ("n8n.json", "application/json", "integrations"),
    ] {
        let reply = app.get(&format!("/docs/clients/{name}"));
        assert_eq!(reply.text, file(name));
        assert_eq!(reply.headers["content-type"], content_type, "{name}");
        let page = app.get(&format!("/docs/{slug}")).text;
        assert!(page.contains(&format!("href=\"/docs/clients/{name}\"")), "{name}");
    }
    assert_eq!(app.get("/docs/clients/none.py").status, 404);
}

#[test]
fn python_client_passes_its_own_tests() {
    let app = Builder::new().config(&keys("")).start();
    let environment = [
        ("ANSWERD_URL", app.base.as_str()),
        ("ANSWERD_API_KEY", "secret-a"),
        ("PYTHONPATH", CLIENTS),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    let at = tempfile::tempdir().unwrap();
    let ended = run("python3", &[TESTS], &environment, at.path());
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    let ran = Regex::new(r"Ran (\d+) tests").unwrap();
    let ran: usize = ran.captures(&told).unwrap()[1].parse().unwrap();
    assert!(ran >= 17 && told.trim_end().ends_with("OK"), "{told}");
}

#[test]
fn python_client_takes_the_webhook_of_a_service_whose_secret_changes() {
    let receiver = Receiver::start([]);
    let app = Builder::new()
        .env("ANSWERD_WEBHOOK_SECRET", OTHER_SECRET)
        .env("ANSWERD_WEBHOOK_SECRET_PREVIOUS", SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", "[\"127.0.0.1\"]")
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let hook = crate::app::encoded(&receiver.url());
    app.post(&format!("/scrapers/chatgpt/jobs?prompt=a&webhook_url={hook}")).expect(202);
    let webhook = receiver.told();
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("body"), &webhook.body).unwrap();
    let headers = serde_json::to_string(&webhook.headers).unwrap();
    let program = "import answerd, json, os\n\
        headers, body = json.loads(os.environ['HEADERS']), open('body', 'rb').read()\n\
        print(answerd.verify_webhook(os.environ['SECRET'], headers, body)['status'])";
    for secret in [SECRET, OTHER_SECRET] {
        let environment = [
            ("HEADERS", headers.as_str()),
            ("SECRET", secret),
            ("PYTHONPATH", CLIENTS),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ];
        let ended = run("python3", &["-c", program], &environment, at.path());
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "done\n", "{told}");
    }
}

/// The fields of each type of a client, (name, type), those of the type that it extends first.
type Types = BTreeMap<String, Vec<(String, String)>>;

fn types(text: &str, begins: &str, field: &str) -> Types {
    let (begins, field) = (Regex::new(begins).unwrap(), Regex::new(field).unwrap());
    let mut types = Types::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(found) = begins.captures(line) {
            found[1].clone_into(&mut current);
            let extended = found.get(2).and_then(|name| types.get(name.as_str()));
            let extended = extended.cloned().unwrap_or_default();
            types.insert(current.clone(), extended);
        } else if let Some(found) = field.captures(line)
            && let Some(fields) = types.get_mut(&current)
        {
            fields.push((found[1].to_owned(), found[2].to_owned()));
        } else if line.starts_with(|first: char| first.is_alphabetic()) {
            current.clear();
        }
    }
    types
}

fn clients() -> [(&'static str, &'static str, Types); 2] {
    let (python, typescript) = (file("answerd.py"), file("answerd.ts"));
    let of_python =
        types(python, r"^class (\w+)\((\w+)(?:, total=False)?\):$", r"^    (\w+): (.+)$");
    let interface = r"^export interface (\w+)(?: extends (\w+))? \{$";
    let of_typescript = types(typescript, interface, r"^  (\w+)\??: (.+);$");
    [("answerd.py", python, of_python), ("answerd.ts", typescript, of_typescript)]
}

fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
    names.into_iter().map(String::as_str).collect()
}

/// Types that have every field of their schema but those named, and no other.
const WHOLE: &[(&str, &str, &[&str])] = &[
    ("Parameters", "/components/schemas/Scrape/properties", &["prompt", "samples"]),
    ("NewItem", "/components/schemas/NewItem/properties", &[]),
    ("NewBatch", "/components/schemas/NewBatch/properties", &[]),
    ("Job", "/components/schemas/Job/properties", &[]),
    ("Batch", "/components/schemas/Batch/properties", &[]),
    ("BatchCounts", "/components/schemas/Batch/properties/counts/properties", &[]),
    ("BatchItem", "/components/schemas/BatchItem/properties", &[]),
    ("Source", "/components/schemas/Source/properties", &[]),
    ("Provenance", "/components/schemas/Provenance/properties", &[]),
    ("Search", "/components/schemas/Search/properties", &[]),
];

#[test]
fn types_of_the_clients_have_the_fields_of_the_document() {
    let document = document();
    let object = |at: &str| document.pointer(at).and_then(Value::as_object).unwrap();
    for (client, _, types) in clients() {
        let fields = |name: &str| names(types[name].iter().map(|(field, _)| field));
        for (name, at, without) in WHOLE {
            let mut expected = names(object(at).keys());
            expected.retain(|field| !without.contains(field));
            assert_eq!(fields(name), expected, "{client} {name}");
        }
        // Each scraper has arrays of its own beside these.
        let known = names(object("/components/schemas/Result/properties").keys());
        assert!(fields("Result").is_subset(&known), "{client} {:?}", fields("Result"));
        assert!(fields("Result").len() > 15, "{client}");
        let parameters = document.pointer("/paths/~1results/get/parameters").unwrap();
        let parameters = parameters.as_array().unwrap().iter();
        let known = parameters.filter_map(|it| it["name"].as_str()).collect();
        let filters = fields("ResultFilters");
        assert!(filters.is_subset(&known) && filters.len() > 5, "{client} {filters:?}");
    }
}

fn document() -> Value {
    let app: App = Builder::new().start();
    app.get("/openapi.json").expect(200)
}

/// The words in quotes of a line.
fn words(line: &str) -> BTreeSet<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

#[test]
fn words_of_the_clients_are_those_of_the_document() {
    let document = document();
    let allowed = |at: &str| -> BTreeSet<&str> {
        document.pointer(at).unwrap().as_array().unwrap().iter().filter_map(Value::as_str).collect()
    };
    let schema = |at: &str| allowed(&format!("/components/schemas/{at}/enum"));
    for (client, text, types) in clients() {
        for (name, expected) in [
            ("JobStatus", schema("Job/properties/status")),
            ("JobPhase", schema("Job/properties/phase")),
            ("BatchStatus", schema("Batch/properties/status")),
            ("UpstreamKind", schema("Provenance/properties/kind")),
            ("ResultRows", allowed("/paths/~1results/get/parameters/0/schema/enum")),
        ] {
            let start = format!("{name} = ");
            let line =
                text.lines().find(|it| it.trim_start_matches("export type ").starts_with(&start));
            assert_eq!(words(line.unwrap()), expected, "{client} {name}");
        }
        for name in ["device", "kind"] {
            let (_, given) = types["Parameters"].iter().find(|(field, _)| field == name).unwrap();
            let expected = schema(&format!("Scrape/properties/{name}"));
            assert_eq!(words(given), expected, "{client} {name}");
        }
        let codes = text.lines().find(|line| line.contains("\"credit_limit\"")).unwrap();
        for code in words(codes) {
            assert!(ErrorCode::CALLS.iter().any(|known| known.code() == code), "{client} {code}");
        }
        assert!(words(codes).len() > 3, "{client}");
    }
}

#[test]
fn example_of_the_python_client_runs() {
    let app = Builder::new().start();
    let example = example("clients", "How do I use the Python client?", "python");
    let example = example.replace("http://127.0.0.1:8080", &app.base);
    let environment = [("PYTHONPATH", CLIENTS), ("PYTHONDONTWRITEBYTECODE", "1")];
    let at = tempfile::tempdir().unwrap();
    let ended = run("python3", &["-c", &example], &environment, at.path());
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(printed.ends_with("What is a job? -> done\nWhat is a key? -> done\n"), "{printed}");
    assert!(printed.contains("up to 1,000"), "{printed}");
}
