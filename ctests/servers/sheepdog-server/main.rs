//! A Sheepdog cluster in memory, for tests:
//!
//!   sheepdog-server FILE [WORD=NUMBER...]
//!
//! serves on a free loopback port, whose number it writes to FILE, until its standard input ends.
//! The words: shift (20 to 31, of objects), refuse (a result for nearly every request), room (how many objects),
//! old (1: a release before 0.9), hyper (1: every VDI is one), delay (milliseconds before each answer),
//! shuffled (how many answers may change places).

// The library's own tests use more of it.
#[allow(dead_code, unused_imports)]
mod server;

use std::io::Read;
use std::time::Duration;

use server::{Config, Server};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("usage: sheepdog-server FILE [WORD=NUMBER...]");
    let (mut config, mut delay, mut shuffled) = (Config::default(), 0, 1);
    for argument in arguments {
        let (word, number) = argument.split_once('=').expect("WORD=NUMBER");
        let number: u64 = number.parse().expect("a number");
        match word {
            "shift" => config.shift = number as u8,
            "refuse" => config.refusal = Some(number as u32),
            "room" => config.room = number as usize,
            "old" => config.counts_references = number == 0,
            "hyper" => config.oddity = (number != 0).then_some((553, 1)),
            "delay" => delay = number,
            "shuffled" => shuffled = number as usize,
            _ => panic!("unknown: {word}"),
        }
    }
    let server = Server::slow(config, Duration::from_millis(delay), shuffled);
    // In one step, so that nobody reads half a number.
    std::fs::write(format!("{file}.part"), format!("{}\n", server.port())).expect("a writable file");
    std::fs::rename(format!("{file}.part"), &file).expect("a writable directory");
    // The end of the input is the signal to end, whoever has died by then.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
