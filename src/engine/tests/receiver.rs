//! A receiver of webhooks on loopback that takes everything and keeps what it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crossbeam_channel::{Receiver as Channel, Sender};
use serde_json::Value;

/// One webhook as it came.
pub(crate) struct Told {
    pub id: String,
    pub body: Value,
}

pub(crate) struct Receiver {
    pub address: SocketAddr,
    told: Channel<Told>,
}

impl Receiver {
    pub(crate) fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = crossbeam_channel::unbounded();
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                take(stream.unwrap(), &tell);
            }
        });
        Receiver { address, told }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it was told since the last call.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.try_iter().collect()
    }
}

/// Takes one request, and tells of it before the sender hears that it was taken.
fn take(mut stream: TcpStream, tell: &Sender<Told>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => id = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let _ = tell.send(Told { id, body: serde_json::from_slice(&body).unwrap() });
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
}
