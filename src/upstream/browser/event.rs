//! What a browser tells without being asked.

use serde_json::Value;

/// The channel on which the page's script tells.
pub(crate) const CHANNEL: &str = "answerd";

/// The events that a browser is asked for.
pub(crate) const WANTED: [&str; 7] = [
    "script.message",
    "browsingContext.contextCreated",
    "browsingContext.contextDestroyed",
    "browsingContext.userPromptOpened",
    "browsingContext.navigationCommitted",
    "browsingContext.domContentLoaded",
    "goog:cdp.Inspector.targetCrashed",
];

/// An event; `window` is the id of a window or a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserEvent {
    /// The page's script tells how the page stands.
    Told { window: String, text: String },
    /// A window was opened, by a page or by us.
    Opened { window: String, room: String },
    /// A window or a frame was closed.
    Gone { window: String },
    /// A dialog was opened; it is dismissed already.
    Dialog { window: String, text: String },
    /// Another document has begun.
    Moved { window: String },
    /// The document is there, but for pictures and the like.
    Ready { window: String },
    /// The page's process has ended; the session is that of Chrome DevTools.
    Crashed { session: String },
}

impl BrowserEvent {
    /// Returns the room that an event is of; `None` if it does not say.
    pub fn room(event: &Value) -> Option<&str> {
        let params = &event["params"];
        params["userContext"].as_str().or_else(|| params["source"]["userContext"].as_str())
    }

    /// Reads an event; `None` for one that was not asked for.
    pub fn read(event: &Value) -> Option<BrowserEvent> {
        let params = &event["params"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let window = text(&params["context"]);
        Some(match event["method"].as_str()? {
            "script.message" if params["channel"] == CHANNEL => BrowserEvent::Told {
                window: text(&params["source"]["context"])?,
                text: text(&params["data"]["value"])?,
            },
            "browsingContext.contextCreated" if params["parent"].is_null() => {
                BrowserEvent::Opened { window: window?, room: text(&params["userContext"])? }
            }
            "browsingContext.contextDestroyed" => BrowserEvent::Gone { window: window? },
            "browsingContext.userPromptOpened" => {
                BrowserEvent::Dialog { window: window?, text: text(&params["message"])? }
            }
            "browsingContext.navigationCommitted" => BrowserEvent::Moved { window: window? },
            "browsingContext.domContentLoaded" => BrowserEvent::Ready { window: window? },
            "goog:cdp.Inspector.targetCrashed" => {
                BrowserEvent::Crashed { session: text(&params["session"])? }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_as_far_as_they_are_wanted() {
        let created = |parent: Value| {
            BrowserEvent::read(&json!({
                "type": "event",
                "method": "browsingContext.contextCreated",
                "params": { "context": "w", "userContext": "r", "parent": parent },
            }))
        };
        let opened = BrowserEvent::Opened { window: "w".to_owned(), room: "r".to_owned() };
        assert_eq!(created(Value::Null), Some(opened));
        assert_eq!(created(json!("above")), None, "a frame");
        let told = |channel: &str| {
            let source = json!({ "context": "w", "realm": "1" });
            let data = json!({ "type": "string", "value": "{}" });
            let params = json!({ "channel": channel, "data": data, "source": source });
            BrowserEvent::read(&json!({ "method": "script.message", "params": params }))
        };
        let expected = BrowserEvent::Told { window: "w".to_owned(), text: "{}".to_owned() };
        assert_eq!(told(CHANNEL), Some(expected));
        assert_eq!(told("another"), None);
        assert_eq!(BrowserEvent::read(&json!({ "method": "log.entryAdded", "params": {} })), None);
    }
}
