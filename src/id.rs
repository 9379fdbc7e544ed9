//! The job id: a UUID v4 that carries its row number, encrypted.
//!
//! A job's plain value is 48 bits of row number and 74 bits from the operating system's generator,
//! laid into the 122 free bits of a UUID v4. The id is that value encrypted with AES-128 and
//! cycle-walked (encrypted again) until the version and variant bits are right. A look-up walks
//! back, reads the row, and compares the 74 stored bits in constant time, so that an id stays
//! unguessable even to somebody who has the key.
//!
//! A walk from any value takes 64 rounds on average, each of which waits for the one before. So a
//! fresh id takes, of many random values that are encrypted at once, one whose walk is a single
//! round; and so is the walk back at every look-up. To somebody who has the key that leaves at
//! least 67 of the 74 bits to be guessed, and to everybody else it changes nothing. Ids of before
//! that are found as ever.

use std::cell::RefCell;

use aes::Aes128;
use aes::cipher::common::BlockSizeUser;
use aes::cipher::{
    Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
    BlockCipherEncClosure, BlockCipherEncrypt, KeyInit,
};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The largest row number that an id can carry.
pub const ROW_MAX: u64 = (1 << 48) - 1;

/// How many values are encrypted at once for a fresh id: one in 64 has a walk of a single round,
/// and this many cost little more than one, because they do not wait for each other.
const TRIES: usize = 64;
/// How many times 16 bytes come from one call of the operating system.
const RANDOM_AT_ONCE: usize = 64;
const NONCE_BITS: u32 = 74;
const NONCE_MASK: u128 = (1 << NONCE_BITS) - 1;
/// Where a UUID v4 has its version (4) and its variant (binary 10): RFC 9562, section 5.4.
const FIXED_MASK: u128 = (0xf << 76) | (0b11 << 62);
const FIXED_BITS: u128 = (0x4 << 76) | (0b10 << 62);
/// The nonce bits that lie below the variant; the 12 others lie between version and variant.
const NONCE_LOW_MASK: u128 = (1 << 62) - 1;

/// The operating system's generator did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the operating system's random generator failed: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

/// The row number and the nonce of a job id.
#[derive(Clone, Copy, Debug)]
pub struct IdParts {
    /// At most [`ROW_MAX`].
    pub row: u64,
    /// 74 random bits.
    pub nonce: u128,
}

impl IdParts {
    /// Returns whether the nonce is `stored`, in time that does not depend on where they differ.
    pub fn has_nonce(&self, stored: u128) -> bool {
        self.nonce.to_be_bytes().ct_eq(&stored.to_be_bytes()).into()
    }
}

/// 74 bits from the operating system's generator.
fn fresh_nonce() -> Result<u128, NoRandomness> {
    Ok(u128::from_be_bytes(random()?) & NONCE_MASK)
}

/// Generates a UUID v4 for what is named and not guarded, such as a request.
///
/// # Errors
/// Returns an error if the generator failed.
pub fn fast_uuid_v4() -> Result<Uuid, NoRandomness> {
    Ok(uuid::Builder::from_random_bytes(random()?).into_uuid())
}

/// 16 bytes from the operating system's generator, given out once. It is asked for
/// [`RANDOM_AT_ONCE`] at a time, because a call of it costs as much as the rest of an id.
fn random() -> Result<[u8; 16], NoRandomness> {
    thread_local! {
        static SPARE: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    SPARE.with_borrow_mut(|spare| {
        if let Some(bytes) = spare.pop() {
            return Ok(bytes);
        }
        let mut fetched = [[0; 16]; RANDOM_AT_ONCE];
        getrandom::fill(fetched.as_flattened_mut())?;
        let [first, rest @ ..] = fetched;
        spare.extend_from_slice(&rest);
        Ok(first)
    })
}

/// Generates an AES-128 key for [`IdCipher`].
///
/// # Errors
/// Returns an error if the generator failed.
pub fn fresh_key() -> Result<[u8; 16], NoRandomness> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)?;
    Ok(key)
}

/// Makes ids from rows and finds the rows of ids. One key for the life of a store.
#[derive(Clone)]
pub struct IdCipher {
    aes: Aes128,
}

impl IdCipher {
    pub fn new(key: [u8; 16]) -> IdCipher {
        IdCipher { aes: Aes128::new(&key.into()) }
    }

    /// Generates a fresh id for a row, and the nonce that it carries. Finding the row again takes
    /// one round.
    ///
    /// # Errors
    /// Returns an error if the operating system's generator failed.
    pub fn seal_fresh(&self, row: u64) -> Result<(u128, Uuid), NoRandomness> {
        debug_assert!(row <= ROW_MAX);
        loop {
            // The lowest bits count the tries; which of them is taken is as random as the rest.
            let random = fresh_nonce()? & !(TRIES as u128 - 1);
            let nonces: [u128; TRIES] = std::array::from_fn(|number| random | number as u128);
            let mut blocks = nonces.map(|nonce| pack(row, nonce).to_be_bytes().into());
            self.aes.encrypt_blocks(&mut blocks);
            let ids = blocks.map(|block| u128::from_be_bytes(block.into()));
            let found = nonces.into_iter().zip(ids).find(|(_, id)| id & FIXED_MASK == FIXED_BITS);
            if let Some((nonce, id)) = found {
                return Ok((nonce, Uuid::from_u128(id)));
            }
        }
    }

    /// Returns the id of a job.
    pub fn seal(&self, row: u64, nonce: u128) -> Uuid {
        debug_assert!(row <= ROW_MAX && nonce <= NONCE_MASK);
        let mut value = pack(row, nonce);
        self.aes.encrypt_with_backend(Walk(&mut value));
        Uuid::from_u128(value)
    }

    /// Decrypts an id; `None` for a UUID that is not a version 4. Any v4 gives a row: whether that
    /// row is the id's is for the caller to check with [`IdParts::has_nonce`].
    pub fn open(&self, id: Uuid) -> Option<IdParts> {
        let mut value = id.as_u128();
        if value & FIXED_MASK != FIXED_BITS {
            return None;
        }
        self.aes.decrypt_with_backend(Walk(&mut value));
        Some(unpack(value))
    }
}

/// A walk from one value with the fixed bits to the next. All its rounds run inside of one call of
/// the cipher, which would otherwise prepare its keys again for each: that is four fifths of the
/// time.
struct Walk<'a>(&'a mut u128);

impl Walk<'_> {
    fn run(self, mut round: impl FnMut(&mut Block<Aes128>)) {
        loop {
            let mut block = self.0.to_be_bytes().into();
            round(&mut block);
            *self.0 = u128::from_be_bytes(block.into());
            if *self.0 & FIXED_MASK == FIXED_BITS {
                return;
            }
        }
    }
}

impl BlockSizeUser for Walk<'_> {
    type BlockSize = <Aes128 as BlockSizeUser>::BlockSize;
}

impl BlockCipherEncClosure for Walk<'_> {
    fn call<B: BlockCipherEncBackend<BlockSize = Self::BlockSize>>(self, backend: &B) {
        self.run(|block| backend.encrypt_block_inplace(block));
    }
}

impl BlockCipherDecClosure for Walk<'_> {
    fn call<B: BlockCipherDecBackend<BlockSize = Self::BlockSize>>(self, backend: &B) {
        self.run(|block| backend.decrypt_block_inplace(block));
    }
}

fn pack(row: u64, nonce: u128) -> u128 {
    (u128::from(row) << 80) | FIXED_BITS | ((nonce >> 62) << 64) | (nonce & NONCE_LOW_MASK)
}

fn unpack(value: u128) -> IdParts {
    let nonce = (((value >> 64) & 0xfff) << 62) | (value & NONCE_LOW_MASK);
    // The shift leaves 48 bits.
    IdParts { row: (value >> 80) as u64, nonce }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_gives_back_what_it_carries(
            key: [u8; 16],
            row in 0..=ROW_MAX,
            nonce in 0..=NONCE_MASK,
        ) {
            let cipher = IdCipher::new(key);
            let id = cipher.seal(row, nonce);
            prop_assert_eq!(id.get_version_num(), 4);
            prop_assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            let plain = cipher.open(id).unwrap();
            prop_assert_eq!(plain.row, row);
            prop_assert!(plain.has_nonce(nonce));
            prop_assert!(!plain.has_nonce(nonce ^ 1));
        }

        #[test]
        fn a_fresh_id_is_that_of_its_row_and_nonce_and_one_round_away(
            key: [u8; 16],
            row in 0..=ROW_MAX,
        ) {
            let cipher = IdCipher::new(key);
            let (nonce, id) = cipher.seal_fresh(row).unwrap();
            prop_assert_eq!(cipher.seal(row, nonce), id);
            let plain = cipher.open(id).unwrap();
            prop_assert_eq!((plain.row, plain.nonce), (row, nonce));
            let mut block = id.into_bytes().into();
            cipher.aes.decrypt_block(&mut block);
            prop_assert_eq!(u128::from_be_bytes(block.into()), pack(row, nonce));
        }

        #[test]
        fn any_uuid_is_opened_or_refused(value: u128) {
            let _ = IdCipher::new([7; 16]).open(Uuid::from_u128(value));
        }
    }

    #[test]
    fn fast_uuids_differ_and_are_version_four() {
        let ids: Vec<Uuid> = (0..3 * RANDOM_AT_ONCE).map(|_| fast_uuid_v4().unwrap()).collect();
        assert!(ids.iter().all(|id| id.as_u128() & FIXED_MASK == FIXED_BITS));
        let distinct: std::collections::HashSet<&Uuid> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn fresh_nonces_use_all_of_their_bits() {
        let cipher = IdCipher::new(fresh_key().unwrap());
        let nonces: Vec<u128> = (0..512).map(|_| cipher.seal_fresh(1).unwrap().0).collect();
        for bit in 0..NONCE_BITS {
            let set = nonces.iter().filter(|nonce| *nonce >> bit & 1 == 1).count();
            // Chance alone leaves these bounds less than once in 2^50 runs.
            assert!((100..412).contains(&set), "bit {bit}: {set}");
        }
    }

    #[test]
    fn ids_of_neighboring_rows_share_nothing_visible() {
        let cipher = IdCipher::new(fresh_key().unwrap());
        let (a, b) = (cipher.seal(1, 5), cipher.seal(2, 5));
        let differing = (a.as_u128() ^ b.as_u128()).count_ones();
        assert!(differing > 20, "{differing} bits differ");
    }
}
