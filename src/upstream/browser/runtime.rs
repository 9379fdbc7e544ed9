//! The thread on which the connections to browsers live. Upstreams are called from threads of
//! their own, which wait here.

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;

/// A runtime with one thread, which may be dropped anywhere.
pub struct Runtime {
    handle: Handle,
    /// Taken when it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub fn start() -> std::io::Result<Runtime> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("browsers")
            .enable_all()
            .build()?;
        Ok(Runtime { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Begins a future that the set is waited for with.
    pub fn spawn_in(
        &self,
        set: &mut JoinSet<()>,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        set.spawn_on(future, &self.handle);
    }

    /// Waits for a future on the calling thread, which must not be one of a runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Does not wait, which is forbidden on the threads of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
