//! Asynchronous work inside of synchronous tests.

use std::thread;

/// Runs `work` to its end on a thread of its own: tests with a runtime may call it as well as those without.
pub(crate) fn block<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(work())
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
