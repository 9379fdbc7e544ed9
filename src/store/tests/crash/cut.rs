//! What a power cut leaves on the disk: all that was synced, and any of what came later.

use super::disk::{Entry, write};

/// What a disk writes whole or not at all, bytes.
const SECTOR_BYTES: usize = 512;

/// Numbers that a seed determines (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// Goes through a log and keeps the image that is certain to be on the disk.
pub struct Cutter<'l> {
    log: &'l [Entry],
    synced: Vec<u8>,
    /// The first entry that `synced` does not have.
    next: usize,
}

/// A place in a log for a cut: any, or, as often, in front of the next sync, where the most is at
/// stake.
pub fn place(log: &[Entry], dice: &mut Dice) -> usize {
    let any = dice.below(log.len() + 1);
    let sync = |entry: &Entry| matches!(entry, Entry::Sync);
    match log[any..].iter().position(sync) {
        Some(later) if dice.percent(50) => any + later,
        _ => any,
    }
}

/// What a cut left, and whether a write was torn by it.
pub struct Survived {
    pub image: Vec<u8>,
    pub torn: bool,
}

impl<'l> Cutter<'l> {
    pub fn new(image: Vec<u8>, log: &'l [Entry]) -> Cutter<'l> {
        Cutter { log, synced: image, next: 0 }
    }

    /// The disk after a cut in front of entry `point`, which must not be before an earlier call's.
    pub fn cut(&mut self, point: usize, dice: &mut Dice) -> Survived {
        let sync = |entry: &Entry| matches!(entry, Entry::Sync);
        if let Some(last) = self.log[self.next..point].iter().rposition(sync) {
            let end = self.next + last + 1;
            for entry in &self.log[self.next..end] {
                entry.apply(&mut self.synced);
            }
            self.next = end;
        }
        let mut survived = Survived { image: self.synced.clone(), torn: false };
        // How likely a write is to survive, and to be torn, differs from cut to cut: nearly all
        // and nearly none are the cases between which a database must decide.
        let kept = [0, 10, 50, 90, 100][dice.below(5)];
        let torn = [0, 10, 50][dice.below(3)];
        for entry in &self.log[self.next..point] {
            if dice.percent(torn) {
                survived.torn |= tear(&mut survived.image, entry, dice);
            } else if dice.percent(kept) {
                entry.apply(&mut survived.image);
            }
        }
        survived
    }
}

/// Writes any of a write's sectors; says whether that was a part of it only.
fn tear(image: &mut [u8], entry: &Entry, dice: &mut Dice) -> bool {
    let Entry::Write { offset, bytes } = entry else { return false };
    let (mut written, mut lost) = (false, false);
    let mut start = 0;
    while start < bytes.len() {
        // Sectors lie where the disk has them, not where the write starts.
        let end = bytes.len().min(start + SECTOR_BYTES - (offset + start) % SECTOR_BYTES);
        if dice.percent(50) {
            write(image, offset + start, &bytes[start..end]);
            written = true;
        } else {
            lost = true;
        }
        start = end;
    }
    written && lost
}
