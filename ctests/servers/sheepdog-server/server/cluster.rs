//! What the cluster holds, and what it does with requests: as a daemon of release 1.0 that was formatted
//! with one copy, or as one of before 0.9.

use std::collections::BTreeMap;

use super::inode::{HEADER, Inode};
use super::{Answer, Request};

const NO_OBJ: u32 = 0x02;
const VDI_EXIST: u32 = 0x04;
const INVALID_PARMS: u32 = 0x05;
const NO_VDI: u32 = 0x08;
const NO_TAG: u32 = 0x0E;
const VER_MISMATCH: u32 = 0x14;
const NO_SPACE: u32 = 0x15;
const READONLY: u32 = 0x1A;

const COPY_ON_WRITE: u16 = 0x02;
const ALL_VDIS: usize = 1 << 21;

/// Not Sheepdog's: tells all that is held.
pub const LISTING: u8 = 0x70;

#[derive(Clone)]
pub struct Config {
    /// What the size of objects is the power of two of.
    pub shift: u8,
    /// Whether objects are removed when no table points to them any more, as from release 0.9 on.
    pub counts_references: bool,
    /// The result of nearly every request: not formatted, halted and so on.
    pub refusal: Option<u32>,
    /// How many objects there may be.
    pub room: usize,
    /// What every new VDI has at that offset of its inode, such as 1 at 553, the store policy.
    pub oddity: Option<(usize, u8)>,
}

impl Default for Config {
    fn default() -> Self {
        Config { shift: 22, counts_references: true, refusal: None, room: usize::MAX, oddity: None }
    }
}

#[derive(Default)]
pub struct Cluster {
    pub config: Config,
    vdis: BTreeMap<u32, Inode>,
    /// By number; zeros at the end may be missing.
    objects: BTreeMap<u64, Vec<u8>>,
    clock: u64,
}

impl Cluster {
    pub fn new(config: Config) -> Self {
        Cluster { config, ..Cluster::default() }
    }

    pub fn execute(&mut self, request: &Request) -> Answer {
        let opcode = request.opcode();
        if opcode == LISTING {
            return Answer::with_data(self.listing().into_bytes());
        }
        if request.version() > 2 {
            return Answer::refused(VER_MISMATCH);
        }
        match self.config.refusal {
            Some(result) if !matches!(opcode, 0x15 | 0x18) => return Answer::refused(result),
            _ => {}
        }
        match opcode {
            0x01 => self.create_object(request),
            0x02 => self.read_object(request),
            0x03 => self.write_object(request),
            0x04 => {
                self.objects.remove(&request.oid()).map_or(Answer::refused(NO_OBJ), |_| Answer::default())
            }
            0x05 => self.discard_object(request),
            0x11 => self.new_vdi(request),
            0x12 | 0x14 => self.find_vdi(request),
            0x13 => Answer::default(),
            0x15 => self.all_vdis(request),
            0x17 => self.delete_vdi(request),
            0x18 if self.config.counts_references => Answer::default().with(20, [1, 0, self.config.shift]),
            _ => Answer::refused(INVALID_PARMS),
        }
    }

    /// One line for each VDI and each object, in order.
    pub fn listing(&self) -> String {
        let mut lines = String::new();
        for (vid, inode) in self.vdis.iter().filter(|(_, inode)| !inode.name().is_empty()) {
            let (name, tag) = (inode.name(), inode.tag());
            let (name, tag) = (String::from_utf8_lossy(&name), String::from_utf8_lossy(&tag));
            let (size, owners) = (inode.size(), &inode.owners);
            lines += &format!("vdi {vid:06x} {name:?} size={size} tag={tag:?} owners={owners:x?}\n");
        }
        for oid in self.objects.keys() {
            lines += &format!("object {oid:016x}\n");
        }
        lines
    }

    /// The working VDI of that name.
    pub fn vid_of(&self, name: &str) -> Option<u32> {
        self.working(name.as_bytes())
    }

    /// Loses an object, as a cluster does whose disks break.
    pub fn lose(&mut self, vid: u32, index: u32) {
        self.objects.remove(&(u64::from(vid) << 32 | u64::from(index)));
    }

    pub fn change_inode(&mut self, vid: u32, at: usize, byte: u8) {
        self.vdis.get_mut(&vid).unwrap().put(at, &[byte]);
    }

    fn working(&self, name: &[u8]) -> Option<u32> {
        let is_meant = |inode: &Inode| inode.name() == name && !inode.is_snapshot();
        self.vdis.iter().find(|(_, inode)| is_meant(inode)).map(|(vid, _)| *vid)
    }

    // ---- VDIs ----------------------------------------------------------------------

    fn find(&self, request: &Request) -> Result<u32, u32> {
        if !matches!(request.data.len(), 256 | 512) {
            return Err(INVALID_PARMS);
        }
        let (name, tag, snapshot) = (request.text(0), request.text(256), request.u32(32));
        if tag.is_empty() && snapshot == 0 {
            return self.working(&name).ok_or(NO_VDI);
        }
        let mut named = self.vdis.iter().filter(|(_, inode)| inode.name() == name).peekable();
        let missing = if named.peek().is_some() { NO_TAG } else { NO_VDI };
        let is_meant = |inode: &Inode| match tag.is_empty() {
            true => u32::from_le_bytes(inode.get(556)) == snapshot,
            false => inode.tag() == tag,
        };
        let found = named.find(|(_, inode)| inode.is_snapshot() && is_meant(inode));
        found.map(|(vid, _)| *vid).ok_or(missing)
    }

    fn find_vdi(&self, request: &Request) -> Answer {
        match self.find(request) {
            Ok(vid) => self.named(vid),
            Err(result) => Answer::refused(result),
        }
    }

    fn named(&self, vid: u32) -> Answer {
        Answer::default().with(24, vid.to_le_bytes()).with(32, self.vdis[&vid].get::<2>(554))
    }

    fn new_vdi(&mut self, request: &Request) -> Answer {
        if request.data.len() != 256 {
            return Answer::refused(INVALID_PARMS);
        }
        let (name, base, is_snapshot) = (request.text(0), request.u32(24), request.u32(32) != 0);
        if !is_snapshot && let Some(vid) = self.working(&name) {
            // What else is in such an answer means nothing.
            return Answer::refused(VDI_EXIST).with(24, (!vid).to_le_bytes());
        }
        self.clock += 1;
        let time = (1_700_000_000 + self.clock) << 32;
        let mut inode = Inode::new(self.free_vid(&name), &name);
        let mut number = 1;
        if let Some(parent) = self.vdis.get_mut(&base) {
            inode.owners = parent.owners.clone();
            if is_snapshot {
                parent.put(520, &time.to_le_bytes());
                number += u32::from_le_bytes(parent.get(556));
            }
        }
        let copies = request.header[28].max(1);
        let shift = if request.header[31] == 0 { self.config.shift } else { request.header[31] };
        inode.put(512, &time.to_le_bytes());
        inode.put(536, &request.header[16..24]);
        inode.put(553, &[request.header[30], copies, shift]);
        inode.put(556, &number.to_le_bytes());
        inode.put(564, &base.to_le_bytes());
        if let Some((at, byte)) = self.config.oddity {
            inode.put(at, &[byte]);
        }
        let vid = u32::from_le_bytes(inode.get(560));
        self.vdis.insert(vid, inode);
        self.named(vid)
    }

    /// The first number that no VDI has had, from the hash of the name on.
    fn free_vid(&self, name: &[u8]) -> u32 {
        let hash = name.iter().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
        });
        let first = (hash as u32 & 0xFF_FFFF).max(1);
        (first..0x100_0000).chain(1..first).find(|vid| !self.vdis.contains_key(vid)).unwrap()
    }

    fn all_vdis(&self, request: &Request) -> Answer {
        if request.length() != ALL_VDIS {
            return Answer::refused(INVALID_PARMS);
        }
        let mut bits = vec![0; ALL_VDIS];
        self.vdis.keys().for_each(|vid| bits[*vid as usize >> 3] |= 1 << (vid & 7));
        Answer::with_data(bits)
    }

    fn delete_vdi(&mut self, request: &Request) -> Answer {
        let vid = match self.find(request) {
            Ok(vid) => vid,
            Err(result) => return Answer::refused(result),
        };
        let inode = self.vdis.get_mut(&vid).unwrap();
        // With objects it stays what it was, though it is deleted as far as the daemon's own tools go.
        if !self.config.counts_references {
            inode.unlink();
            let owners = std::mem::take(&mut inode.owners);
            self.let_go(owners.into_iter().collect());
        } else if inode.owners.is_empty() {
            inode.unlink();
        }
        Answer::default().with(24, vid.to_le_bytes())
    }

    // ---- Objects -------------------------------------------------------------------

    fn create_object(&mut self, request: &Request) -> Answer {
        if self.objects.len() >= self.config.room && !self.objects.contains_key(&request.oid()) {
            return Answer::refused(NO_SPACE);
        }
        let origin = match request.flags() & COPY_ON_WRITE {
            0 => Vec::new(),
            _ => self.objects.get(&request.u64(24)).cloned().unwrap_or_default(),
        };
        self.objects.insert(request.oid(), overwritten(origin, request));
        Answer::default()
    }

    fn read_object(&self, request: &Request) -> Answer {
        let (offset, length) = (request.offset(), request.length());
        if let Some(vid) = inode_of(request.oid()) {
            let read = |inode: &Inode| Answer::with_data(inode.read(offset, length));
            return self.vdis.get(&vid).map_or(Answer::refused(NO_OBJ), read);
        }
        let Some(object) = self.objects.get(&request.oid()) else {
            return Answer::refused(NO_OBJ);
        };
        let mut data: Vec<u8> = object.iter().skip(offset).take(length).copied().collect();
        data.resize(length, 0);
        Answer::with_data(data)
    }

    fn write_object(&mut self, request: &Request) -> Answer {
        if let Some(vid) = inode_of(request.oid()) {
            return self.write_inode(vid, request);
        }
        let owner = (request.oid() >> 32) as u32;
        match self.objects.get_mut(&request.oid()) {
            None => Answer::refused(NO_OBJ),
            Some(_) if self.vdis.get(&owner).is_some_and(Inode::is_snapshot) => Answer::refused(READONLY),
            Some(object) => {
                *object = overwritten(std::mem::take(object), request);
                Answer::default()
            }
        }
    }

    fn write_inode(&mut self, vid: u32, request: &Request) -> Answer {
        let Some(inode) = self.vdis.get_mut(&vid) else {
            return Answer::refused(NO_OBJ);
        };
        let lost = inode.write(request.offset(), &request.data);
        if self.config.counts_references {
            self.let_go(lost);
        }
        Answer::default()
    }

    fn discard_object(&mut self, request: &Request) -> Answer {
        let (vid, index) = ((request.oid() >> 32) as u32, request.oid() as u32);
        let lost = self.vdis.get_mut(&vid).map(|inode| inode.write(HEADER + 4 * index as usize, &[0; 4]));
        self.let_go(lost.unwrap_or_default());
        Answer::default()
    }

    /// Removes those objects that no table points to any more.
    fn let_go(&mut self, lost: Vec<(u32, u32)>) {
        for (index, owner) in lost {
            let is_used = self.vdis.values().any(|inode| inode.owners.get(&index) == Some(&owner));
            if !is_used {
                self.objects.remove(&(u64::from(owner) << 32 | u64::from(index)));
            }
        }
    }
}

fn inode_of(oid: u64) -> Option<u32> {
    (oid >> 63 == 1).then_some((oid >> 32) as u32 & 0xFF_FFFF)
}

fn overwritten(mut object: Vec<u8>, request: &Request) -> Vec<u8> {
    let end = request.offset() + request.data.len();
    object.resize(object.len().max(end), 0);
    object[request.offset()..end].copy_from_slice(&request.data);
    object
}
