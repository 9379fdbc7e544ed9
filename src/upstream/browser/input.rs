//! Mouse and keys of a session.

use serde_json::{Value, json};

use super::bounds::Bounds;
use super::fault::Fault;
use super::session::Session;
use super::setup::COMMAND_TIMEOUT;

impl Session {
    /// Presses and releases the mouse at a point of the window.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn click(&mut self, x: i64, y: i64, bounds: &Bounds) -> Result<(), Fault> {
        let (left, top) = self.frame_begin(bounds).await?;
        let steps = json!([
            { "type": "pointerMove", "x": left + x, "y": top + y },
            { "type": "pointerDown", "button": 0 },
            { "type": "pointerUp", "button": 0 },
        ]);
        self.act("clicking", pointer(steps), bounds).await
    }

    /// Moves the mouse to a point of the window and leaves it there.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn hover(&mut self, x: i64, y: i64, bounds: &Bounds) -> Result<(), Fault> {
        let (left, top) = self.frame_begin(bounds).await?;
        let steps = json!([{ "type": "pointerMove", "x": left + x, "y": top + y }]);
        self.act("hovering", pointer(steps), bounds).await
    }

    /// Presses keys in whatever has the focus.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn press(&mut self, control: bool, key: char, bounds: &Bounds) -> Result<(), Fault> {
        const CONTROL: char = '\u{e009}';
        let stroke = |kind: &str, key: char| json!({ "type": kind, "value": key });
        let mut steps = vec![stroke("keyDown", key), stroke("keyUp", key)];
        if control {
            steps.insert(0, stroke("keyDown", CONTROL));
            steps.push(stroke("keyUp", CONTROL));
        }
        self.act("pressing a key", json!({ "type": "key", "id": "keys", "actions": steps }), bounds)
            .await
    }

    async fn act(&mut self, doing: &str, source: Value, bounds: &Bounds) -> Result<(), Fault> {
        let asked = json!({ "context": self.room.window, "actions": [source] });
        let acting = self.browser.bidi.send("input.performActions", asked);
        let acted = self.wait(doing, &bounds.within(COMMAND_TIMEOUT), acting).await?;
        // What an action leaves is no failure of the action.
        match acted.map_err(Fault::from) {
            Err(Fault::Navigated) | Ok(_) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Puts text in where the focus is, as the browser's own input method does.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn insert_text(&mut self, text: &str, bounds: &Bounds) -> Result<(), Fault> {
        let (bidi, session) = (&self.browser.bidi, &self.room.devtools);
        let sent = bidi.devtools("Input.insertText", json!({ "text": text }), Some(session));
        let bounds = bounds.within(COMMAND_TIMEOUT);
        let sent = self.wait("talking to the browser", &bounds, sent).await?;
        Ok(sent.map(drop)?)
    }
}

/// What the mouse does, as a source of input.
fn pointer(steps: Value) -> Value {
    json!({ "type": "pointer", "id": "mouse", "actions": steps })
}
