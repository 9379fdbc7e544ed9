//! The peers' protocols, as far as a submit needs them. Each job is [`PAYLOAD_BYTES`] long, which is
//! about what a job's record takes in our own store.

use crate::shared::Protocol;

const PAYLOAD_BYTES: usize = 128;

fn payload(client: usize, n: usize) -> String {
    format!("{:<PAYLOAD_BYTES$}", format!("client {client} job {n}"))
}

/// Where the line at the front ends.
fn line(held: &[u8]) -> Option<usize> {
    held.windows(2).position(|two| two == b"\r\n").map(|at| at + 2)
}

fn must_start(held: &[u8], wanted: &[u8]) {
    assert!(held.starts_with(wanted), "{}", String::from_utf8_lossy(held));
}

/// `LPUSH` in RESP.
pub(crate) struct Redis;

impl Protocol for Redis {
    fn request(&self, client: usize, n: usize) -> String {
        let payload = payload(client, n);
        format!("*3\r\n$5\r\nLPUSH\r\n$4\r\njobs\r\n${PAYLOAD_BYTES}\r\n{payload}\r\n")
    }

    fn reply(&self, held: &[u8]) -> Option<usize> {
        let end = line(held)?;
        must_start(held, b":");
        Some(end)
    }
}

/// `put` of beanstalkd.
pub(crate) struct Beanstalkd;

impl Protocol for Beanstalkd {
    fn request(&self, client: usize, n: usize) -> String {
        format!("put 1024 0 60 {PAYLOAD_BYTES}\r\n{}\r\n", payload(client, n))
    }

    fn reply(&self, held: &[u8]) -> Option<usize> {
        let end = line(held)?;
        must_start(held, b"INSERTED ");
        Some(end)
    }
}

/// What a NATS server sends to see whether its client is still there.
const PING: &[u8] = b"PING\r\n";

/// A message to a stream of JetStream, answered on an inbox of the connection's own.
pub(crate) struct Nats;

impl Protocol for Nats {
    fn hello(&self, client: usize) -> Option<(String, &'static [u8])> {
        let first = format!("CONNECT {{\"verbose\":false}}\r\nSUB inbox.{client} 1\r\nPING\r\n");
        // The server's INFO comes first.
        Some((first, b"PONG\r\n"))
    }

    fn request(&self, client: usize, n: usize) -> String {
        format!("PUB jobs inbox.{client} {PAYLOAD_BYTES}\r\n{}\r\n", payload(client, n))
    }

    fn reply(&self, held: &[u8]) -> Option<usize> {
        // The server asks at any time whether the client is there; it waits minutes for the answer.
        let asked = if held.starts_with(PING) { PING.len() } else { 0 };
        let message = &held[asked..];
        let head = line(message)?;
        must_start(message, b"MSG inbox.");
        let length: usize =
            std::str::from_utf8(&message[..head - 2]).unwrap().rsplit(' ').next()?.parse().unwrap();
        let end = asked + head + length + 2;
        assert!(
            !held.windows(7).any(|seven| seven == b"\"error\""),
            "{}",
            String::from_utf8_lossy(held)
        );
        match held.get(end..) {
            Some(PING) => Some(held.len()),
            Some([]) => Some(end),
            Some(rest) if PING.starts_with(rest) => None,
            Some(_) => Some(end),
            None => None,
        }
    }
}
