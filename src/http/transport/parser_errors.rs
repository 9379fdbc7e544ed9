//! The HTTP parser's own refusals, as JSON: what it cannot read never reaches a handler, and it
//! answers with a bare status. This stream replaces that answer on its way out (contract 1.10:
//! errors are JSON, always). A connection that a refusal ends is read on for a while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::{ActixStream, Ready, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use uuid::Uuid;

use crate::http::transport::lingering_close;
use crate::http::transport::write_timeout::WriteStall;

/// A bare answer of the parser: its status, and what goes out instead of it.
struct Refusal {
    bare: &'static str,
    status: &'static str,
    code: &'static str,
    detail: &'static str,
}

const TOO_LONG: Refusal = Refusal {
    bare: "431 Request Header Fields Too Large",
    status: "413 Payload Too Large",
    code: "url_too_long",
    detail: "The URL and the headers together are too large. A POST takes the parameters as a JSON \
             body too.",
};

const REFUSALS: &[Refusal] = &[
    Refusal {
        bare: "400 Bad Request",
        status: "400 Bad Request",
        code: "request_invalid",
        detail: "The request is not valid HTTP/1.1. A URL must be percent-encoded.",
    },
    TOO_LONG,
    Refusal {
        bare: "408 Request Timeout",
        status: "408 Request Timeout",
        code: "request_timeout",
        detail: "The request's head did not arrive in time.",
    },
];

/// All that a bare answer has. The version and `connection` are those of the request before it on the
/// same connection; none of our answers goes without a body and its type.
const BARE_HEADERS: &[&str] = &["content-length: 0", "connection: ", "date: "];

impl Refusal {
    /// The one that these bytes are, if they are nothing but a bare answer.
    fn of(bytes: &[u8]) -> Option<&'static Refusal> {
        let told = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
        let refusal = REFUSALS.iter().find(|refusal| told.starts_with(refusal.bare.as_bytes()))?;
        let rest = std::str::from_utf8(&told[refusal.bare.len()..]).ok()?;
        let headers = rest.strip_prefix("\r\n")?.strip_suffix("\r\n\r\n")?;
        let bare = |header: &str| BARE_HEADERS.iter().any(|known| header.starts_with(known));
        headers.split("\r\n").all(bare).then_some(refusal)
    }

    fn reply(&self) -> Vec<u8> {
        let Refusal { status, code, detail, .. } = self;
        let body = serde_json::json!({ "detail": detail, "code": code }).to_string();
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\nx-request-id: {}\r\n\r\n{body}",
            body.len(),
            Uuid::new_v4()
        )
        .into_bytes()
    }
}

/// The longest URL that the parser reads, bytes; a longer one is no valid URL to it. The crate `http`
/// counts them in sixteen bits.
const PARSED_URL_BYTES_MAX: usize = 65_534;

/// The first line of a request, as it arrives.
#[derive(Default)]
struct FirstLine {
    bytes: usize,
    complete: bool,
}

impl FirstLine {
    fn arrives(&mut self, bytes: &[u8]) {
        if !self.complete {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.bytes += end.unwrap_or(bytes.len());
            self.complete = end.is_some();
        }
    }

    /// What goes out instead of a bare answer to it.
    fn refusal(&self, bare: &'static Refusal) -> &'static Refusal {
        if self.bytes > PARSED_URL_BYTES_MAX { &TOO_LONG } else { bare }
    }
}

/// A connection whose bare refusals go out as JSON, and that ends when its client does not read.
pub struct Connection {
    stream: TcpStream,
    stall: WriteStall,
    /// Of what has come since something was last sent.
    first_line: FirstLine,
    /// What still has to go out instead of a bare refusal.
    replacement: Option<(Vec<u8>, usize)>,
    /// Whether what was sent last refuses a request and ends the connection.
    refused: bool,
}

impl Connection {
    /// A write may wait for `write_timeout` without any progress.
    pub fn new(stream: TcpStream, write_timeout: Duration) -> Connection {
        Connection {
            stream,
            stall: WriteStall::new(write_timeout),
            first_line: FirstLine::default(),
            replacement: None,
            refused: false,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.refused {
            lingering_close::read_on(&self.stream);
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.replacement.is_none() {
            let refusal = Refusal::of(bytes).map(|bare| this.first_line.refusal(bare));
            if bytes.starts_with(b"HTTP/") {
                this.refused = refusal.is_some() || lingering_close::refuses_and_closes(bytes);
            }
            this.replacement = refusal.map(|refusal| (refusal.reply(), 0));
            this.first_line = FirstLine::default();
        }
        let Some((reply, sent)) = &mut this.replacement else {
            let written = this.stall.poll_write(&mut this.stream, context, bytes);
            // Nobody reads there any more.
            this.refused &= !matches!(written, Poll::Ready(Err(_)));
            return written;
        };
        // The caller offers the same bytes again until all of ours are out.
        while *sent < reply.len() {
            let rest = &reply[*sent..];
            let written = ready!(this.stall.poll_write(&mut this.stream, context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += written;
        }
        this.replacement = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.first_line.arrives(&buffer.filled()[before..]);
        read
    }
}

impl ActixStream for Connection {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.stream, context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.stream, context)
    }
}
