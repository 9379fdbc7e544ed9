//! What an error of PostgreSQL means for a connection and for the store.

use std::error::Error;
use std::fmt;

use crate::store::StoreError;
use crate::store::error::BackendError;

/// A class of errors that are answered alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// The connection is of no more use, and what became of its transaction is unknown.
    ConnectionLost,
    /// Another transaction was in the way, or the server was too slow: the same again may succeed.
    Contended,
    /// The server lacks memory, connections or space on its disk.
    Overloaded,
    /// A table is not there, as that of an hour that has just begun.
    TableMissing,
    /// A row, table or schema is there already, as when another node was faster.
    Duplicate,
    /// The role may not do this, or the password is wrong.
    Denied,
    /// The server found its own files damaged.
    Corrupted,
    /// The statement was refused for another reason, which a second try does not change.
    Refused,
}

/// An error of a connection or a statement, without values of the rows that it is about.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) struct PgError {
    class: ErrorClass,
    /// The SQLSTATE, where the server has answered.
    code: Option<String>,
    message: String,
}

impl PgError {
    /// Returns the error of a server that has not answered for too long.
    pub(super) fn silent(seconds: u64) -> PgError {
        let message = format!("the server has not answered for {seconds} s");
        PgError { class: ErrorClass::ConnectionLost, code: None, message }
    }

    /// Returns the error of this machine, which cannot have another connection.
    pub(super) fn of_machine(error: &std::io::Error) -> PgError {
        PgError { class: ErrorClass::Overloaded, code: None, message: error.to_string() }
    }

    /// Returns whether the server has answered with this SQLSTATE.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    pub(super) fn class(&self) -> ErrorClass {
        self.class
    }

    /// Returns whether the connection has to be replaced.
    pub(super) fn is_lost(&self) -> bool {
        self.class == ErrorClass::ConnectionLost
    }

    /// Returns whether another node has made the same thing.
    pub(super) fn is_duplicate(&self) -> bool {
        self.class == ErrorClass::Duplicate
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(formatter, "{} (SQLSTATE {code})", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

/// Returns what a SQLSTATE means (PostgreSQL's documentation, appendix A).
fn class_of(code: &str) -> ErrorClass {
    match code {
        // 25006: the primary became a standby under us. 25P03 and 57P05: the server ended an idle
        // session.
        "25006" | "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => ErrorClass::ConnectionLost,
        // A serialization failure, a deadlock, a lock or a statement that took too long.
        "40001" | "40P01" | "55P03" | "57014" => ErrorClass::Contended,
        "3F000" | "42P01" => ErrorClass::TableMissing,
        "23505" | "42P06" | "42P07" | "42710" => ErrorClass::Duplicate,
        "42501" | "3D000" => ErrorClass::Denied,
        "XX001" | "XX002" => ErrorClass::Corrupted,
        _ => match code.get(..2) {
            Some("08") => ErrorClass::ConnectionLost,
            Some("28") => ErrorClass::Denied,
            Some("53") => ErrorClass::Overloaded,
            _ => ErrorClass::Refused,
        },
    }
}

impl From<tokio_postgres::Error> for PgError {
    fn from(error: tokio_postgres::Error) -> PgError {
        if let Some(refused) = error.as_db_error() {
            let code = refused.code().code().to_owned();
            // The detail and the hint may quote values of rows.
            let message = refused.message().to_owned();
            return PgError { class: class_of(&code), code: Some(code), message };
        }
        // All that is not the server's answer is of the socket, but for values whose types differ
        // from those of the columns.
        let mismatch = error.source().is_some_and(|source| !source.is::<std::io::Error>());
        let class = if mismatch && !error.is_closed() {
            ErrorClass::Refused
        } else {
            ErrorClass::ConnectionLost
        };
        let message = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        PgError { class, code: None, message }
    }
}

impl From<PgError> for StoreError {
    fn from(error: PgError) -> StoreError {
        match error.class {
            ErrorClass::ConnectionLost | ErrorClass::Overloaded => {
                StoreError::Unavailable(BackendError::new(error, false))
            }
            ErrorClass::Contended => StoreError::Busy,
            ErrorClass::Denied => StoreError::Unsuitable(BackendError::new(error, true)),
            ErrorClass::Corrupted => StoreError::Database(BackendError::new(error, true)),
            ErrorClass::TableMissing | ErrorClass::Duplicate | ErrorClass::Refused => {
                StoreError::Database(BackendError::new(error, false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_that_end_a_connection_are_told_from_those_that_refuse_a_statement() {
        for (code, class) in [
            ("25006", ErrorClass::ConnectionLost),
            ("57P01", ErrorClass::ConnectionLost),
            ("57P03", ErrorClass::ConnectionLost),
            ("08006", ErrorClass::ConnectionLost),
            ("40001", ErrorClass::Contended),
            ("55P03", ErrorClass::Contended),
            ("57014", ErrorClass::Contended),
            ("53300", ErrorClass::Overloaded),
            ("42P01", ErrorClass::TableMissing),
            ("23505", ErrorClass::Duplicate),
            ("28P01", ErrorClass::Denied),
            ("XX001", ErrorClass::Corrupted),
            ("22012", ErrorClass::Refused),
            ("", ErrorClass::Refused),
        ] {
            assert_eq!(class_of(code), class, "{code}");
        }
    }
}
