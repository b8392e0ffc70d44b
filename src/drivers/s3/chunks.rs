//! Payloads that are signed chunk by chunk, as they come: over plain http nothing else protects what is sent
//! before all of it is known.

use std::sync::Arc;

use bytes::Bytes;

use super::signing::Signature;
use crate::http::Framing;

/// How many bytes each chunk has, but for the last.
pub const CHUNK: usize = 64 << 10;

const SIGNED_BY: &str = ";chunk-signature=";
const LINE_END: &str = "\r\n";
const HEX_OF_SHA256: u64 = 64;

/// How long `length` bytes are with what goes around their chunks.
pub fn encoded_length(length: u64) -> u64 {
    let (full, rest) = (length / CHUNK as u64, length % CHUNK as u64);
    let last = if rest > 0 { of_chunk(rest) } else { 0 };
    full * of_chunk(CHUNK as u64) + last + of_chunk(0)
}

fn of_chunk(length: u64) -> u64 {
    let around = format!("{length:x}{SIGNED_BY}{LINE_END}{LINE_END}").len() as u64;
    around + HEX_OF_SHA256 + length
}

/// Signs chunk after chunk, each after the one before, and the first after its request.
pub fn framing(request: Signature) -> Framing {
    Arc::new(move || {
        let mut signature = request.clone();
        Box::new(move |chunk: Bytes| {
            signature = signature.next(&chunk);
            let head = format!("{:x}{SIGNED_BY}{}{LINE_END}", chunk.len(), signature.hex());
            [head.into(), chunk, Bytes::from_static(LINE_END.as_bytes())]
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_known_beforehand() {
        // The first is AWS's example.
        for (length, encoded) in [(66_560, 66_824), (0, 86), (1, 1 + 86 + 86), (65_536, 65_536 + 90 + 86)] {
            assert_eq!(encoded_length(length), encoded, "{length}");
        }
    }
}
