//! What surrounds a record on disk: its version, and a checksum over it and the row that it belongs
//! to. The database's own checksums are looked at when it is repaired or checked, not at each read;
//! these are, so that what a disk has changed is an error and never an answer.

use super::StoreError;
use super::row::Row;

/// Set in the version byte of a record that has a checksum. Two bits at least, so that one that
/// flips does not make a record without a checksum of it.
const SEALED: u8 = 0xa0;
const CHECKSUM_BYTES: usize = 4;

/// Returns a record's bytes as they are stored.
pub(crate) fn seal(version: u8, row: Row, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + CHECKSUM_BYTES + body.len());
    bytes.push(SEALED | version);
    bytes.extend_from_slice(&checksum(row, body));
    bytes.extend_from_slice(body);
    bytes
}

/// Returns the record in stored bytes. Those of before there were checksums have none.
///
/// # Errors
/// Returns an error if they are not as they were stored, or they are of another version or another
/// row.
pub(crate) fn open(version: u8, row: Row, bytes: &[u8]) -> Result<&[u8], StoreError> {
    open_with_checksum(version, row, bytes).map(|(body, _)| body)
}

/// Does what [`open`] does, and returns the record's checksum too.
///
/// # Errors
/// Returns an error if [`open`] would.
pub(crate) fn open_with_checksum(
    version: u8,
    row: Row,
    bytes: &[u8],
) -> Result<(&[u8], [u8; CHECKSUM_BYTES]), StoreError> {
    match bytes.split_first() {
        Some((first, body)) if *first == version => Ok((body, checksum(row, body))),
        Some((first, rest)) if *first == SEALED | version => {
            match rest.split_first_chunk::<CHECKSUM_BYTES>() {
                Some((stored, body)) if *stored == checksum(row, body) => Ok((body, *stored)),
                Some(_) | None => Err(StoreError::Damaged("a record does not match its checksum")),
            }
        }
        Some((other, _)) => Err(StoreError::Version(u32::from(*other & !SEALED))),
        None => Err(StoreError::Damaged("a record is empty")),
    }
}

/// Returns the CRC-32 of a row's number and what belongs to it.
pub(crate) fn checksum(row: Row, body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&row.to_le_bytes());
    hasher.update(body);
    hasher.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts_and_so_does_the_row() {
        let sealed = seal(1, 7, b"{\"text\":\"42\"}");
        assert_eq!(open(1, 7, &sealed).unwrap(), b"{\"text\":\"42\"}");
        assert!(matches!(open(1, 8, &sealed), Err(StoreError::Damaged(_))));
        assert!(matches!(open(2, 7, &sealed), Err(StoreError::Version(1))));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(1, 7, &flipped).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(open(1, 7, &sealed[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(open(1, 7, b"\x01{}").unwrap(), b"{}");
    }
}
