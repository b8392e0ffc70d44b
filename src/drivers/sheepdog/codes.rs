//! What the daemon answers, by name.

use crate::error::{Error, Kind};

pub const SUCCESS: u32 = 0x00;
pub const NO_OBJ: u32 = 0x02;
pub const VDI_EXIST: u32 = 0x04;
pub const NO_VDI: u32 = 0x08;

struct Code {
    number: u32,
    name: &'static str,
    kind: Kind,
    meaning: &'static str,
}

const fn code(number: u32, name: &'static str, kind: Kind, meaning: &'static str) -> Code {
    Code { number, name, kind, meaning }
}

const CODES: &[Code] = &[
    code(0x01, "UNKNOWN", Kind::Failed, "it does not know what went wrong"),
    code(NO_OBJ, "NO_OBJ", Kind::NotFound, "there is no such object"),
    code(0x03, "EIO", Kind::Failed, "it cannot read or write a disk"),
    code(VDI_EXIST, "VDI_EXIST", Kind::Duplicate, "there is a VDI of that name already"),
    code(0x05, "INVALID_PARMS", Kind::Failed, "it does not understand the request; is it another release?"),
    code(0x06, "SYSTEM_ERROR", Kind::Failed, "it has failed, see its log"),
    code(0x07, "VDI_LOCKED", Kind::InUse, "somebody has locked the VDI"),
    code(NO_VDI, "NO_VDI", Kind::NotFound, "there is no such VDI"),
    code(0x09, "NO_BASE_VDI", Kind::Failed, "the VDI that this one is based on is missing"),
    code(0x0A, "VDI_READ", Kind::Failed, "it cannot read the VDI's inode"),
    code(0x0B, "VDI_WRITE", Kind::Failed, "it cannot write the VDI's inode"),
    code(0x0C, "BASE_VDI_READ", Kind::Failed, "it cannot read the inode of the VDI that this one is based on"),
    code(0x0D, "BASE_VDI_WRITE", Kind::Failed, "it cannot write the inode of the VDI that this one is based on"),
    code(0x0E, "NO_TAG", Kind::NotFound, "the VDI has no snapshot of that tag"),
    code(STARTUP, "STARTUP", Kind::Unavailable, "it is starting"),
    code(0x10, "VDI_NOT_LOCKED", Kind::Failed, "the VDI is not locked"),
    code(0x11, "SHUTDOWN", Kind::Unavailable, "it is shutting down"),
    code(0x12, "NO_MEM", Kind::StorageFull, "it has no memory left"),
    code(0x13, "FULL_VDI", Kind::StorageFull, "the cluster has as many VDIs as it can have"),
    code(0x14, "VER_MISMATCH", Kind::Failed, "it speaks another version of the protocol"),
    code(0x15, "NO_SPACE", Kind::StorageFull, "the cluster is full"),
    code(0x16, "WAIT_FOR_FORMAT", Kind::Unavailable, "the cluster is not formatted; see \"dog cluster format\""),
    code(0x17, "WAIT_FOR_JOIN", Kind::Unavailable, "the cluster waits for more nodes to join"),
    code(0x18, "JOIN_FAILED", Kind::Unavailable, "the node could not join the cluster"),
    code(0x19, "HALT", Kind::Unavailable, "the cluster is halted, for too few nodes are there"),
    code(0x1A, "READONLY", Kind::WriteDenied, "the object belongs to a snapshot"),
    code(0x1D, "INODE_INVALIDATED", Kind::Failed, "somebody else has changed the VDI"),
    code(0x81, "OLD_NODE_VER", Kind::Unavailable, "the nodes disagree on the cluster's state"),
    code(0x82, "NEW_NODE_VER", Kind::Unavailable, "the nodes disagree on the cluster's state"),
    code(0x86, "NETWORK_ERROR", Kind::Unavailable, "it cannot reach the other nodes"),
    code(0x8B, "NO_SUPPORT", Kind::NotSupported, "it cannot do that"),
    code(AGAIN, "AGAIN", Kind::Unavailable, "it is busy"),
    code(0x91, "CLUSTER_ERROR", Kind::Unavailable, "the cluster's manager has failed"),
    code(COLLECTING_CINFO, "COLLECTING_CINFO", Kind::Unavailable, "the nodes are still exchanging their state"),
];

const STARTUP: u32 = 0x0F;
const AGAIN: u32 = 0x8F;
const COLLECTING_CINFO: u32 = 0x95;

/// Whether asking again in a moment is likely to get another answer.
pub fn passes(result: u32) -> bool {
    matches!(result, STARTUP | AGAIN | COLLECTING_CINFO)
}

/// The error for a result that is none.
pub fn refused(result: u32) -> Error {
    match CODES.iter().find(|code| code.number == result) {
        Some(Code { name, kind, meaning, .. }) => {
            Error::new(*kind, format!("the daemon answers {name} ({result:#04x}): {meaning}"))
        }
        None => Error::new(Kind::Failed, format!("the daemon answers with the unknown result {result:#04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_stands_once() {
        let numbers: HashSet<u32> = CODES.iter().map(|code| code.number).collect();
        assert_eq!(numbers.len(), CODES.len());
        assert!(!numbers.contains(&SUCCESS));
    }

    #[test]
    fn results_have_their_kinds_and_names() {
        for (result, kind, word) in [
            (0x02, Kind::NotFound, "NO_OBJ (0x02)"),
            (0x04, Kind::Duplicate, "VDI_EXIST"),
            (0x05, Kind::Failed, "INVALID_PARMS"),
            (0x07, Kind::InUse, "VDI_LOCKED"),
            (0x08, Kind::NotFound, "NO_VDI"),
            (0x0E, Kind::NotFound, "NO_TAG"),
            (0x12, Kind::StorageFull, "NO_MEM"),
            (0x13, Kind::StorageFull, "FULL_VDI"),
            (0x14, Kind::Failed, "VER_MISMATCH"),
            (0x15, Kind::StorageFull, "NO_SPACE"),
            (0x16, Kind::Unavailable, "not formatted"),
            (0x19, Kind::Unavailable, "HALT"),
            (0x1A, Kind::WriteDenied, "READONLY"),
            (0x77, Kind::Failed, "unknown result 0x77"),
        ] {
            let error = refused(result);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.message().contains(word), "{error}");
        }
    }
}
