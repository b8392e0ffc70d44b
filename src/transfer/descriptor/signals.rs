//! Writing on the caller's thread without raising a signal there.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Keeps a closed pipe and a file size limit from ending the process: what they raise is taken away
/// before the caller's signal mask lets it through.
pub struct QuietWrites {
    /// Those of them that the caller's thread does not block itself: it may wait for some of its own.
    signals: SigSet,
    raised: SignalFd,
}

impl QuietWrites {
    /// For writes on the thread that calls this.
    pub fn new() -> nix::Result<Self> {
        let blocked = SigSet::thread_get_mask()?;
        let raised_by_writes = [Signal::SIGPIPE, Signal::SIGXFSZ];
        let signals: SigSet =
            raised_by_writes.into_iter().filter(|signal| !blocked.contains(*signal)).collect();
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(QuietWrites { signals, raised: SignalFd::with_flags(&signals, flags)? })
    }

    /// Runs one write(2) or the like.
    pub fn run<T>(&self, write: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
        let before = self.signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let result = write();
        // Also after a success: a write that the other end cut short counts what went through and raises
        // the signal all the same.
        while matches!(self.raised.read_signal(), Ok(Some(_))) {}
        before.thread_set_mask()?;
        result
    }
}
