//! The metrics of a process that shares its store with others. They have no samples where the store
//! is a file.

use super::Metric;
use super::table::{MICROSECONDS, MILLISECONDS, counter, gauge, histogram};

pub(crate) const NODE_METRICS: &[Metric] = &[
    gauge("answerd_node_info", "This process as a node of a shared store; always 1.", |it, out| {
        if let Some(node) = &it.node {
            let number = node.number.to_string();
            let version = env!("CARGO_PKG_VERSION");
            out.add(&[("node", &number), ("name", &node.name), ("version", version)], 1.0);
        }
    }),
    gauge("answerd_nodes", "Processes that share the store and beat.", |it, out| {
        out.add_known(it.node.as_ref().map(|node| node.nodes.len() as u64));
    }),
    counter(
        "answerd_nodes_dead_total",
        "Nodes that this one has declared dead since the start, because they did not beat.",
        |it, out| out.add_known(it.node.as_ref().map(|node| node.nodes_dead)),
    ),
    gauge(
        "answerd_leader",
        "1 while this node does what one at a time does, such as the sweep.",
        |it, out| out.add_known(it.node.as_ref().map(|node| u64::from(node.leads))),
    ),
    gauge(
        "answerd_settings_differ",
        "Other nodes whose settings differ from those of this one where they should not.",
        |it, out| {
            let differ = it.node.as_ref().map(|node| {
                node.nodes.iter().filter(|other| !other.settings_differ.is_empty()).count()
            });
            out.add_known(differ.map(|count| count as u64));
        },
    ),
    gauge(
        "answerd_store_connected",
        "Open connections to the database, by what they are for.",
        |it, out| {
            for (role, count) in it.node.iter().flat_map(|node| &node.connections) {
                out.add(&[("role", role)], *count as f64);
            }
        },
    ),
    counter(
        "answerd_store_unknown_outcomes_total",
        "Transactions whose commit was not answered: found committed, or written again.",
        |it, out| {
            if let Some(node) = &it.node {
                out.add(&[("resolved", "committed")], node.unknown_committed as f64);
                out.add(&[("resolved", "again")], node.unknown_again as f64);
            }
        },
    ),
    histogram(
        "answerd_store_read_batch_rows",
        "How many rows were read from the database together.",
        |it, out| {
            if let Some(node) = &it.node {
                out.histogram(&[], &node.read_rows, 1.0);
            }
        },
    ),
    histogram(
        "answerd_reserve_seconds",
        "How long it took to take open jobs of the queue.",
        |it, out| {
            if let Some(node) = &it.node {
                out.histogram(&[], &node.reserves_us, MICROSECONDS);
            }
        },
    ),
    histogram(
        "answerd_wake_lag_seconds",
        "How long a message took through the database to the nodes.",
        |it, out| {
            if let Some(node) = &it.node {
                out.histogram(&[], &node.wake_lags_us, MICROSECONDS);
            }
        },
    ),
    counter(
        "answerd_wake_missed_total",
        "Ends of jobs since the start that no message has reported in time.",
        |it, out| out.add_known(it.node.as_ref().map(|node| node.wakes_missed)),
    ),
    gauge(
        "answerd_clock_offset_seconds",
        "How far the database's clock is ahead of that of this machine.",
        |it, out| {
            if let Some(ahead_ms) = it.node.as_ref().and_then(|node| node.clock_ahead_ms) {
                out.add(&[], ahead_ms as f64 / MILLISECONDS);
            }
        },
    ),
    gauge("answerd_hours", "Hours that have tables in the database.", |it, out| {
        out.add_known(it.node.as_ref().and_then(|node| node.database).map(|it| it.hours));
    }),
    gauge(
        "answerd_queue_dead_rows",
        "Removed rows of the queue that the database has not cleared away.",
        |it, out| {
            let database = it.node.as_ref().and_then(|node| node.database);
            out.add_known(database.map(|database| database.queue_dead_rows));
        },
    ),
    gauge(
        "answerd_store_oldest_snapshot_seconds",
        "The age of the oldest transaction that keeps removed rows.",
        |it, out| {
            if let Some(database) = it.node.as_ref().and_then(|node| node.database) {
                out.add(&[], database.oldest_snapshot_ms as f64 / MILLISECONDS);
            }
        },
    ),
];
