//! The wait for a read by a thread that may block.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// The wait for a future by a thread of the engine, or by one that handlers hand work to.
pub trait Blocking: Future + Sized {
    /// Waits and blocks the thread; not for handlers.
    fn wait(self) -> Self::Output {
        let mut future = pin!(self);
        // Reads of an embedded store are ready at once, and need no waker.
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            // One that was woken before it is parked goes on at once.
            thread::park();
        }
    }
}

impl<F: Future> Blocking for F {}

/// A thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn future_that_is_ready_does_not_block() {
        assert_eq!(async { 7 }.wait(), 7);
    }

    #[test]
    fn thread_sleeps_until_another_one_answers() {
        let (asked, asks) = crossbeam_channel::bounded(1);
        let (answer, answered) = oneshot::channel();
        let waits = thread::spawn(move || {
            let read = async {
                asked.send(()).unwrap();
                answered.await.unwrap()
            };
            read.wait()
        });
        asks.recv().unwrap();
        answer.send(7).unwrap();
        assert_eq!(waits.join().unwrap(), 7);
    }
}
