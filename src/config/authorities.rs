//! The certificate authorities of the operator's own, from a file of them.

use std::path::Path;

use super::redaction::quoted;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// The largest file, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the certificates of the file that a setting names, each as PEM by itself; none if it names
/// no file, or, with a problem told, one that cannot be used.
pub(super) fn load(setting: &str, file: &str, problems: &mut Vec<String>) -> Vec<String> {
    if file.is_empty() {
        return Vec::new();
    }
    read(Path::new(file)).unwrap_or_else(|why| {
        problems.push(format!(
            "`{setting}` must name a file of certificates in PEM; {} {why}",
            quoted(file)
        ));
        Vec::new()
    })
}

/// Reads the certificates of a PEM file, each as PEM by itself.
///
/// # Errors
/// Returns what is wrong with the file, as a part of a sentence.
fn read(path: &Path) -> Result<Vec<String>, String> {
    let bytes = std::fs::metadata(path).map_err(|error| format!("cannot be read ({error})"))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("is no text ({error})"))?;
    let bodies = text.split(BEGIN).skip(1).filter_map(|rest| Some(rest.split_once(END)?.0));
    let found: Vec<String> = bodies.map(|body| format!("{BEGIN}{body}{END}\n")).collect();
    if found.is_empty() {
        return Err("holds no certificate in PEM".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_read_one_by_one_and_a_file_without_one_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        let one = |body: &str| format!("{BEGIN}\n{body}\n{END}\n");
        write(&format!("# Ours\n{}{}", one("aaa"), one("bbb")));
        assert_eq!(read(&file).unwrap(), [one("aaa"), one("bbb")]);
        for wrong in ["", "aaa", BEGIN, &one("x").replace("CERTIFICATE", "PRIVATE KEY")] {
            write(wrong);
            assert_eq!(read(&file).unwrap_err(), "holds no certificate in PEM", "{wrong}");
        }
        assert!(read(&directory.path().join("none")).unwrap_err().starts_with("cannot be read"));
    }
}
