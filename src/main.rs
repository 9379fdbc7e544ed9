//! The binary: everything is in the library, where tests reach it.

use std::process::ExitCode;

/// Half of a poll's own work is to allocate and to free, and the system's allocator takes longer. Without
/// huge pages, which keep all of a block in memory where a connection has touched its first page.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    answerd::cli::main()
}
