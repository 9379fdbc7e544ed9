//! What a power cut leaves on the disk: all that was synced, and any of what came later.

use super::disk::{Entry, write};
use crate::tests::fuzz::Dice;

/// What a disk writes whole or not at all, bytes.
const SECTOR_BYTES: usize = 512;

/// Goes through a log and keeps the image that is certain to be on the disk.
pub(crate) struct Cutter<'l> {
    log: &'l [Entry],
    synced: Vec<u8>,
    /// The first entry that `synced` does not have.
    next: usize,
}

/// A place in a log for a cut: any, or, as often, in front of the next sync, where the most is at
/// stake.
pub(crate) fn place(log: &[Entry], dice: &mut Dice) -> usize {
    let any = dice.below(log.len() + 1);
    let sync = |entry: &Entry| matches!(entry, Entry::Sync);
    match log[any..].iter().position(sync) {
        Some(later) if dice.percent(50) => any + later,
        _ => any,
    }
}

/// What a cut left, and whether a write was torn by it.
pub(crate) struct Survived {
    pub image: Vec<u8>,
    pub torn: bool,
}

impl<'l> Cutter<'l> {
    pub(crate) fn new(image: Vec<u8>, log: &'l [Entry]) -> Cutter<'l> {
        Cutter { log, synced: image, next: 0 }
    }

    /// The disk after a cut in front of entry `point`, which must not be before an earlier call's.
    pub(crate) fn cut(&mut self, point: usize, dice: &mut Dice) -> Survived {
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
