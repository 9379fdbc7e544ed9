//! Alerts and their notices as stored on disk.

use bincode::{Decode, Encode};
use uuid::Uuid;

use super::super::StoreError;
use super::{seal, unseal};
use crate::alert::{
    Alert, AlertDefinition, AlertKind, AlertProgress, AlertWindow, Notice, NoticeFacts,
    NoticeFormat, NoticeRow, RunMark, RunSums, WatchedDomain,
};

const UNKNOWN_WORD: StoreError = StoreError::Damaged("an alert has a word that is not known");

#[derive(Encode, Decode)]
struct AlertV1 {
    nonce: u128,
    account: String,
    definition: AlertDefinitionV1,
    paused: bool,
    created_ms: u64,
    version: u64,
    progress: AlertProgressV1,
}

#[derive(Encode, Decode)]
struct AlertDefinitionV1 {
    name: String,
    kind: String,
    tracker: Option<String>,
    brand: Option<String>,
    scraper: Option<String>,
    threshold: Option<f64>,
    over: Option<AlertWindowV1>,
    url: String,
    format: String,
}

#[derive(Encode, Decode)]
enum AlertWindowV1 {
    Runs(u32),
    Days(u32),
}

#[derive(Encode, Decode)]
struct AlertProgressV1 {
    is_firing: bool,
    has_data: bool,
    streak: u32,
    since_ms: Option<u64>,
    evaluated_ms: Option<u64>,
    value: Option<f64>,
    sample: u64,
    spent_day: Option<u32>,
    /// The tracker's id and version, the day, and how many answers were measured and named the
    /// brand.
    mark: Option<((u64, u32), u32, u64, u64)>,
    /// The end of each run, and the same two counts.
    runs: Vec<(u64, u64, u64)>,
    domains: Vec<WatchedDomainV1>,
    has_domains: bool,
    notices: Vec<u64>,
    next_notice: u64,
}

#[derive(Encode, Decode)]
struct WatchedDomainV1 {
    domain: String,
    marked: u64,
    runs: Vec<u32>,
    is_present: bool,
    streak: u32,
}

#[derive(Encode, Decode)]
struct NoticeV1 {
    nonce: u128,
    alert: u128,
    alert_row: u64,
    account: String,
    number: u64,
    at_ms: u64,
    is_test: bool,
    definition: AlertDefinitionV1,
    value: Option<f64>,
    sample: u64,
    since_ms: u64,
    /// The subject, the hits, of how many, and nanodollars.
    rows: Vec<(String, u64, u64, Option<u64>)>,
}

/// Encodes an alert.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_alert(alert: &Alert) -> Result<Vec<u8>, StoreError> {
    let disk = AlertV1 {
        nonce: alert.nonce,
        account: alert.account.clone(),
        definition: definition_to_disk(&alert.definition),
        paused: alert.paused,
        created_ms: alert.created_ms,
        version: alert.version,
        progress: progress_to_disk(&alert.progress),
    };
    seal(alert.row, &disk)
}

/// Decodes the alert of a row.
///
/// # Errors
/// Returns an error if the record is damaged or another row's.
pub(crate) fn decode_alert(row: u64, bytes: &[u8]) -> Result<Alert, StoreError> {
    let disk: AlertV1 = unseal(row, bytes)?;
    Ok(Alert {
        row,
        nonce: disk.nonce,
        account: disk.account,
        definition: definition_from_disk(disk.definition)?,
        paused: disk.paused,
        created_ms: disk.created_ms,
        version: disk.version,
        progress: progress_from_disk(disk.progress),
    })
}

/// Encodes a notice.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_notice(notice: &Notice) -> Result<Vec<u8>, StoreError> {
    let NoticeFacts { value, sample, since_ms, rows } = &notice.facts;
    let rows = rows.iter().map(|row| (row.subject.clone(), row.hits, row.total, row.nanos));
    let disk = NoticeV1 {
        nonce: notice.nonce,
        alert: notice.alert.as_u128(),
        alert_row: notice.alert_row,
        account: notice.account.clone(),
        number: notice.number,
        at_ms: notice.at_ms,
        is_test: notice.is_test,
        definition: definition_to_disk(&notice.definition),
        value: *value,
        sample: *sample,
        since_ms: *since_ms,
        rows: rows.collect(),
    };
    seal(notice.row, &disk)
}

/// Decodes the notice of a row.
///
/// # Errors
/// Returns an error if the record is damaged or another row's.
pub(crate) fn decode_notice(row: u64, bytes: &[u8]) -> Result<Notice, StoreError> {
    let disk: NoticeV1 = unseal(row, bytes)?;
    let rows = disk.rows.into_iter();
    let rows = rows.map(|(subject, hits, total, nanos)| NoticeRow { subject, hits, total, nanos });
    Ok(Notice {
        row,
        nonce: disk.nonce,
        alert: Uuid::from_u128(disk.alert),
        alert_row: disk.alert_row,
        account: disk.account,
        number: disk.number,
        at_ms: disk.at_ms,
        is_test: disk.is_test,
        definition: definition_from_disk(disk.definition)?,
        facts: NoticeFacts {
            value: disk.value,
            sample: disk.sample,
            since_ms: disk.since_ms,
            rows: rows.collect(),
        },
    })
}

fn definition_to_disk(definition: &AlertDefinition) -> AlertDefinitionV1 {
    let AlertDefinition { name, kind, tracker, brand, scraper, threshold, over, url, format } =
        definition.clone();
    AlertDefinitionV1 {
        name,
        kind: kind.word().to_owned(),
        tracker,
        brand,
        scraper,
        threshold,
        over: over.map(|over| match over {
            AlertWindow::Runs(runs) => AlertWindowV1::Runs(runs),
            AlertWindow::Days(days) => AlertWindowV1::Days(days),
        }),
        url,
        format: format.word().to_owned(),
    }
}

fn definition_from_disk(disk: AlertDefinitionV1) -> Result<AlertDefinition, StoreError> {
    Ok(AlertDefinition {
        name: disk.name,
        kind: AlertKind::parse(&disk.kind).ok_or(UNKNOWN_WORD)?,
        tracker: disk.tracker,
        brand: disk.brand,
        scraper: disk.scraper,
        threshold: disk.threshold,
        over: disk.over.map(|over| match over {
            AlertWindowV1::Runs(runs) => AlertWindow::Runs(runs),
            AlertWindowV1::Days(days) => AlertWindow::Days(days),
        }),
        url: disk.url,
        format: NoticeFormat::parse(&disk.format).ok_or(UNKNOWN_WORD)?,
    })
}

fn progress_to_disk(progress: &AlertProgress) -> AlertProgressV1 {
    let runs = progress.runs.iter().map(|run| (run.ended_ms, run.measured, run.mentioned));
    let domains = progress.domains.iter().map(|watched| WatchedDomainV1 {
        domain: watched.domain.clone(),
        marked: watched.marked,
        runs: watched.runs.clone(),
        is_present: watched.is_present,
        streak: watched.streak,
    });
    AlertProgressV1 {
        is_firing: progress.is_firing,
        has_data: progress.has_data,
        streak: progress.streak,
        since_ms: progress.since_ms,
        evaluated_ms: progress.evaluated_ms,
        value: progress.value,
        sample: progress.sample,
        spent_day: progress.spent_day,
        mark: progress.mark.map(|mark| (mark.version, mark.day, mark.measured, mark.mentioned)),
        runs: runs.collect(),
        domains: domains.collect(),
        has_domains: progress.has_domains,
        notices: progress.notices.clone(),
        next_notice: progress.next_notice,
    }
}

fn progress_from_disk(disk: AlertProgressV1) -> AlertProgress {
    let runs = disk.runs.into_iter();
    let domains = disk.domains.into_iter().map(|watched| WatchedDomain {
        domain: watched.domain,
        marked: watched.marked,
        runs: watched.runs,
        is_present: watched.is_present,
        streak: watched.streak,
    });
    AlertProgress {
        is_firing: disk.is_firing,
        has_data: disk.has_data,
        streak: disk.streak,
        since_ms: disk.since_ms,
        evaluated_ms: disk.evaluated_ms,
        value: disk.value,
        sample: disk.sample,
        spent_day: disk.spent_day,
        mark: disk.mark.map(|(version, day, measured, mentioned)| RunMark {
            version,
            day,
            measured,
            mentioned,
        }),
        runs: runs
            .map(|(ended_ms, measured, mentioned)| RunSums { ended_ms, measured, mentioned })
            .collect(),
        domains: domains.collect(),
        has_domains: disk.has_domains,
        notices: disk.notices,
        next_notice: disk.next_notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(kind: AlertKind, over: Option<AlertWindow>) -> AlertDefinition {
        AlertDefinition {
            name: "fewer".to_owned(),
            kind,
            tracker: Some("acme".to_owned()),
            brand: None,
            scraper: Some("chatgpt".to_owned()),
            threshold: Some(0.3),
            over,
            url: "https://a.example/".to_owned(),
            format: NoticeFormat::Discord,
        }
    }

    #[test]
    fn alert_and_notice_come_back_as_they_went() {
        let windows = [None, Some(AlertWindow::Runs(3)), Some(AlertWindow::Days(7))];
        let kinds = AlertKind::ALL.into_iter().zip(windows.into_iter().cycle());
        for (kind, over) in kinds {
            let progress = AlertProgress {
                is_firing: true,
                has_data: true,
                streak: 1,
                since_ms: Some(5),
                evaluated_ms: Some(6),
                value: Some(0.25),
                sample: 20,
                spent_day: Some(7),
                mark: Some(RunMark { version: (1, 2), day: 3, measured: 4, mentioned: 5 }),
                runs: vec![RunSums { ended_ms: 8, measured: 9, mentioned: 10 }],
                domains: vec![WatchedDomain {
                    domain: "a.example".to_owned(),
                    marked: 1,
                    runs: vec![2, 3],
                    is_present: true,
                    streak: 1,
                }],
                has_domains: true,
                notices: vec![11, 12],
                next_notice: 13,
            };
            let alert = Alert {
                row: 7,
                nonce: 8,
                account: "team".to_owned(),
                definition: definition(kind, over),
                paused: true,
                created_ms: 1_000,
                version: 4,
                progress,
            };
            let bytes = encode_alert(&alert).unwrap();
            assert_eq!(decode_alert(7, &bytes).unwrap(), alert);
            let row = NoticeRow { subject: "x".to_owned(), hits: 1, total: 2, nanos: Some(3) };
            let facts = NoticeFacts { value: None, sample: 2, since_ms: 3, rows: vec![row] };
            let notice = Notice {
                row: 9,
                nonce: 10,
                alert: Uuid::from_u128(11),
                alert_row: 7,
                account: "team".to_owned(),
                number: 12,
                at_ms: 13,
                is_test: true,
                definition: definition(kind, over),
                facts,
            };
            let bytes = encode_notice(&notice).unwrap();
            assert_eq!(decode_notice(9, &bytes).unwrap(), notice);
        }
    }
}
