//! Where a secret is: in a file that the settings name, in a variable, or in a credential of
//! systemd that is called as the variable.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::redaction::{is_variable, may_be_secret};

/// What systemd sets to the directory with a unit's credentials (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The places where one secret may be; empty where it is not.
pub(super) struct SecretSource<'a> {
    pub file: &'a str,
    pub variable: &'a str,
}

/// A file with a secret that cannot be read. Its path is shown only where it looks like one.
#[derive(Debug)]
pub(super) struct Unreadable {
    path: String,
    error: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { path, error } = self;
        if path.starts_with(['/', '.']) && !may_be_secret(path) {
            write!(formatter, "cannot be read: {path}: {error}")
        } else {
            write!(
                formatter,
                "must name a file that can be read ({error}); what it says is not repeated here, \
                 because it may be the secret itself"
            )
        }
    }
}

impl SecretSource<'_> {
    /// Returns the secret without the space around it; empty where there is none. A file goes
    /// before the variable, and the variable before the credential.
    ///
    /// # Errors
    /// Returns an error if the file, or the credential, is there and cannot be read; or the file is
    /// not there.
    pub(crate) fn read(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> Result<String, Unreadable> {
        let text = if self.file.is_empty() {
            // An empty variable is how compose files say "not set".
            match environment.get(self.variable).filter(|value| !value.trim().is_empty()) {
                Some(value) => value.clone(),
                None => self.credential(environment)?,
            }
        } else {
            read(Path::new(self.file))?
        };
        Ok(text.trim().to_owned())
    }

    fn credential(&self, environment: &BTreeMap<String, String>) -> Result<String, Unreadable> {
        // What is no name of a variable could lead out of the directory.
        let name = Some(self.variable).filter(|name| is_variable(name));
        let (Some(directory), Some(name)) = (environment.get(CREDENTIALS_DIRECTORY), name) else {
            return Ok(String::new());
        };
        match read(&Path::new(directory).join(name)) {
            Err(unreadable) if unreadable.error.kind() == ErrorKind::NotFound => Ok(String::new()),
            found => found,
        }
    }
}

fn read(path: &Path) -> Result<String, Unreadable> {
    std::fs::read_to_string(path)
        .map_err(|error| Unreadable { path: path.display().to_string(), error })
}
