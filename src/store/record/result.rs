//! Results, which are JSON as it is sent, and raw replies, which are JSON compressed.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::VERSION;
use crate::store::{StoreError, envelope};

/// The most bytes of raw replies as JSON, which may spell a byte with six.
const RAW_BYTES_MAX: u64 = 32 << 20;

/// Encodes a result as it is stored.
pub(crate) fn encode_result(row: u64, json: &[u8]) -> Vec<u8> {
    envelope::seal(VERSION, row, json)
}

/// Encodes raw replies: their JSON, compressed.
pub(crate) fn encode_raw(row: u64, json: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(json).and_then(|()| encoder.finish());
    envelope::seal(VERSION, row, &written.expect("a Vec takes all that is written to it"))
}

/// Decodes the JSON of raw replies.
pub(crate) fn decode_raw(row: u64, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    const UNREADABLE: StoreError = StoreError::Damaged("raw replies cannot be decompressed");
    let compressed = envelope::open(VERSION, row, bytes)?;
    let mut json = Vec::new();
    let mut decoder = ZlibDecoder::new(compressed).take(RAW_BYTES_MAX + 1);
    decoder.read_to_end(&mut json).map_err(|_| UNREADABLE)?;
    if json.len() as u64 > RAW_BYTES_MAX { Err(UNREADABLE) } else { Ok(json) }
}

/// Decodes the JSON of a stored result.
pub(crate) fn decode_result(row: u64, bytes: &[u8]) -> Result<&[u8], StoreError> {
    envelope::open(VERSION, row, bytes)
}

/// A stored result, and the checksum that it has on disk.
#[derive(Clone, Copy, Debug)]
pub struct SealedResult<'a> {
    pub json: &'a [u8],
    pub checksum: [u8; 4],
}

/// Decodes a stored result with its checksum.
pub(crate) fn decode_sealed_result(row: u64, bytes: &[u8]) -> Result<SealedResult<'_>, StoreError> {
    let (json, checksum) = envelope::open_with_checksum(VERSION, row, bytes)?;
    Ok(SealedResult { json, checksum })
}
