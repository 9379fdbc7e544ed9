//! A client's connection: it ends when its client does not read, and is read on for a while after a
//! refusal ends it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::net::{ActixStream, Ready, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::transport::lingering_close;
use crate::http::transport::write_timeout::WriteTimeout;

pub(crate) struct Connection {
    stream: TcpStream,
    write_timeout: WriteTimeout,
    /// Whether what was sent last refuses a request.
    refused: bool,
}

impl Connection {
    /// Wraps a stream. A write may wait for `write_timeout` without any progress.
    pub(crate) fn new(stream: TcpStream, write_timeout: Duration) -> Connection {
        Connection { stream, write_timeout: WriteTimeout::new(write_timeout), refused: false }
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
        if bytes.starts_with(b"HTTP/") {
            this.refused = lingering_close::refuses_and_closes(bytes);
        }
        let written = this.write_timeout.poll_write(&mut this.stream, context, bytes);
        // The client does not read any more.
        this.refused &= !matches!(written, Poll::Ready(Err(_)));
        written
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
        Pin::new(&mut self.stream).poll_read(context, buffer)
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
