//! One call of the library, as every layer sees it: on whose behalf it runs, and when it must stop.
//!
//! The caller's thread only ever waits in [`Operation::wait`] and [`Operation::wait_fd`]: both end at
//! once when the call is cancelled or its time is spent.  Workers ring the call's [`Doorbell`].

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// How long the cleanup of a failed call may take, whatever the call's own deadline was.
const CLEANUP_TIME: Duration = Duration::from_secs(30);

/// How long giving an image its name may take: longer than stores wait for a silent server, whose answer
/// decides whether there is an image.
const PUBLISH_TIME: Duration = Duration::from_secs(120);

fn new_eventfd() -> Result<EventFd> {
    EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|errno| Error::from_os(Kind::Failed, "cannot create an event descriptor", &errno.into()))
}

/// A switch that stops every call it was given to, for good.
pub struct Cancel {
    triggered: AtomicBool,
    wake: EventFd,
}

impl Cancel {
    pub fn new() -> Result<Self> {
        Ok(Cancel { triggered: AtomicBool::new(false), wake: new_eventfd()? })
    }

    /// Async-signal-safe: one atomic operation and at most one write(2), no lock, no allocation.
    pub fn trigger(&self) {
        if !self.triggered.swap(true, Ordering::SeqCst) {
            // The counter of a new eventfd has room for one, so this cannot fail.
            let _ = self.wake.write(1);
        }
    }

    pub fn is_triggered(&self) -> bool {
        self.triggered.load(Ordering::SeqCst)
    }
}

/// Wakes the caller's thread when a worker has something for it.
#[derive(Default)]
pub struct Doorbell {
    armed: AtomicBool,
    fd: OnceLock<EventFd>,
}

impl Doorbell {
    /// Called by workers after every change that the caller may be waiting for.
    pub fn ring(&self) {
        if self.armed.swap(false, Ordering::SeqCst)
            && let Some(fd) = self.fd.get()
        {
            // Fails only when it is ringing already.
            let _ = fd.write(1);
        }
    }

    fn arm(&self) -> Result<&EventFd> {
        let fd = match self.fd.get() {
            Some(fd) => fd,
            None => {
                let fd = new_eventfd()?;
                self.fd.get_or_init(|| fd)
            }
        };
        self.armed.store(true, Ordering::SeqCst);
        Ok(fd)
    }

    fn silence(&self, fd: &EventFd) {
        self.armed.store(false, Ordering::SeqCst);
        // EAGAIN: it did not ring.
        let _ = fd.read();
    }
}

/// On whose behalf a call runs, for the drivers that ask.
#[derive(Clone, Default)]
pub struct Context {
    pub user_id: Option<String>,
    pub project_id: Option<String>,
    pub auth_token: Option<Secret>,
    pub service_catalog_json: Option<String>,
    pub request_id: Option<String>,
}

/// The limits and the context of one running call.
#[derive(Default)]
pub struct Operation {
    cancel: Option<Arc<Cancel>>,
    deadline: Option<(Instant, Duration)>,
    context: Arc<Context>,
    bell: Arc<Doorbell>,
}

impl Operation {
    pub fn new(cancel: Option<Arc<Cancel>>, timeout: Option<Duration>, context: Arc<Context>) -> Self {
        let deadline = timeout.and_then(|t| Some((Instant::now().checked_add(t)?, t)));
        Operation { cancel, deadline, context, bell: Arc::default() }
    }

    /// The same call while it cleans up after a failure: neither the caller's cancel nor the spent
    /// deadline may leave half an image behind.
    pub fn cleanup(&self) -> Operation {
        self.unstoppable().within(CLEANUP_TIME)
    }

    /// The same call while it gives an image its name: one that is cancelled now must not leave an image
    /// behind that appears later.
    pub fn publishing(&self) -> Operation {
        self.unstoppable().within(PUBLISH_TIME)
    }

    fn unstoppable(&self) -> Operation {
        Operation { cancel: None, deadline: None, context: self.context.clone(), bell: self.bell.clone() }
    }

    /// The same call with at most `limit` left for what comes next.
    pub fn within(&self, limit: Duration) -> Operation {
        // A limit beyond the end of time is none.
        let own = Instant::now().checked_add(limit).map(|deadline| (deadline, limit));
        Operation {
            cancel: self.cancel.clone(),
            deadline: [self.deadline, own].into_iter().flatten().min(),
            context: self.context.clone(),
            bell: self.bell.clone(),
        }
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub fn bell(&self) -> &Arc<Doorbell> {
        &self.bell
    }

    /// Whether anything but the end of the work can end this call.
    pub fn is_limited(&self) -> bool {
        self.cancel.is_some() || self.deadline.is_some()
    }

    /// Fails once the call has been cancelled or its time is spent.
    pub fn check(&self) -> Result<()> {
        if self.cancel.as_ref().is_some_and(|cancel| cancel.is_triggered()) {
            return Err(Error::new(Kind::Cancelled, "cancelled by the caller"));
        }
        match self.deadline {
            Some((deadline, allowed)) if Instant::now() >= deadline => {
                Err(Error::new(Kind::Timeout, format!("not finished within {} ms", allowed.as_millis())))
            }
            _ => Ok(()),
        }
    }

    /// Waits on the caller's thread until `ready` has something.  Whatever makes it ready must ring
    /// the doorbell afterwards.
    pub fn wait<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
        loop {
            self.check()?;
            if let Some(value) = ready() {
                return Ok(value);
            }
            let bell = self.bell.arm()?;
            // What came between the look above and arming rang for nobody.
            let value = ready();
            if value.is_none() {
                self.poll(bell.as_fd(), PollFlags::POLLIN)?;
            }
            self.bell.silence(bell);
            if let Some(value) = value {
                return Ok(value);
            }
        }
    }

    /// Waits on the caller's thread until `fd` is ready for `events`, has failed or was closed at its
    /// other end.
    pub fn wait_fd(&self, fd: BorrowedFd<'_>, events: PollFlags) -> Result<()> {
        loop {
            self.check()?;
            if self.poll(fd, events)? {
                return Ok(());
            }
        }
    }

    /// One poll(2) over `fd` and the cancel switch; tells whether `fd` has something to say.
    fn poll(&self, fd: BorrowedFd<'_>, events: PollFlags) -> Result<bool> {
        let mut fds = vec![PollFd::new(fd, events)];
        if let Some(cancel) = &self.cancel {
            fds.push(PollFd::new(cancel.wake.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, self.poll_timeout()) {
            Ok(_) => Ok(fds[0].any().unwrap_or(true)),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::from_os(Kind::Failed, "cannot poll", &errno.into())),
        }
    }

    fn poll_timeout(&self) -> PollTimeout {
        let Some((deadline, _)) = self.deadline else {
            return PollTimeout::NONE;
        };
        // Rounded up, or the last millisecond would be spent spinning.
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }
}

#[cfg(test)]
mod tests;
