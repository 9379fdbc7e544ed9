//! A database that is only read: what redb writes while it opens and repairs it stays in memory, so
//! that a disk which takes no writes can still be read.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, StorageBackend};

use super::database::create;
use super::database::guarded;
use crate::store::StoreError;

/// What is kept in memory at once, bytes.
const BLOCK_BYTES: u64 = 4_096;

/// Opens the database in `below`, to which nothing is written.
///
/// # Errors
/// Returns an error if it cannot be read, or is no sound database.
pub(super) fn open(
    below: Box<dyn StorageBackend>,
    cache_bytes: usize,
) -> Result<Database, StoreError> {
    let bytes = below.len().map_err(|error| StoreError::from(redb::StorageError::Io(error)))?;
    if bytes == 0 {
        // redb would make a new one.
        return Err(StoreError::Damaged("the database's file is empty"));
    }
    let above = Above { bytes, below_bytes: bytes, blocks: BTreeMap::new() };
    let overlay = Overlay { below: Arc::from(below), above: Arc::new(Mutex::new(above)) };
    guarded(|| Ok(create(|| Ok(overlay.clone()), cache_bytes)?))
}

/// The two layers; its clones are the same.
#[derive(Clone, Debug)]
struct Overlay {
    below: Arc<dyn StorageBackend>,
    above: Arc<Mutex<Above>>,
}

#[derive(Debug)]
struct Above {
    bytes: u64,
    /// How much of what is below still shows.
    below_bytes: u64,
    /// What was written, by the number of its block.
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    fn above(&self) -> MutexGuard<'_, Above> {
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is below, and zeros after its end.
    fn read_below(&self, above: &Above, at: u64, out: &mut [u8]) -> io::Result<()> {
        let shown = above.below_bytes.saturating_sub(at).min(out.len() as u64);
        // At most the length of a slice.
        let (shown, rest) = out.split_at_mut(shown as usize);
        rest.fill(0);
        if shown.is_empty() { Ok(()) } else { self.below.read(at, shown) }
    }
}

/// The parts of a range that lie in one block each: the block's number, where in it the part
/// begins, and where the part begins and ends in the range.
fn parts(at: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let end = at + length as u64;
    (at / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES)).map(move |block| {
        let begin = at.max(block * BLOCK_BYTES);
        let until = end.min((block + 1) * BLOCK_BYTES);
        let inside = begin - block * BLOCK_BYTES;
        // All of them are inside the range.
        (block, inside as usize, (begin - at) as usize, (until - at) as usize)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.above().bytes)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let above = self.above();
        if at + out.len() as u64 > above.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if above.blocks.is_empty() {
            return self.read_below(&above, at, out);
        }
        for (block, inside, begin, until) in parts(at, out.len()) {
            let out = &mut out[begin..until];
            match above.blocks.get(&block) {
                Some(bytes) => out.copy_from_slice(&bytes[inside..inside + out.len()]),
                None => self.read_below(&above, block * BLOCK_BYTES + inside as u64, out)?,
            }
        }
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut above = self.above();
        if bytes < above.bytes {
            above.below_bytes = above.below_bytes.min(bytes);
            above.blocks.retain(|block, _| block * BLOCK_BYTES < bytes);
            // What comes after the end is zero when it grows again.
            let last = bytes / BLOCK_BYTES;
            if let Some(block) = above.blocks.get_mut(&last) {
                block[(bytes % BLOCK_BYTES) as usize..].fill(0);
            }
        }
        above.bytes = bytes;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut above = self.above();
        if at + data.len() as u64 > above.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        for (block, inside, begin, until) in parts(at, data.len()) {
            let part = &data[begin..until];
            if !above.blocks.contains_key(&block) {
                let mut bytes = vec![0; BLOCK_BYTES as usize];
                self.read_below(&above, block * BLOCK_BYTES, &mut bytes)?;
                above.blocks.insert(block, bytes);
            }
            if let Some(bytes) = above.blocks.get_mut(&block) {
                bytes[inside..inside + part.len()].copy_from_slice(part);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::crash::disk::Disk;

    fn read(overlay: &Overlay, at: u64, bytes: usize) -> Vec<u8> {
        let mut out = vec![9; bytes];
        overlay.read(at, &mut out).unwrap();
        out
    }

    #[test]
    fn overlay_reads_what_was_written_to_it_and_leaves_what_is_below() {
        let image: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let disk = Disk::new(image.clone());
        let bytes = image.len() as u64;
        let above = Above { bytes, below_bytes: bytes, blocks: BTreeMap::new() };
        let overlay = Overlay { below: Arc::new(disk.clone()), above: Arc::new(Mutex::new(above)) };
        assert_eq!(read(&overlay, 0, 10_000), image);
        overlay.write(4_090, &[1; 20]).unwrap();
        let mut expected = image.clone();
        expected[4_090..4_110].fill(1);
        assert_eq!(read(&overlay, 0, 10_000), expected);
        assert_eq!(read(&overlay, 4_100, 3), [1; 3]);

        overlay.set_len(4_100).unwrap();
        assert!(overlay.write(4_099, &[2; 2]).is_err());
        overlay.set_len(20_000).unwrap();
        expected.truncate(4_100);
        expected.resize(20_000, 0);
        assert_eq!(read(&overlay, 0, 20_000), expected);
        overlay.write(15_000, &[3; 5]).unwrap();
        assert_eq!(read(&overlay, 14_999, 7), [0, 3, 3, 3, 3, 3, 0]);
        assert_eq!(disk.image(), image);
    }
}
