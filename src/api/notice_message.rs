//! The bodies of notices: one shape for programs, and what Slack and Discord take.

use serde_json::{Value, json};
use uuid::Uuid;

use super::alerts::{NoticeLinksView, NoticeMessageView};
use super::usd;
use crate::alert::{Notice, NoticeFormat, NoticeRow};
use crate::clock::rfc3339_seconds;

/// The longest text of a block of Slack, characters: it refuses those above 3,000.
const SLACK_CHARS_MAX: usize = 2_900;
/// The longest description of an embed of Discord, characters: it refuses those above 4,096.
const DISCORD_CHARS_MAX: usize = 4_000;
/// The color of an embed of Discord: amber, and gray for a test.
const DISCORD_AMBER: u32 = 0x00D9_8A00;
const DISCORD_GRAY: u32 = 0x0080_8080;

/// Returns what is sent of a notice.
pub fn notice_message(notice: &Notice, id: Uuid, public_url: Option<&str>) -> Vec<u8> {
    let links = public_url.map(|url| NoticeLinksView::of(notice, url));
    let body = match notice.definition.format {
        NoticeFormat::Standard => standard(notice, id, links),
        NoticeFormat::Slack => slack(notice, links.as_ref()),
        NoticeFormat::Discord => discord(notice, links.as_ref()),
    };
    // Strings and numbers of our own always serialize.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn standard(notice: &Notice, id: Uuid, links: Option<NoticeLinksView>) -> Value {
    let definition = &notice.definition;
    let message = NoticeMessageView {
        r#type: "alert".into(),
        notice_id: id.into(),
        alert_id: notice.alert.into(),
        alert: definition.name.clone(),
        when: definition.kind.word().into(),
        tracker: definition.tracker.clone(),
        brand: definition.brand.clone(),
        scraper: definition.scraper.clone(),
        threshold: definition.threshold,
        over: definition.over.map(crate::alert::AlertWindow::text),
        at: notice.at_ms.into(),
        test: notice.is_test,
        message: notice.sentence(),
        value: notice.facts.value,
        sample: notice.facts.sample,
        since: notice.facts.since_ms.into(),
        rows: notice.facts.rows.iter().map(Into::into).collect(),
        links,
    };
    serde_json::to_value(message).unwrap_or_default()
}

fn slack(notice: &Notice, links: Option<&NoticeLinksView>) -> Value {
    let sentence = notice.sentence();
    let section = |text: String| {
        let text = short(text, SLACK_CHARS_MAX);
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
    };
    let head = format!("*{}*\n{}", slack_text(&notice.definition.name), slack_text(&sentence));
    let mut blocks = vec![section(head)];
    if !notice.facts.rows.is_empty() {
        let lines: Vec<String> =
            notice.facts.rows.iter().map(|row| format!("• {}", slack_text(&line(row)))).collect();
        blocks.push(section(lines.join("\n")));
    }
    if let Some(links) = links {
        let text = format!("<{}|Open the dashboard>", slack_text(&links.dashboard));
        blocks.push(json!({
            "type": "context", "elements": [{ "type": "mrkdwn", "text": text }],
        }));
    }
    // What a notification shows, and a reader of screens says.
    let text =
        short(slack_text(&format!("{}: {sentence}", notice.definition.name)), SLACK_CHARS_MAX);
    json!({ "text": text, "blocks": blocks })
}

fn discord(notice: &Notice, links: Option<&NoticeLinksView>) -> Value {
    let mut text = discord_text(&notice.sentence());
    for row in &notice.facts.rows {
        text.push_str(&format!("\n- {}", discord_text(&line(row))));
    }
    let mut embed = json!({
        "title": notice.definition.name,
        "description": short(text, DISCORD_CHARS_MAX),
        "timestamp": rfc3339_seconds(notice.at_ms),
        "color": if notice.is_test { DISCORD_GRAY } else { DISCORD_AMBER },
    });
    if let Some(links) = links {
        embed["url"] = links.dashboard.clone().into();
    }
    // No name in an answer calls somebody.
    json!({ "username": "answerd", "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

/// Returns a row as a line.
fn line(row: &NoticeRow) -> String {
    let NoticeRow { subject, hits, total, nanos } = row;
    match (nanos, row.share()) {
        (Some(nanos), _) => format!("{subject}: {} USD for {hits} calls", usd(*nanos)),
        (None, Some(share)) => {
            format!("{subject}: {hits} of {total} ({:.0} %)", share * 100.0)
        }
        (None, None) => format!("{subject}: {hits} of {total}"),
    }
}

/// Escapes what Slack reads as its own marks ("Formatting message text" of its documentation).
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes what Discord reads as Markdown.
fn discord_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '<') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn short(text: String, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
