//! The log of a registry: a level and a callback, or standard error when the environment asks.
//!
//! There is no process-wide logger: two hosts of the library in one process do not meet.

use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::secret::redact_text;

/// How much a message matters; the numbers are those of `gs_log_fn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
    Trace = 5,
}

impl Level {
    const ALL: [(Level, &'static str); 5] = [
        (Level::Error, "error"),
        (Level::Warn, "warn"),
        (Level::Info, "info"),
        (Level::Debug, "debug"),
        (Level::Trace, "trace"),
    ];

    fn name(self) -> &'static str {
        Level::ALL.iter().find(|(level, _)| *level == self).map_or("", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Level> {
        Level::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(level, _)| *level)
    }
}

/// Where messages go; called by one thread at a time.
pub type Sink = Box<dyn Fn(Level, &str, &str) + Send>;

/// A log: messages up to a level, secrets removed, one at a time.
pub struct Log {
    /// As a number, because a caller's level may lie outside the names.
    max_level: i32,
    sink: Mutex<Sink>,
    pid: u32,
}

thread_local! {
    /// Set while this thread is in the sink: a sink that calls the library must not log into itself.
    static IN_SINK: Cell<bool> = const { Cell::new(false) };
}

impl Log {
    pub fn new(max_level: i32, sink: Sink) -> Self {
        Log { max_level, sink: Mutex::new(sink), pid: std::process::id() }
    }

    /// What a registry logs to when its caller set nothing: standard error, if `GLANCE_STORE_LOG`
    /// names a level, else nothing.
    pub fn from_environment() -> Self {
        let level = std::env::var("GLANCE_STORE_LOG").ok().and_then(|name| Level::named(&name));
        let to_stderr = |level: Level, target: &str, message: &str| {
            // A log that cannot be written is no reason to fail.
            let _ = writeln!(std::io::stderr(), "glance-store: {}: {target}: {message}", level.name());
        };
        Log::new(level.map_or(0, |level| level as i32), Box::new(to_stderr))
    }

    pub fn write(&self, level: Level, target: &str, message: fmt::Arguments<'_>) {
        if level as i32 > self.max_level || IN_SINK.get() {
            return;
        }
        let message = message.to_string();
        let Some(sink) = self.lock() else {
            return;
        };
        IN_SINK.set(true);
        let _leave = Leave;
        sink(level, target, &redact_text(&message));
    }

    /// None in a child process that was forked while another thread was in the sink: there nobody will
    /// ever leave it.
    fn lock(&self) -> Option<MutexGuard<'_, Sink>> {
        if self.pid == std::process::id() {
            return Some(self.sink.lock().unwrap_or_else(PoisonError::into_inner));
        }
        match self.sink.try_lock() {
            Ok(sink) => Some(sink),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Ends the stay in the sink, also when it panics.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        IN_SINK.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn recording(max_level: i32) -> (Log, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink_lines = lines.clone();
        let sink = move |level: Level, target: &str, message: &str| {
            sink_lines.lock().unwrap().push(format!("{} {target} {message}", level.name()));
        };
        (Log::new(max_level, Box::new(sink)), lines)
    }

    #[test]
    fn only_messages_up_to_the_level_arrive() {
        let (log, lines) = recording(2);
        log.write(Level::Warn, "file", format_args!("kept"));
        log.write(Level::Info, "file", format_args!("dropped"));
        assert_eq!(*lines.lock().unwrap(), ["warn file kept"]);
    }

    #[test]
    fn secrets_are_removed_before_the_sink_sees_them() {
        let (log, lines) = recording(5);
        log.write(Level::Trace, "http", format_args!("asking http://user:secret@host/a?token=secret"));
        assert_eq!(*lines.lock().unwrap(), ["trace http asking http://***@host/a?***"]);
    }
}
