//! What a cluster holds: the VDIs in use, and those of them that are images nobody has completed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::cluster::Cluster;
use super::room::Space;
use super::state::{self, State};
use super::vdi::read_header;
use super::wire::Request;
use crate::error::{Error, Kind, Result};

/// How many incomplete images a message names.
const NAMED: usize = 3;

/// How many VDIs are looked at for that, those that were deleted included: their numbers stay in use.
const LOOKED_AT: usize = 4096;

/// How long an error may wait for what is only advice.
const PATIENCE: Duration = Duration::from_secs(5);

/// The numbers of all VDIs, in order, also of snapshots and of those that were deleted.
pub async fn list(cluster: &Cluster) -> Result<impl Iterator<Item = u32> + use<>> {
    let request = Request::read_vdis();
    let answer = cluster.call(&request, &Space::Own(request.answer_length())).await?;
    Ok(numbers_of(answer.success()?.data.concat().into()))
}

/// Bit n tells of VDI n.
fn numbers_of(bits: Bytes) -> impl Iterator<Item = u32> {
    let bytes = (0..).step_by(8).zip(bits).filter(|(_, byte)| *byte != 0);
    bytes.flat_map(|(first, byte)| (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| first + bit))
}

/// The error of an add of image `own`; if the cluster is full, it says what could be deleted.  Whatever
/// fails here changes nothing.
pub async fn advised(cluster: &Arc<Cluster>, own: &str, error: Error) -> Error {
    if error.kind() != Kind::StorageFull {
        return error;
    }
    let mut names = Vec::new();
    // What was found until then is good.
    let _ = tokio::time::timeout(PATIENCE, find_incomplete(cluster, own, &mut names)).await;
    match names.is_empty() {
        true => error,
        false => error.context(format_args!(
            "the cluster holds incomplete images ({}), and deleting those that nobody is adding now frees room",
            named(&names)
        )),
    }
}

/// Finds images that are not complete, one more than are named.
async fn find_incomplete(cluster: &Cluster, own: &str, names: &mut Vec<String>) -> Result<()> {
    for vid in list(cluster).await?.take(LOOKED_AT) {
        // One that cannot be read is none of ours.
        let Ok(header) = read_header(cluster, vid).await else {
            continue;
        };
        let is_incomplete = matches!(state::state_of(&header), Ok(State::Incomplete { .. }));
        if is_incomplete && !header.is_snapshot && !header.name.is_empty() && header.name != own.as_bytes() {
            names.push(String::from_utf8_lossy(&header.name).into_owned());
        }
        if names.len() > NAMED {
            break;
        }
    }
    Ok(())
}

fn named(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(NAMED).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > NAMED { " and more" } else { "" };
    quoted.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_a_vdi() {
        let numbers = |bits: &[u8]| numbers_of(Bytes::copy_from_slice(bits)).collect::<Vec<_>>();
        assert!(numbers(&[]).is_empty());
        assert!(numbers(&[0; 9]).is_empty());
        assert_eq!(numbers(&[0b0000_0010, 0, 0b1000_0001, 0xFF]), [1, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31]);
        let mut last = vec![0; 1 << 21];
        last[(1 << 21) - 1] = 0x80;
        assert_eq!(numbers(&last), [0xFF_FFFF]);
    }
}
