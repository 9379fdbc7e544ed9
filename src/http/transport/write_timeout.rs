//! Ends connections whose client does not read what it asked for: it would hold the reply in memory
//! for as long as TCP keeps the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::TcpStream;
use tokio::io::AsyncWrite;
use tokio::time::Sleep;

/// Watches the writes of one connection. It costs nothing until a write has to wait.
pub(crate) struct WriteTimeout {
    /// How long a write may wait without any progress.
    timeout: Duration,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout {
    pub(crate) fn new(timeout: Duration) -> WriteTimeout {
        WriteTimeout { timeout, timer: None }
    }

    /// Writes to the stream.
    ///
    /// # Errors
    /// Returns the errors of the stream; `TimedOut` when nothing could be written for too long.
    /// What its buffers hold is given up then, and the other end is told so.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut TcpStream,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *stream).poll_write(context, bytes);
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeout)));
        ready!(timer.as_mut().poll(context));
        // Closing would leave what is unsent to the kernel, which tries for minutes.
        socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::future::Either;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// Writes until a write waits or fails.
    async fn fill(writes: &mut WriteTimeout, stream: &mut TcpStream) -> io::Result<()> {
        poll_fn(|context| {
            loop {
                match writes.poll_write(stream, context, &[0; 64 << 10]) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    #[test]
    fn the_time_runs_only_while_nothing_is_written() {
        actix_web::rt::System::new().block_on(async {
            let (mut server, mut client) = pair().await;
            let mut writes = WriteTimeout::new(LONG);
            assert!(writes.timer.is_none());
            fill(&mut writes, &mut server).await.unwrap();
            assert!(writes.timer.is_some());
            // Something is written as soon as there is room for it.
            let mut taken = vec![0; 8 << 20];
            let read = async { while client.read(&mut taken).await.unwrap() > 0 {} };
            let write = poll_fn(|context| writes.poll_write(&mut server, context, &[0]));
            let written = futures_util::future::select(Box::pin(read), write).await;
            assert!(matches!(written, Either::Right((Ok(1), _))));
            assert!(writes.timer.is_none());
        });
    }

    #[test]
    fn a_client_that_reads_nothing_is_reset() {
        actix_web::rt::System::new().block_on(async {
            let (mut server, mut client) = pair().await;
            let mut writes = WriteTimeout::new(Duration::from_millis(1));
            let stalled = poll_fn(|context| {
                loop {
                    if let Err(error) =
                        ready!(writes.poll_write(&mut server, context, &[0; 64 << 10]))
                    {
                        return Poll::Ready(error);
                    }
                }
            });
            assert_eq!(stalled.await.kind(), io::ErrorKind::TimedOut);
            drop(server);
            let error = client.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        });
    }
}
