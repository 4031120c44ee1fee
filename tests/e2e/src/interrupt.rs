//! Ctrl-C, SIGTERM and SIGHUP end the run in order: the running command ends, no other one starts, and everything that
//! was made is removed. A second signal ends the clean-up too.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;

static RECEIVED: AtomicUsize = AtomicUsize::new(0);
/// How many signals the present phase survives: none in the run, one in the clean-up.
static TOLERATED: AtomicUsize = AtomicUsize::new(0);

/// From now on counts signals instead of dying of them.
pub(crate) fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        RECEIVED.fetch_add(1, Ordering::SeqCst);
    })
    .context("cannot listen to Ctrl-C")
}

/// Whether commands have to end now.
pub(crate) fn is_pending() -> bool {
    RECEIVED.load(Ordering::SeqCst) > TOLERATED.load(Ordering::SeqCst)
}

/// Whether the run was interrupted at any time: its exit status says so.
pub(crate) fn happened() -> bool {
    RECEIVED.load(Ordering::SeqCst) > 0
}

/// Lets the clean-up run although a signal came.
pub(crate) fn begin_clean_up() {
    TOLERATED.store(RECEIVED.load(Ordering::SeqCst), Ordering::SeqCst);
}
