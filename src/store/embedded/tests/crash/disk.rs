//! A disk in memory that notes, in order, what the database does to it.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex};

use redb::{Database, StorageBackend};

use crate::store::StoreError;
use crate::store::embedded::database;
use crate::store::embedded::storage::Storage;

/// One thing that the database did to the disk.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    Length(usize),
    /// All before it is on the platter.
    Sync,
}

impl Entry {
    /// Does it to an image, whose end a write does not move.
    pub(crate) fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Entry::Write { offset, bytes } => write(image, *offset, bytes),
            Entry::Length(length) => image.resize(*length, 0),
            Entry::Sync => {}
        }
    }
}

/// Writes what of `bytes` lies inside the image.
pub(crate) fn write(image: &mut [u8], offset: usize, bytes: &[u8]) {
    let end = (offset + bytes.len()).min(image.len());
    if let Some(place) = image.get_mut(offset..end) {
        place.copy_from_slice(&bytes[..end - offset]);
    }
}

#[derive(Debug, Default)]
struct Held {
    image: Vec<u8>,
    log: Vec<Entry>,
}

/// A handle of the disk; its clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    held: Arc<Mutex<Held>>,
    /// Says that it has synced, and has not.
    lies: bool,
}

impl Disk {
    pub(crate) fn new(image: Vec<u8>) -> Disk {
        let held = Held { image, log: Vec::new() };
        Disk { held: Arc::new(Mutex::new(held)), lies: false }
    }

    pub(crate) fn lying(image: Vec<u8>) -> Disk {
        Disk { lies: true, ..Disk::new(image) }
    }

    /// How much the log holds by now.
    pub(crate) fn position(&self) -> usize {
        self.held.lock().unwrap().log.len()
    }

    /// The image as it is, and the log that has led to it.
    pub(crate) fn take(self) -> (Vec<u8>, Vec<Entry>) {
        let mut held = self.held.lock().unwrap();
        (std::mem::take(&mut held.image), std::mem::take(&mut held.log))
    }

    /// What it holds now.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.held.lock().unwrap().image.clone()
    }

    /// Puts something else on it, behind the back of whoever has it open.
    pub(crate) fn replace(&self, image: Vec<u8>) {
        self.held.lock().unwrap().image = image;
    }

    fn note(&self, entry: Entry) {
        let mut held = self.held.lock().unwrap();
        entry.apply(&mut held.image);
        held.log.push(entry);
    }
}

impl Storage for Disk {
    fn open(&self, cache_bytes: usize, _: bool) -> Result<Database, StoreError> {
        Ok(database::create(|| Ok(self.clone()), cache_bytes)?)
    }

    fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.held.lock().unwrap().image.len() as u64)
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.held.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let held = self.held.lock().unwrap();
        let offset = offset as usize;
        let bytes = held.image.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(Error::from(ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        self.note(Entry::Length(length as usize));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        if !self.lies {
            self.note(Entry::Sync);
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let (offset, length) = (offset as usize, self.held.lock().unwrap().image.len());
        if offset + bytes.len() > length {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        self.note(Entry::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }
}
