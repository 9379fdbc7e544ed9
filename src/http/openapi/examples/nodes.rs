//! The processes that share a store, as examples.

use serde_json::{Value, json};

pub(crate) fn nodes() -> Value {
    let node = |name: &str, number: u32, is_first: bool| {
        let beat_seconds = if is_first { 0.0 } else { 0.6 };
        json!({
            "name": name, "number": number, "version": env!("CARGO_PKG_VERSION"),
            "started_at": "2026-05-11T09:00:00+00:00", "beat_seconds": beat_seconds,
            "workers": 64, "running": 8, "leader": is_first, "settings_differ": [],
            "is_self": is_first,
        })
    };
    json!({ "nodes": [node("front-1", 12, true), node("front-2", 9, false)] })
}
