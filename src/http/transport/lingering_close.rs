//! Closes a connection in stages after a refusal (RFC 9112, section 9.6): a client that still sends
//! when its connection is closed with bytes unread is reset, and may never see why it was refused.

use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_rt::net::TcpStream;

/// The most that is read on of one connection, bytes.
const BYTES_MAX: usize = 32 << 20;
/// The longest that is read on.
const TIME_MAX: Duration = Duration::from_secs(10);
/// The most connections that are read on at once; others are closed at once.
const CONNECTIONS_MAX: usize = 1_024;
/// What is sent first to a client that asks before it sends a body, often in one write with the
/// reply.
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
/// How much is read at a time, bytes.
const PIECE_BYTES: usize = 8 << 10;

/// How many connections are being read on.
static LINGERING: AtomicUsize = AtomicUsize::new(0);

/// The place of a connection among those, free again when it is dropped.
struct Place;

impl Place {
    fn take() -> Option<Place> {
        let taken = LINGERING.fetch_add(1, Ordering::Relaxed);
        // Dropped if it is one too many.
        let place = Place;
        (taken < CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LINGERING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns whether a reply begins here that refuses its request and ends the connection. The
/// library writes the status, the length, and then whether the connection is kept. Its own
/// refusals, of what is no HTTP request, may not say so: they are the only ones without a body.
pub(crate) fn refuses_and_closes(reply: &[u8]) -> bool {
    let reply = reply.strip_prefix(CONTINUE.as_bytes()).unwrap_or(reply);
    let Some(rest) = reply.strip_prefix(b"HTTP/1.") else { return false };
    if !matches!(rest.get(2), Some(b'4' | b'5')) {
        return false;
    }
    let says = |word: &[u8]| rest.split(|byte| *byte == b'\n').take(3).any(|line| line == word);
    let closes = if rest.starts_with(b"0") {
        !says(b"connection: keep-alive\r")
    } else {
        says(b"connection: close\r")
    };
    closes || says(b"content-length: 0\r")
}

/// Reads a connection on in the background, within bounds, until its client has closed it too.
/// Nothing more is sent; the caller may drop the stream.
pub(crate) fn read_on(stream: &TcpStream) {
    let (Some(place), Ok(runtime)) = (Place::take(), tokio::runtime::Handle::try_current()) else {
        return;
    };
    let Ok(socket) = socket2::SockRef::from(stream).try_clone() else { return };
    // It fails where the client has closed already.
    let _ = socket.shutdown(Shutdown::Write);
    let Ok(stream) = TcpStream::from_std(socket.into()) else { return };
    runtime.spawn(async move {
        let _place = place;
        // What is over the time is closed as it is.
        let _ = tokio::time::timeout(TIME_MAX, discard(&stream)).await;
    });
}

async fn discard(stream: &TcpStream) {
    let mut piece = [0; PIECE_BYTES];
    let mut bytes = 0;
    while bytes < BYTES_MAX && stream.readable().await.is_ok() {
        match stream.try_read(&mut piece) {
            Ok(0) => return,
            Ok(read) => bytes += read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_that_end_the_connection_are_recognized() {
        let length = "content-length: 4";
        let closes = "connection: close\r\n";
        for (reply, expected) in [
            (format!("HTTP/1.1 413 Payload Too Large\r\n{length}\r\nconnection: close\r\n"), true),
            ("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n".to_owned(), true),
            (format!("HTTP/1.0 403 Forbidden\r\n{length}\r\n\r\n"), true),
            (format!("HTTP/1.0 403 Forbidden\r\n{length}\r\nconnection: keep-alive\r\n"), false),
            (format!("{CONTINUE}HTTP/1.1 413 Payload Too Large\r\n{length}\r\n{closes}"), true),
            (format!("{CONTINUE}HTTP/1.1 413 Payload Too Large\r\n{length}\r\ndate: x\r\n"), false),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n".to_owned(), true),
            (CONTINUE.to_owned(), false),
            (format!("HTTP/1.1 404 Not Found\r\n{length}\r\ndate: x\r\n"), false),
            (format!("HTTP/1.1 200 OK\r\n{length}\r\nconnection: close\r\n\r\n"), false),
            ("a body\r\nconnection: close\r\n".to_owned(), false),
        ] {
            assert_eq!(refuses_and_closes(reply.as_bytes()), expected, "{reply}");
        }
    }
}
