//! A room: the browser context of one job, with one window. Nothing that a page leaves there, be it
//! in storage, caches, workers, permissions or the window itself, outlives it.

use std::time::Duration;

use serde_json::{Value, json};

use super::bidi::{Bidi, BidiError};
use crate::country::Country;

/// How long the removal of a room is waited for.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The place at which the browser's user seems to be.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// What is asked for, best first, as `Country::languages` has them.
    pub languages: String,
    /// IANA name; empty for the machine's own.
    pub time_zone: String,
    /// Latitude and longitude, degrees.
    pub at: (f64, f64),
}

impl Whereabouts {
    /// Returns the place that stands for a whole country.
    pub fn of(country: &Country) -> Whereabouts {
        Whereabouts {
            languages: country.languages(),
            time_zone: country.time_zone.to_owned(),
            at: country.at,
        }
    }
}

/// A context with its window. [`Room::leave`] it: dropped, it stays until its browser ends.
#[derive(Clone, Debug)]
pub struct Room {
    pub id: String,
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
        match furnish(&bidi, &id).await {
            Ok((window, devtools)) => Ok(Room { id, window, devtools }),
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
        let Whereabouts { languages, time_zone, at: (latitude, longitude) } = place;
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
        let list = json!({ "userAgent": user_agent, "acceptLanguage": languages });
        bidi.devtools("Emulation.setUserAgentOverride", list, Some(&self.devtools)).await?;
        Ok(())
    }

    /// Removes the room with all that is in it.
    pub async fn leave(self, bidi: Bidi) {
        remove(&bidi, &self.id).await;
    }
}

async fn remove(bidi: &Bidi, id: &str) {
    let removing = bidi.send("browser.removeUserContext", json!({ "userContext": id }));
    // A browser that does not is gone, or is seen to be when the next room is opened.
    let _ = tokio::time::timeout(REMOVE_TIMEOUT, removing).await;
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
