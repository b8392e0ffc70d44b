//! Writing on the caller's thread without raising a signal there.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Keeps a closed pipe and a file size limit from ending the process: what they raise is taken away
/// before the caller's signal mask lets it through.
pub struct QuietWrites {
    raised: SignalFd,
}

const fn raised_by_writes() -> [Signal; 2] {
    [Signal::SIGPIPE, Signal::SIGXFSZ]
}

impl QuietWrites {
    pub fn new() -> nix::Result<Self> {
        let signals = SigSet::from_iter(raised_by_writes());
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(QuietWrites { raised: SignalFd::with_flags(&signals, flags)? })
    }

    /// Runs one write(2) or the like.
    pub fn run<T>(&self, write: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
        let before = SigSet::thread_get_mask()?;
        let ours: SigSet =
            raised_by_writes().into_iter().filter(|signal| !before.contains(*signal)).collect();
        if ours.iter().next().is_none() {
            // The caller blocks them and may wait for some of its own.
            return write();
        }
        ours.thread_block()?;
        let result = write();
        // Also after a success: a write that the other end cut short counts what went through and raises
        // the signal all the same.
        while matches!(self.raised.read_signal(), Ok(Some(_))) {}
        before.thread_set_mask()?;
        result
    }
}
