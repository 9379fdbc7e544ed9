//! What a failed exchange means: a [`Reason`] for every failure on the way. What a reply's status
//! means is for the provider to say.
//! Sentences name the upstream and the setting to look at; never an address, a key or the prompt.

use std::io;

use ureq::Timeout;

use crate::job::Reason;
use crate::upstream::UpstreamError;

/// Returns what a failure on the way means. The client's own words for it are left out where they
/// can hold an address.
#[expect(clippy::wildcard_enum_match_arm, reason = "ureq's list of errors is open")]
pub(super) fn classify_failure(error: &ureq::Error, upstream: &str) -> UpstreamError {
    let (reason, what) = match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            (Reason::Unreachable, "could not be reached in time".to_owned())
        }
        ureq::Error::Timeout(_) => (Reason::UpstreamTimeout, "did not answer in time".to_owned()),
        ureq::Error::Io(error) => io_failure(error),
        ureq::Error::HostNotFound => {
            (Reason::Unreachable, "could not be reached: its host has no address".to_owned())
        }
        ureq::Error::ConnectionFailed => (Reason::Unreachable, "could not be reached".to_owned()),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => (
            Reason::Unreachable,
            format!("could not be reached: `proxy` of [upstreams.{upstream}] refused"),
        ),
        ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::TlsRequired
        | ureq::Error::Pem(_) => {
            (Reason::Unreachable, "could not be reached: no trusted TLS connection".to_owned())
        }
        ureq::Error::BodyExceedsLimit(most_bytes) => {
            let most_mib = most_bytes >> 20;
            (Reason::TooLarge, format!("answered with more than {most_mib} MiB"))
        }
        ureq::Error::LargeResponseHeader(..) => {
            (Reason::TooLarge, "answered with too large a head".to_owned())
        }
        ureq::Error::Decompress(_, error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            io_failure(error)
        }
        ureq::Error::Decompress(..) => {
            (Reason::InvalidResponse, "answered with a body that cannot be decompressed".to_owned())
        }
        ureq::Error::Protocol(_) => {
            (Reason::InvalidResponse, "answered with something that is not HTTP".to_owned())
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
            return unsendable(upstream);
        }
        // ureq's list of errors is open.
        _ => (Reason::Unreachable, "broke off the exchange".to_owned()),
    };
    UpstreamError::new(reason, format!("{upstream} {what}."))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list of kinds is open")]
fn io_failure(error: &io::Error) -> (Reason, String) {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            (Reason::UpstreamTimeout, "did not answer in time".to_owned())
        }
        ErrorKind::ConnectionRefused => {
            (Reason::Unreachable, "could not be reached: connection refused".to_owned())
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            (Reason::Unreachable, "could not be reached: no route to it".to_owned())
        }
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => (Reason::Unreachable, "broke off the connection".to_owned()),
        // So come certificates that rustls refuses, and hosts that do not speak TLS at all.
        ErrorKind::InvalidData => {
            (Reason::Unreachable, "could not be reached: no trusted TLS connection".to_owned())
        }
        // So come names that cannot be looked up, among others.
        _ => (Reason::Unreachable, "could not be reached".to_owned()),
    }
}

/// Returns the failure of a request that cannot be put into HTTP: an address or a header from the
/// settings is at fault.
pub(super) fn unsendable(upstream: &str) -> UpstreamError {
    let sentence = format!(
        "{upstream} cannot be asked: look at `base_url` and `auth_header` of \
         [upstreams.{upstream}]."
    );
    UpstreamError::new(Reason::BadRequest, sentence)
}
