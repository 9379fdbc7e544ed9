//! What nodes publish of themselves, and how the others see it: for operators, and for what is
//! shared out among all.

use std::collections::BTreeMap;

use super::connect::PgSession;
use super::error::PgError;
use super::lead::TIMER;
use super::nodes::NodeNumber;
use super::process::Process;
use crate::clock::UnixMs;
use crate::config::Agreement;
use crate::store::{NodeNews, NodeReport};

const PUBLISH: &str = "UPDATE nodes SET workers = $2, settings = $3 WHERE node = $1";
const SEEN: &str = "
    SELECT node, name, version, started_ms, workers, settings,
           coalesce(node = (SELECT node FROM leads WHERE name = $1), false)
    FROM nodes WHERE NOT fenced ORDER BY name";

/// The news that a node has published, and the differences that it has seen.
#[derive(Default)]
pub(super) struct Neighbors {
    /// The latest of a registration.
    published: Option<(NodeNumber, NodeNews)>,
    /// The differences that were logged.
    differing: BTreeMap<String, Vec<&'static str>>,
}

impl Neighbors {
    /// Publishes what is new of this node, and looks at all of them. `seen_ms` says when the latest
    /// beat of another node was seen first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn meet(
        &mut self,
        session: &PgSession,
        process: &Process,
        seen_ms: impl Fn(NodeNumber) -> Option<u64>,
    ) -> Result<(), PgError> {
        let own = process.status.number();
        let news = process.listener.get().map(|it| it.news()).unwrap_or_default();
        let latest = Some((own, news.clone()));
        if self.published != latest {
            publish(session, own, &news).await?;
            self.published = latest;
        }
        let now_ms = process.status.now_ms();
        let found = session.query(SEEN, &[&TIMER]).await?;
        let mut nodes: Vec<NodeReport> = found.iter().map(node_report).collect();
        for node in &mut nodes {
            let number = NodeNumber(node.number as i32);
            node.is_self = number == own;
            node.silent_ms = seen_ms(number).map_or(0, |seen_ms| now_ms.saturating_sub(seen_ms));
            if let (Some(own), Some(others)) = (&news.settings, &node.news.settings) {
                node.settings_differ = own.differences(others);
            }
        }
        self.warn_of_differences(&nodes);
        process.figures.saw_nodes(nodes);
        Ok(())
    }

    /// Logs each difference once.
    fn warn_of_differences(&mut self, nodes: &[NodeReport]) {
        let differing = nodes.iter().filter(|node| !node.settings_differ.is_empty());
        let differing = differing.map(|node| (node.name.clone(), node.settings_differ.clone()));
        let differing: BTreeMap<String, Vec<&'static str>> = differing.collect();
        for (name, parts) in &differing {
            if self.differing.get(name) != Some(parts) {
                tracing::warn!(
                    node = name,
                    parts = parts.join(", "),
                    "the settings of another node differ from those of this one; give both the same"
                );
            }
        }
        self.differing = differing;
    }
}

async fn publish(session: &PgSession, node: NodeNumber, news: &NodeNews) -> Result<(), PgError> {
    // Plain numbers and names always serialize.
    let load = serde_json::to_vec(news).unwrap_or_default();
    let settings = news.settings.map(Agreement::to_bytes).unwrap_or_default();
    session.execute(PUBLISH, &[&node.0, &load, &settings]).await.map(drop)
}

fn node_report(row: &tokio_postgres::Row) -> NodeReport {
    // What another version wrote differently says nothing.
    let news: NodeNews = serde_json::from_slice(row.get(4)).unwrap_or_default();
    NodeReport {
        number: row.get::<_, i32>(0) as u32,
        name: row.get(1),
        version: row.get(2),
        started_ms: row.get::<_, i64>(3) as UnixMs,
        news: NodeNews { settings: Agreement::from_bytes(row.get(5)), ..news },
        leads: row.get(6),
        silent_ms: 0,
        settings_differ: Vec::new(),
        is_self: false,
    }
}
