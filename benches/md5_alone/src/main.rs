//! Hashes a file with MD5 alone and prints "wall-seconds cpu-seconds 0".
//!
//! `md5-alone memory FILE` reads the file first and times only the hash; `md5-alone file FILE` reads
//! it in pieces of 1 MiB while it hashes, as every program that stores an image must.  Both use the
//! library's MD5; `md5-alone crate FILE` is the same as `file` by the md-5 crate.

#[path = "../../../src/hash/md5.rs"]
mod own;

use digest::Digest;
use std::fs::{self, File};
use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PIECE: usize = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, path] = arguments.as_slice() else {
        eprintln!("usage: md5-alone memory|file|crate FILE");
        return ExitCode::FAILURE;
    };
    let timed = match from.as_str() {
        "memory" => from_memory::<own::Md5>(path),
        "crate" => from_file::<md5::Md5>(path),
        _ => from_file::<own::Md5>(path),
    };
    match timed {
        Ok((wall, cpu)) => {
            println!("{:.6} {:.6} 0", wall.as_secs_f64(), cpu.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("md5-alone: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn from_memory<D: Digest>(path: &str) -> io::Result<(Duration, Duration)> {
    let data = fs::read(path)?;
    timed(|hash: &mut D| {
        hash.update(&data);
        Ok(())
    })
}

fn from_file<D: Digest>(path: &str) -> io::Result<(Duration, Duration)> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    timed(|hash: &mut D| {
        loop {
            let count = file.read(&mut piece)?;
            if count == 0 {
                return Ok(());
            }
            hash.update(&piece[..count]);
        }
    })
}

fn timed<D: Digest>(work: impl FnOnce(&mut D) -> io::Result<()>) -> io::Result<(Duration, Duration)> {
    let (start, cpu_start) = (Instant::now(), cpu_time());
    let mut hash = D::new();
    work(&mut hash)?;
    std::hint::black_box(hash.finalize());
    Ok((start.elapsed(), cpu_time() - cpu_start))
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the structure, and a zeroed one is valid, too.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), 0) + Duration::from_micros(time.tv_usec.unsigned_abs())
}
