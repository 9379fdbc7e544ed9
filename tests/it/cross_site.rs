//! Pages of other sites in a real Chromium against a service without keys: they can submit nothing
//! and read nothing, by any way that a page has to send a request, under a rebound name either.

use serde_json::{Value, json};

use crate::app::{App, Builder, Scripted};
use crate::chromium::Browser;
use crate::page_server::PageServer;

const PAGES: &[(&str, &str)] = &[("/", "<!doctype html><title>elsewhere</title><body></body>")];
/// Every name of this top-level domain is this machine.
const NAMES: &str = "--host-resolver-rules=MAP *.example 127.0.0.1";

fn app(http: &str) -> App {
    Builder::new()
        .config(&format!("[http]\n{http}"))
        .scripted("chatgpt", &Scripted::new("script", []))
        .start()
}

fn port(base: &str) -> &str {
    base.rsplit(':').next().unwrap()
}

/// Sends requests to `base` in every way and calls `done` with what could be read of the answers, by
/// the way; it waits for each to end. What a page may do in any case has `null`.
fn attack(base: &str, job: &str) -> String {
    let script = r"
      const base = BASE, job = JOB, found = {};
      const submit = (name) => `${base}/scrapers/chatgpt/jobs?prompt=${name}`;
      const run = (name) => `${base}/scrapers/chatgpt?prompt=${name}`;
      const read = async (name, url, options) => {
        try {
          const reply = await fetch(url, options);
          found[name] = reply.type === 'opaque' ? null : await reply.text();
        } catch { found[name] = null; }
      };
      const loads = (name, tag, attributes, text) => new Promise((resolve) => {
        const element = document.createElement(tag);
        const end = (value) => { found[name] = value; resolve(); };
        element.onload = () => end(text(element));
        element.onerror = () => end(null);
        Object.assign(element, attributes);
        document.body.append(element);
      });
      const inFrame = (name, attributes, values) => new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.name = name;
        document.body.append(frame);
        const form = document.createElement('form');
        Object.assign(form, { target: name, ...attributes });
        for (const [key, value] of Object.entries(values)) {
          const input = document.createElement('input');
          Object.assign(input, { type: 'hidden', name: key, value });
          form.append(input);
        }
        document.body.append(form);
        frame.onload = () => {
          let text = null;
          try { text = frame.contentDocument.body.innerText; } catch { }
          found[name] = text;
          resolve();
        };
        form.submit();
      });
      const listens = (name, url) => new Promise((resolve) => {
        const source = new EventSource(url);
        const end = (value) => { found[name] = value; source.close(); resolve(); };
        for (const event of ['message', 'overview', 'done', 'queued', 'running'])
          source.addEventListener(event, ({ data }) => end(data));
        source.onerror = () => end(null);
      });
      const json = JSON.stringify({ items: [{ scraper: 'chatgpt', prompt: 'batch' }] });
      Promise.all([
        read('cors-submit', submit('cors'), { method: 'POST' }),
        read('opaque-submit', submit('opaque'), { method: 'POST', mode: 'no-cors' }),
        read('opaque-batch', `${base}/batches`, { method: 'POST', mode: 'no-cors', body: json }),
        read('preflighted', submit('preflighted'), { method: 'POST', headers: { prefer: 'wait=1' } }),
        read('cancel', `${base}/jobs/${job}`, { method: 'DELETE' }),
        read('cors-run', run('cors-run')),
        read('opaque-run', run('opaque-run'), { mode: 'no-cors' }),
        read('list', `${base}/jobs`),
        read('poll', `${base}/jobs/${job}`),
        read('wait', `${base}/jobs/${job}?wait=1`),
        loads('image', 'img', { src: run('image') }, () => 'an image'),
        loads('script', 'script', { src: `${base}/jobs` }, () => 'a script'),
        loads('style', 'link', { rel: 'stylesheet', href: `${base}/jobs` }, () => 'a style'),
        inFrame('form', { method: 'post', action: submit('form') }, { prompt: 'form-body' }),
        inFrame('query', { method: 'get', action: `${base}/scrapers/chatgpt` }, { prompt: 'query' }),
        inFrame('page', { method: 'get', action: `${base}/` }, {}),
        listens('events', `${base}/jobs/${job}/events`),
        listens('stats', `${base}/stats/events`),
      ]).then(() => done(found), (error) => done({ error: `${error}` }));
    ";
    script.replace("BASE", &json!(base).to_string()).replace("JOB", &json!(job).to_string())
}

/// How many requests were refused before they had a route.
fn refused(app: &App) -> u64 {
    let metrics = app.get("/metrics").text;
    let lines = metrics.lines().filter(|line| {
        line.starts_with("answerd_http_requests_total")
            && line.contains("route=\"none\"")
            && line.contains("4xx")
    });
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[track_caller]
fn assert_only_job(app: &App, id: &str) {
    let jobs = app.get("/jobs").expect(200);
    let ids: Vec<&Value> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| &job["job_id"]).collect();
    assert_eq!(ids, [id], "{jobs:#}");
}

#[test]
fn a_page_of_another_origin_submits_nothing_and_reads_nothing() {
    let (app, elsewhere) = (app(""), PageServer::start(PAGES));
    let id = app.submit("chatgpt", "secret");
    app.ended(&id);
    let browser = Browser::start_with(true, &[NAMES]);
    // Of another site, and of another port of the same host.
    for host in ["attacker.example", "127.0.0.1"] {
        for base in [app.base.clone(), format!("http://localhost:{}", port(&app.base))] {
            browser.open(&format!("http://{host}:{}/", port(&elsewhere.base)));
            let before = refused(&app);
            let found = browser.wait_for(&attack(&base, &id));
            let ways = found.as_object().unwrap();
            assert_eq!(ways.len(), 18, "{found:#}");
            for (way, read) in ways {
                assert!(read.is_null(), "{host} read by {way}: {read}");
            }
            // Each was really sent, or its preflight was.
            assert!(refused(&app) - before >= 18, "{}", refused(&app) - before);
            assert_only_job(&app, &id);
        }
    }
}

#[test]
fn a_name_that_is_rebound_to_this_machine_reads_nothing() {
    let app = app("");
    let id = app.submit("chatgpt", "secret");
    app.ended(&id);
    let browser = Browser::start_with(true, &[NAMES]);
    let base = format!("http://rebound.example:{}", port(&app.base));
    for page in ["/", "/docs", "/jobs"] {
        browser.open(&format!("{base}{page}"));
        let shown = browser.text("body");
        assert!(shown.contains("foreign_host") && !shown.contains("secret"), "{shown}");
    }
    // To the browser this page is of the same origin, so it reads every reply: each is the refusal.
    let found = browser.wait_for(&attack(&base, &id));
    for (way, read) in found.as_object().unwrap() {
        let read = read.as_str().unwrap_or("foreign_host");
        assert!(read.contains("foreign_host") || !read.contains(['{', ':']), "{way}: {read}");
    }
    assert_only_job(&app, &id);
}

#[test]
fn a_link_from_another_site_opens_the_dashboard_which_works() {
    let (app, elsewhere) = (app(""), PageServer::start(PAGES));
    let browser = Browser::start_with(true, &[NAMES]);
    for (path, heading) in [("/docs", "Guide"), ("/", "Overview")] {
        browser.open(&format!("http://attacker.example:{}/", port(&elsewhere.base)));
        browser.run(&format!(
            "const link = document.createElement('a'); link.href = '{}{path}';
             document.body.append(link); link.click();",
            app.base
        ));
        browser.until(&format!("document.body.innerText.includes('{heading}')"));
    }
    // The last is the dashboard: it has what it asks for, and its page may submit.
    let submitted = browser.wait_for(
        "fetch('/scrapers/chatgpt/jobs?prompt=mine', { method: 'POST' })
           .then((reply) => reply.json()).then(({ job_id }) => done(job_id))",
    );
    browser.until("location.hash = '#/jobs', document.body.innerText.includes('mine')");
    assert_only_job(&app, submitted.as_str().unwrap());
}

#[test]
fn the_dashboard_works_at_public_url_and_at_names_of_this_machine() {
    let app = app("public_url = \"https://answers.example/ai\"");
    let browser = Browser::start_with(true, &[NAMES]);
    for host in ["answers.example", "localhost", "app.localhost"] {
        browser.open(&format!("http://{host}:{}/", port(&app.base)));
        browser.until("document.body.innerText.includes('Overview')");
        let status = browser.wait_for(&format!(
            "fetch('/scrapers/chatgpt/jobs?prompt={host}', {{ method: 'POST' }})
               .then(({{ status }}) => done(status))"
        ));
        assert_eq!(status, 202, "{host}");
    }
}

#[test]
fn a_page_that_cors_origins_lists_submits_reads_and_listens() {
    let elsewhere = PageServer::start(PAGES);
    let page = format!("http://page.example:{}", port(&elsewhere.base));
    let app = app(&format!("cors_origins = [\"{page}\"]"));
    let browser = Browser::start_with(true, &[NAMES]);
    browser.open(&page);
    let told = browser.wait_for(&format!(
        "const base = '{}';
         const go = async () => {{
           const options = {{ method: 'POST', headers: {{ 'Idempotency-Key': 'one' }} }};
           const reply = await fetch(`${{base}}/scrapers/chatgpt/jobs?prompt=x`, options);
           const id = (await reply.json()).job_id;
           return new Promise((resolve) => {{
             const source = new EventSource(`${{base}}/jobs/${{id}}/events`);
             source.addEventListener('done', () => {{ source.close(); resolve(id); }});
             source.onerror = () => {{ source.close(); resolve('an error'); }};
           }});
         }};
         go().then(done, (error) => done(`${{error}}`));",
        app.base
    ));
    assert_only_job(&app, told.as_str().unwrap());
}
