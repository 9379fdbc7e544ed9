//! The rules of `[[keys]]`.

use crate::config::dollars::check_cap;
use crate::config::file;
use crate::config::names::{ANONYMOUS, NAME_CHARS_MAX, is_name};
use crate::config::redaction::quoted;
use crate::config::settings::Key;

pub(super) fn check_keys(typed: &[file::Key], problems: &mut Vec<String>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(typed.len());
    for (at, key) in typed.iter().enumerate() {
        let Some(key) = check_key(at, key, problems) else { continue };
        if keys.iter().any(|earlier| earlier.name == key.name) {
            problems.push(format!("two keys have the name {}", quoted(&key.name)));
        }
        if keys.iter().any(|earlier| earlier.hash == key.hash) {
            let name = quoted(&key.name);
            problems.push(format!("the key {name} has the same hash as another"));
        }
        keys.push(key);
    }
    keys
}

fn check_key(at: usize, typed: &file::Key, problems: &mut Vec<String>) -> Option<Key> {
    if !is_name(&typed.name) || typed.name == ANONYMOUS {
        problems.push(format!(
            "`name` of [[keys]] number {} must be 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` \
             or `.`, and not `{ANONYMOUS}`; it is {}",
            at + 1,
            quoted(&typed.name)
        ));
    }
    let hash = typed.hash.strip_prefix("sha256:").and_then(from_hex);
    let Some(hash) = hash else {
        problems.push(format!(
            "`hash` of the key {} must be `sha256:` and 64 hexadecimal digits, as `answerd \
             keygen` prints it",
            quoted(&typed.name)
        ));
        return None;
    };
    Some(Key {
        name: typed.name.clone(),
        hash,
        monthly_credits: Some(typed.monthly_credits).filter(|credits| *credits > 0),
        requests_per_minute: Some(typed.requests_per_minute).filter(|limit| *limit > 0),
        day_nanos_max: check_cap(
            &format!("of the key {}", quoted(&typed.name)),
            &typed.usd_per_day,
            problems,
        ),
        operator: typed.operator,
    })
}

fn from_hex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // Digits only: `from_str_radix` would take a sign as well.
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
