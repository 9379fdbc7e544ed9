//! A room: the browser context of one job, with one window. Nothing that a page leaves there, be it
//! in storage, caches, workers, permissions or the window itself, outlives it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::bidi::{Bidi, BidiError};
use super::event::BrowserEvent;
use super::whereabouts::{MOBILE_PIXELS, MOBILE_SCALE, Whereabouts};

/// How long the removal of a room is waited for.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A context with its window. [`Room::leave`] it: dropped, it stays until its browser ends.
pub struct Room {
    pub id: String,
    pub events: mpsc::Receiver<BrowserEvent>,
    pub window: String,
    /// The window's session of Chrome DevTools.
    pub devtools: String,
}

impl Room {
    /// Opens a room in a browser.
    ///
    /// # Errors
    /// Returns an error if the browser refuses, or is gone.
    pub async fn open(bidi: Bidi) -> Result<Room, BidiError> {
        let id = text(&bidi.send("browser.createUserContext", json!({})).await?["userContext"]);
        let events = bidi.listen(&id);
        match furnish(&bidi, &id).await {
            Ok((window, devtools)) => Ok(Room { id, events, window, devtools }),
            Err(error) => {
                remove(&bidi, &id).await;
                Err(error)
            }
        }
    }

    /// Sets where its pages take themselves to be. `user_agent` is the browser's own.
    ///
    /// # Errors
    /// Returns an error if the browser refuses, or is gone.
    pub async fn settle(
        &self,
        bidi: &Bidi,
        place: &Whereabouts,
        user_agent: &str,
    ) -> Result<(), BidiError> {
        let rooms = json!([self.id]);
        let Whereabouts { languages, time_zone, at: (latitude, longitude), .. } = place;
        let locale = languages.split(',').next().unwrap_or_default();
        let locale = json!({ "locale": locale, "userContexts": rooms });
        let at = json!({ "latitude": latitude, "longitude": longitude, "accuracy": 1000 });
        let at = json!({ "coordinates": at, "userContexts": rooms });
        let locale = bidi.send("emulation.setLocaleOverride", locale);
        let at = bidi.send("emulation.setGeolocationOverride", at);
        if !time_zone.is_empty() {
            let zone = json!({ "timezone": time_zone, "userContexts": rooms });
            bidi.send("emulation.setTimezoneOverride", zone).await?;
        }
        at.await?;
        locale.await?;
        // The locale alone has pages told of one language; a browser has a list.
        let mut identity = json!({ "userAgent": user_agent, "acceptLanguage": languages });
        if place.is_mobile() {
            identity["userAgent"] = json!(mobile(user_agent));
            identity["userAgentMetadata"] = json!({
                "platform": "Android", "platformVersion": "10", "architecture": "", "model": "K",
                "mobile": true,
            });
            let (width, height) = MOBILE_PIXELS;
            let screen = json!({
                "width": width, "height": height, "deviceScaleFactor": MOBILE_SCALE,
                "mobile": true,
            });
            let touch = json!({ "enabled": true });
            self.devtools(bidi, "Emulation.setDeviceMetricsOverride", screen).await?;
            self.devtools(bidi, "Emulation.setTouchEmulationEnabled", touch).await?;
        }
        self.devtools(bidi, "Emulation.setUserAgentOverride", identity).await
    }

    async fn devtools(&self, bidi: &Bidi, method: &str, params: Value) -> Result<(), BidiError> {
        bidi.devtools(method, params, Some(&self.devtools)).await.map(drop)
    }

    /// Returns whether the window or its process is gone already. Takes the events that there are.
    pub fn is_lost(&mut self) -> bool {
        let mut is_lost = false;
        while let Ok(event) = self.events.try_recv() {
            is_lost |= match event {
                BrowserEvent::Gone { window } => window == self.window,
                BrowserEvent::Crashed { session } => session == self.devtools,
                BrowserEvent::Told { .. } | BrowserEvent::Opened { .. } => false,
                BrowserEvent::Moved { .. } | BrowserEvent::Ready { .. } => false,
                BrowserEvent::Dialog { .. } => false,
            };
        }
        is_lost
    }

    /// Removes the room with all that is in it; returns whether the browser has.
    pub async fn leave(self, bidi: &Bidi) -> bool {
        remove(bidi, &self.id).await
    }
}

async fn remove(bidi: &Bidi, id: &str) -> bool {
    bidi.forget(id);
    let removing = bidi.send("browser.removeUserContext", json!({ "userContext": id }));
    matches!(tokio::time::timeout(REMOVE_TIMEOUT, removing).await, Ok(Ok(_)))
}

/// Opens the window and sets what is the same for every job.
async fn furnish(bidi: &Bidi, id: &str) -> Result<(String, String), BidiError> {
    let permission = |name: &str, setting: &str| {
        let permission = json!({ "name": name });
        let params =
            json!({ "permission": permission, "setting": setting, "browserContextId": id });
        bidi.devtools("Browser.setPermission", params, None)
    };
    let created = bidi.send("browsingContext.create", json!({ "type": "tab", "userContext": id }));
    let geolocation = permission("geolocation", "granted");
    let notifications = permission("notifications", "denied");
    let denied = json!({ "downloadBehavior": { "type": "denied" }, "userContexts": [id] });
    let downloads = bidi.send("browser.setDownloadBehavior", denied);
    let window = text(&created.await?["context"]);
    let session = bidi.send("goog:cdp.getSession", json!({ "context": window })).await?;
    let session = text(&session["session"]);
    // Without it nobody learns that a page's process has ended.
    bidi.devtools("Inspector.enable", json!({}), Some(&session)).await?;
    geolocation.await?;
    notifications.await?;
    downloads.await?;
    Ok((window, session))
}

/// Returns what a browser of a version calls itself on a phone.
fn mobile(user_agent: &str) -> String {
    let name = match (user_agent.split_once('('), user_agent.split_once(')')) {
        (Some((before, _)), Some((_, after))) => format!("{before}(Linux; Android 10; K){after}"),
        _ => user_agent.to_owned(),
    };
    name.replace(" Safari/", " Mobile Safari/")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_has_the_version_of_the_browser() {
        let desktop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                       HeadlessChrome/156.0.0.0 Safari/537.36";
        let phone = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                     HeadlessChrome/156.0.0.0 Mobile Safari/537.36";
        assert_eq!(mobile(desktop), phone);
        assert_eq!(mobile("Other"), "Other");
    }
}
