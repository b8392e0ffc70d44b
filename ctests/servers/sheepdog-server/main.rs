//! A Sheepdog cluster in memory, for tests:
//!
//!   sheepdog-server serve FILE [WORD=NUMBER...]
//!
//! serves on a free loopback port, whose number it writes to FILE, until it is killed.
//! The words: shift (20 to 31, of objects), refuse (a result for nearly every request), room (how many objects),
//! old (1: a release before 0.9), hyper (1: every VDI is one), delay (milliseconds before each answer),
//! shuffled (how many answers may change places).
//!
//!   sheepdog-server list PORT
//!   sheepdog-server most PORT
//!
//! print what such a cluster holds, and how many requests were under way at a time since that was asked last.

// The library's own tests use more of it.
#[allow(dead_code, unused_imports)]
mod server;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use server::{Config, HEADER, LISTING, STATISTICS, Server};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", file, ref words @ ..] => serve(file, words),
        ["list", port] => print!("{}", ask(port, LISTING)),
        ["most", port] => println!("{}", ask(port, STATISTICS)),
        _ => panic!("usage: sheepdog-server serve FILE [WORD=NUMBER...] | list PORT | most PORT"),
    }
}

fn serve(file: &str, words: &[&str]) {
    let (mut config, mut delay, mut shuffled) = (Config::default(), 0, 1);
    for word in words {
        let (word, number) = word.split_once('=').expect("WORD=NUMBER");
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
    std::fs::rename(format!("{file}.part"), file).expect("a writable directory");
    loop {
        std::thread::park();
    }
}

/// The text that a cluster in memory answers to a request of its own kind.
fn ask(port: &str, opcode: u8) -> String {
    let port = port.parse().expect("a port");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a server");
    let mut header = [0; HEADER];
    header[1] = opcode;
    stream.write_all(&header).expect("a server");
    stream.read_exact(&mut header).expect("an answer");
    let length = u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text).expect("an answer");
    String::from_utf8(text).expect("text")
}
