//! A receiver of webhooks: a real server on loopback that does what the test says, and keeps what
//! it was told. And a verification of signatures that shares no code with the service.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossbeam_channel::{Receiver as Channel, Sender};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::Gate;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDWkH1JkGMvQo=";
const PATIENCE: Duration = Duration::from_secs(20);

/// What the receiver does with a request. After the last it takes everything with a 204.
pub(crate) enum Does {
    /// A status, and headers as lines.
    Status(u16, &'static str),
    /// Reads the request and says nothing until the gate opens; takes it then.
    Hang(Gate),
    /// A 200 whose body never ends.
    Endless,
    /// Closes the connection.
    HangUp,
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub head: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn at_ms(&self) -> u64 {
        self.headers["webhook-timestamp"].parse::<u64>().unwrap() * 1000
    }

    /// How many of the signatures this secret has made.
    pub(crate) fn signed_by(&self, secret: &str) -> usize {
        let mut signed = format!("{}.{}.", self.id(), self.headers["webhook-timestamp"]);
        signed.push_str(std::str::from_utf8(&self.body).unwrap());
        let expected = format!("v1,{}", BASE64.encode(hmac_sha256(secret, signed.as_bytes())));
        self.headers["webhook-signature"].split(' ').filter(|given| *given == expected).count()
    }
}

/// HMAC as RFC 2104 writes it down.
fn hmac_sha256(secret: &str, message: &[u8]) -> [u8; 32] {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    assert!(key.len() <= 64);
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(&key).for_each(|(block, key)| *block ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

pub(crate) struct Receiver {
    pub address: SocketAddr,
    told: Channel<Told>,
    stopping: Arc<AtomicBool>,
}

impl Receiver {
    pub(crate) fn start(does: impl IntoIterator<Item = Does>) -> Receiver {
        Receiver::start_at("127.0.0.1:0", does)
    }

    pub(crate) fn start_at(address: &str, does: impl IntoIterator<Item = Does>) -> Receiver {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let does: Arc<Mutex<VecDeque<Does>>> = Arc::new(Mutex::new(does.into_iter().collect()));
        let (tell, told) = crossbeam_channel::unbounded();
        let stopping = Arc::new(AtomicBool::new(false));
        let stopped = stopping.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (does, tell) = (does.clone(), tell.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &does, &tell));
            }
        });
        Receiver { address, told, stopping }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?token=t-0", self.address)
    }

    #[track_caller]
    pub(crate) fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("the receiver was told nothing")
    }

    pub(crate) fn told_more(&self) -> bool {
        !self.told.is_empty()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, does: &Mutex<VecDeque<Does>>, tell: &Sender<Told>) {
    let Some(told) = read(&stream) else { return };
    let next = does.lock().unwrap().pop_front();
    let _ = tell.send(told);
    let reply = |status: u16, headers: &str| {
        format!("HTTP/1.1 {status} Status\r\n{headers}connection: close\r\n")
    };
    // The service may have gone meanwhile.
    let _ = match next.unwrap_or(Does::Status(204, "")) {
        Does::Status(status, headers) => stream
            .write_all(format!("{}content-length: 0\r\n\r\n", reply(status, headers)).as_bytes()),
        Does::Hang(gate) => {
            gate.pass();
            stream.write_all(format!("{}\r\n", reply(204, "")).as_bytes())
        }
        Does::HangUp => Ok(()),
        Does::Endless => {
            let mut wrote = stream.write_all(format!("{}\r\n", reply(200, "")).as_bytes());
            while wrote.is_ok() {
                wrote = stream.write_all(&[b'x'; 4096]);
            }
            wrote
        }
    };
}

fn read(stream: &TcpStream) -> Option<Told> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let headers: HashMap<String, String> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Told { head, headers, body })
}
