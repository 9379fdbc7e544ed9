//! Evidence of attempts, kept as files beside the database: each job has a directory whose name
//! says when it expires, so that removing needs no index. Readable by our own user only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::UnixMs;
use crate::job::Job;

use super::{Row, StoreError};

/// The directory in the store's.
const FOLDER_NAME: &str = "evidence";
/// The largest file, bytes.
pub(crate) const EVIDENCE_FILE_BYTES_MAX: usize = 8 << 20;
/// The most files of one job: of as many attempts as a job may have at several upstreams.
pub(crate) const EVIDENCE_FILES_MAX: usize = 100;
/// Digits of the checksum at the end of a file's name.
const CHECKSUM_DIGITS: usize = 8;
/// Digits of a time in a name, so that names sort as times do.
const TIME_DIGITS: usize = 15;

/// The evidence of all jobs.
pub(super) struct EvidenceFolder {
    path: PathBuf,
    bytes_max: u64,
    /// Held while something is added or removed.
    changing: Mutex<()>,
}

/// The job that evidence belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceOwner {
    pub row: Row,
    pub expires_ms: UnixMs,
}

impl From<&Job> for EvidenceOwner {
    fn from(job: &Job) -> EvidenceOwner {
        EvidenceOwner { row: job.row, expires_ms: job.expires_ms }
    }
}

/// A file of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceFile {
    pub name: String,
    pub bytes: u64,
    /// Of its content; those of before there were checksums have none.
    checksum: Option<u32>,
}

impl EvidenceFile {
    /// Creates the file that a row of a table is.
    pub(super) fn of_row(name: String, bytes: u64) -> EvidenceFile {
        EvidenceFile { name, bytes, checksum: None }
    }
}

/// The name on disk, which ends in a checksum: the content is as the browser gave it.
fn stored_name(name: &str, content: &[u8]) -> String {
    format!("{name}.{:0CHECKSUM_DIGITS$x}", crc32fast::hash(content))
}

/// A name on disk as it was given, and its checksum.
fn split_name(stored: String) -> (String, Option<u32>) {
    let split = stored.rsplit_once('.').filter(|(_, digits)| digits.len() == CHECKSUM_DIGITS);
    match split.and_then(|(name, digits)| Some((name, u32::from_str_radix(digits, 16).ok()?))) {
        Some((name, checksum)) => (name.to_owned(), Some(checksum)),
        None => (stored, None),
    }
}

fn read_sound(folder: &Path, file: &EvidenceFile) -> io::Result<Vec<u8>> {
    let stored = match file.checksum {
        Some(checksum) => format!("{}.{checksum:0CHECKSUM_DIGITS$x}", file.name),
        None => file.name.clone(),
    };
    let content = fs::read(folder.join(stored))?;
    if file.checksum.is_some_and(|checksum| checksum != crc32fast::hash(&content)) {
        let why = "it does not match its checksum";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(content)
}

impl EvidenceFolder {
    /// Creates the folder of a store's directory; nothing is made before there is something to
    /// keep. All of it takes `bytes_max` at most.
    pub(super) fn new(store: &Path, bytes_max: u64) -> EvidenceFolder {
        EvidenceFolder { path: store.join(FOLDER_NAME), bytes_max, changing: Mutex::new(()) }
    }

    fn of(&self, job: EvidenceOwner) -> PathBuf {
        self.path.join(format!("{:0TIME_DIGITS$}-{}", job.expires_ms, job.row))
    }

    /// Keeps files of a job; what is too large, or one too many, is left out. The jobs that expire
    /// first lose theirs when there is too much.
    ///
    /// # Errors
    /// Returns an error if they cannot be written.
    pub(super) fn put(&self, job: EvidenceOwner, files: &[(String, &[u8])]) -> io::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.of(job);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let kept = files_in(&folder)?.len();
        for (name, content) in files.iter().take(EVIDENCE_FILES_MAX.saturating_sub(kept)) {
            if content.len() > EVIDENCE_FILE_BYTES_MAX {
                continue;
            }
            let path = folder.join(stored_name(name, content));
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            if let Err(error) = file.write_all(content) {
                // Half of it would be found damaged, and takes room that the disk does not have.
                let _ = fs::remove_file(&path);
                return Err(error);
            }
        }
        self.bound(&folder)
    }

    fn bound(&self, newest: &Path) -> io::Result<()> {
        let mut folders = Vec::new();
        for (_, folder) in self.folders()? {
            let bytes: u64 = files_in(&folder)?.iter().map(|file| file.bytes).sum();
            folders.push((folder, bytes));
        }
        let mut total: u64 = folders.iter().map(|(_, bytes)| bytes).sum();
        for (folder, bytes) in folders.iter().filter(|(folder, _)| folder != newest) {
            if total <= self.bytes_max {
                break;
            }
            fs::remove_dir_all(folder)?;
            total -= bytes;
        }
        Ok(())
    }

    /// Returns the files of a job, by name.
    ///
    /// # Errors
    /// Returns an error if they cannot be read.
    pub(super) fn list(&self, job: EvidenceOwner) -> io::Result<Vec<EvidenceFile>> {
        files_in(&self.of(job))
    }

    /// Returns a file of a job; `None` when it has none of that name.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or is not as it was written.
    pub(super) fn read(&self, job: EvidenceOwner, name: &str) -> io::Result<Option<Vec<u8>>> {
        // A name that is listed leads nowhere else.
        let Some(file) = self.list(job)?.into_iter().find(|file| file.name == name) else {
            return Ok(None);
        };
        read_sound(&self.of(job), &file).map(Some)
    }

    /// Removes the files of a job.
    ///
    /// # Errors
    /// Returns an error if they cannot be removed.
    pub(super) fn remove(&self, job: EvidenceOwner) -> io::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_dir_all(self.of(job)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Returns a sentence for each file that cannot be read or is not as it was written.
    ///
    /// # Errors
    /// Returns an error if the folders cannot be listed.
    pub(super) fn problems(&self) -> io::Result<Vec<String>> {
        let mut problems = Vec::new();
        for (_, folder) in self.folders()? {
            for file in files_in(&folder)? {
                if let Err(error) = read_sound(&folder, &file) {
                    let path = folder.join(&file.name);
                    problems.push(format!("the evidence {}: {error}", path.display()));
                }
            }
        }
        Ok(problems)
    }

    /// Calls `visit` with each file: the job, the name and the content. Returns a sentence for each
    /// that is damaged.
    ///
    /// # Errors
    /// Returns an error if the folders cannot be listed, or `visit` does.
    pub(super) fn visit(
        &self,
        mut visit: impl FnMut(EvidenceOwner, &str, Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<Vec<String>, StoreError> {
        let unusable = |error: io::Error| StoreError::Directory {
            path: self.path.display().to_string(),
            error: Arc::new(error),
        };
        let mut damaged = Vec::new();
        for (expires_ms, folder) in self.folders().map_err(unusable)? {
            let name = folder.file_name().and_then(|name| name.to_str()?.split_once('-'));
            let row = name.and_then(|(_, row)| row.parse().ok());
            let Some((expires_ms, row)) = expires_ms.zip(row) else { continue };
            for file in files_in(&folder).map_err(unusable)? {
                match read_sound(&folder, &file) {
                    Ok(content) => visit(EvidenceOwner { row, expires_ms }, &file.name, content)?,
                    Err(error) => {
                        let path = folder.join(&file.name);
                        damaged.push(format!("the evidence {}: {error}", path.display()));
                    }
                }
            }
        }
        Ok(damaged)
    }

    /// Removes what belongs to jobs that have expired at `now_ms`, and what belongs to none.
    ///
    /// # Errors
    /// Returns an error if it cannot be removed.
    pub(super) fn sweep(&self, now_ms: UnixMs) -> io::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        for (expires_ms, folder) in self.folders()? {
            if expires_ms.is_none_or(|expires_ms| expires_ms <= now_ms) {
                fs::remove_dir_all(folder)?;
            }
        }
        Ok(())
    }

    /// All jobs' directories with the times in their names, the earliest first.
    fn folders(&self) -> io::Result<Vec<(Option<UnixMs>, PathBuf)>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let time = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
            folders.push((time, entry.path()));
        }
        folders.sort();
        Ok(folders)
    }
}

fn files_in(folder: &Path) -> io::Result<Vec<EvidenceFile>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let bytes = entry.metadata()?.len();
        files.extend(entry.file_name().into_string().map(|stored| {
            let (name, checksum) = split_name(stored);
            EvidenceFile { name, bytes, checksum }
        }));
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    fn job(row: Row, expires_ms: UnixMs) -> EvidenceOwner {
        EvidenceOwner { row, expires_ms }
    }

    #[test]
    fn evidence_is_kept_until_its_job_expires() {
        let directory = tempfile::tempdir().unwrap();
        let folder = EvidenceFolder::new(directory.path(), 1 << 20);
        let (early, late) = (job(1, 1_000), job(2, 2_000));
        assert_eq!(folder.list(early).unwrap(), []);
        folder.put(early, &[("1-a.json".to_owned(), b"one")]).unwrap();
        folder.put(early, &[("2-a.json".to_owned(), b"four")]).unwrap();
        folder.put(late, &[("1-a.png".to_owned(), b"two")]).unwrap();
        let names: Vec<String> =
            folder.list(early).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["1-a.json", "2-a.json"]);
        assert_eq!(folder.read(early, "2-a.json").unwrap().unwrap(), b"four");
        assert_eq!(folder.read(early, "../evidence").unwrap(), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.of(early)), 0o700);
        assert_eq!(mode(&folder.of(early).join(stored_name("1-a.json", b"one"))), 0o600);
        fs::create_dir(directory.path().join("evidence/stray")).unwrap();
        folder.sweep(1_000).unwrap();
        assert_eq!(folder.list(early).unwrap(), []);
        assert_eq!(fs::read_dir(directory.path().join("evidence")).unwrap().count(), 1);
        folder.sweep(2_000).unwrap();
        assert_eq!(folder.list(late).unwrap(), []);
    }

    #[test]
    fn damaged_evidence_is_found_and_not_given() {
        let directory = tempfile::tempdir().unwrap();
        let folder = EvidenceFolder::new(directory.path(), 1 << 20);
        let job = job(1, 1_000);
        folder
            .put(job, &[("1-a.json".to_owned(), b"one"), ("2-a.json".to_owned(), b"two")])
            .unwrap();
        fs::write(folder.of(job).join("old.json"), b"of before there were checksums").unwrap();
        assert_eq!(folder.problems().unwrap(), Vec::<String>::new());
        fs::write(folder.of(job).join(stored_name("1-a.json", b"one")), b"onf").unwrap();
        assert!(folder.read(job, "1-a.json").is_err());
        assert_eq!(folder.read(job, "2-a.json").unwrap().unwrap(), b"two");
        assert!(folder.read(job, "old.json").unwrap().is_some());
        let problems = folder.problems().unwrap();
        assert!(problems.len() == 1 && problems[0].contains("1-a.json"), "{problems:?}");
    }

    #[test]
    fn the_oldest_goes_when_there_is_too_much() {
        let directory = tempfile::tempdir().unwrap();
        let folder = EvidenceFolder::new(directory.path(), 250);
        let files = [("a".to_owned(), &[0; 100][..])];
        for row in 1..=3 {
            folder.put(job(row, 1_000 * row), &files).unwrap();
        }
        let left = |row: u64| folder.list(job(row, 1_000 * row)).unwrap().len();
        assert_eq!([left(1), left(2), left(3)], [0, 1, 1]);
        let large = vec![0; EVIDENCE_FILE_BYTES_MAX + 1];
        folder.put(job(4, 4_000), &[("large".to_owned(), &large)]).unwrap();
        assert_eq!(left(4), 0);
    }
}
