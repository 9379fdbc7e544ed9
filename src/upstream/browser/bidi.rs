//! WebDriver BiDi: commands and events as JSON over one WebSocket for each browser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::event::BrowserEvent;

/// The largest message of a browser that is taken, bytes: a page's HTML, or a picture of it.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The most events of a room that wait to be read; a page that brings about more loses some.
const EVENTS_MAX: usize = 1_000;

/// The reason why a command was not done, in the browser's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidiError {
    /// The error code of W3C WebDriver; [`CLOSED`] if the browser is gone.
    pub code: String,
    pub message: String,
}

/// The code of an error without an answer: the connection is closed.
pub(crate) const CLOSED: &str = "closed";

type CommandResult = Result<Value, BidiError>;

/// One browser's connection; clones share it, and the last one closes it.
#[derive(Clone)]
pub struct Bidi {
    waiting: Arc<Mutex<Waiting>>,
    outbox: mpsc::UnboundedSender<Message>,
}

#[derive(Default)]
struct Waiting {
    last_id: u64,
    replies: HashMap<u64, oneshot::Sender<CommandResult>>,
    /// Who is told of events, by the room that they are of.
    listeners: HashMap<String, mpsc::Sender<BrowserEvent>>,
    is_closed: bool,
}

impl Waiting {
    fn tell(&self, room: Option<&str>, event: &BrowserEvent) {
        let listeners = self.listeners.iter();
        for (_, listener) in listeners.filter(|(known, _)| room.is_none_or(|room| room == *known)) {
            // One too many, or nobody reads them.
            let _ = listener.try_send(event.clone());
        }
    }
}

impl Bidi {
    /// Connects to the address that a new session has given. Runs on the runtime of the caller.
    ///
    /// # Errors
    /// Returns the reason if there is no connection.
    pub async fn connect(url: &str) -> Result<Bidi, String> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let connected = connect_async_with_config(url, Some(config), true).await;
        let (socket, _) = connected.map_err(|error| error.to_string())?;
        let (mut sink, mut stream) = socket.split();
        let (outbox, mut letters) = mpsc::unbounded_channel::<Message>();
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        tokio::spawn(async move {
            while let Some(letter) = letters.recv().await {
                if sink.send(letter).await.is_err() {
                    break;
                }
            }
            // Nobody has anything to say any more.
            let _ = sink.close().await;
        });
        let answered = waiting.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Text(text) = message else { continue };
                let Ok(value) = serde_json::from_str::<Value>(&text) else { continue };
                match value["id"].as_u64() {
                    Some(id) => answer(&answered, id, value),
                    None => {
                        if let Some(event) = BrowserEvent::read(&value) {
                            let room = BrowserEvent::room(&value);
                            lock(&answered).tell(room, &event);
                        }
                    }
                }
            }
            let mut waiting = lock(&answered);
            waiting.is_closed = true;
            // Whoever waits learns it by the drop.
            waiting.replies.clear();
            waiting.listeners.clear();
        });
        Ok(Bidi { waiting, outbox })
    }

    /// Returns the events of a room from now on, until [`Bidi::forget`]. They end with the
    /// connection.
    pub fn listen(&self, room: &str) -> mpsc::Receiver<BrowserEvent> {
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let mut waiting = lock(&self.waiting);
        if !waiting.is_closed {
            waiting.listeners.insert(room.to_owned(), events);
        }
        received
    }

    /// Ends the events of a room.
    pub fn forget(&self, room: &str) {
        lock(&self.waiting).listeners.remove(room);
    }

    /// Sends a command at once; what is returned waits for its result.
    ///
    /// # Errors
    /// Returns an error from the future if the browser refuses the command, or is gone.
    pub fn send(&self, method: &str, params: Value) -> impl Future<Output = CommandResult> + use<> {
        let (sender, reply) = oneshot::channel();
        let id = {
            let mut waiting = lock(&self.waiting);
            waiting.last_id += 1;
            let id = waiting.last_id;
            if !waiting.is_closed {
                waiting.replies.insert(id, sender);
            }
            id
        };
        let text = json!({ "id": id, "method": method, "params": params }).to_string();
        // Where nobody takes it any more, the reply is dropped too.
        let _ = self.outbox.send(Message::text(text));
        async move {
            reply.await.unwrap_or_else(|_| {
                let message = "the connection to the browser is closed".to_owned();
                Err(BidiError { code: CLOSED.to_owned(), message })
            })
        }
    }

    /// Sends a command of the Chrome DevTools Protocol, to a target's session or to the browser.
    ///
    /// # Errors
    /// Returns an error from the future if the browser refuses the command, or is gone.
    pub fn devtools(
        &self,
        method: &str,
        params: Value,
        session: Option<&str>,
    ) -> impl Future<Output = CommandResult> + use<> {
        let mut command = json!({ "method": method, "params": params });
        if let Some(session) = session {
            command["session"] = json!(session);
        }
        self.send("goog:cdp.sendCommand", command)
    }

    /// Returns whether the connection still stands.
    pub fn is_open(&self) -> bool {
        !lock(&self.waiting).is_closed
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(waiting: &Mutex<Waiting>, id: u64, mut value: Value) {
    let reply = lock(waiting).replies.remove(&id);
    let Some(reply) = reply else { return };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let result = match value["error"].is_null() {
        true => Ok(value["result"].take()),
        false => Err(BidiError { code: text(&value["error"]), message: text(&value["message"]) }),
    };
    // Whoever asked may have left.
    let _ = reply.send(result);
}
