//! A provider on the loopback: an HTTP/1.1 server on a port of its own that says what its script
//! says, one line for each request, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::app::Gate;

/// The longest wait for a request that a test expects, seconds.
const EXPECTED_WITHIN_SECONDS: u64 = 20;

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Says {
    Whole {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Promises a body and closes in the middle of it.
    Half(Vec<u8>),
    /// Nothing, until the client has gone or the server is killed.
    Nothing,
    /// The rest, once the gate is open.
    Held(Gate, Box<Says>),
}

impl Says {
    pub(crate) fn json(status: u16, body: &Value) -> Says {
        Says::text(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Says {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Says::Whole { status, headers, body: body.into() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Says {
        if let Says::Whole { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Says::Whole { status, headers, body } => {
                let mut head =
                    format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                stream.write_all(head.as_bytes())?;
                stream.write_all(b"\r\n")?;
                stream.write_all(body)
            }
            Says::Half(body) => {
                let length = body.len();
                stream.write_all(
                    format!("HTTP/1.1 200 Said\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
                )?;
                stream.write_all(&body[..length / 2])?;
                stream.shutdown(Shutdown::Both)
            }
            Says::Nothing => stream.read(&mut [0; 1]).map(drop),
            Says::Held(gate, rest) => {
                gate.pass();
                rest.write(stream)
            }
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The parameters of the query, decoded.
    pub(crate) fn query(&self) -> HashMap<String, String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Asked { method, target, headers, body: String::from_utf8(body).unwrap() })
    }
}

/// The running server. Dropping it kills it.
pub(crate) struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Mutex<VecDeque<Says>>,
    /// What it says when the script has ended.
    otherwise: Says,
    asked: Mutex<Vec<Asked>>,
    came: Condvar,
    streams: Mutex<Vec<TcpStream>>,
    killed: AtomicBool,
}

impl Provider {
    /// Says the lines of `script` one after another, and then `otherwise` for ever.
    pub(crate) fn start(script: impl IntoIterator<Item = Says>, otherwise: Says) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            otherwise,
            asked: Mutex::default(),
            came: Condvar::new(),
            streams: Mutex::default(),
            killed: AtomicBool::new(false),
        });
        let serving = shared.clone();
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.killed.load(Ordering::SeqCst) {
                    return;
                }
                let (serving, stream) = (serving.clone(), stream.unwrap());
                serving.streams.lock().unwrap().push(stream.try_clone().unwrap());
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Provider { address, shared, accepting: Some(accepting) }
    }

    /// Says the same to every request.
    pub(crate) fn always(says: Says) -> Provider {
        Provider::start([], says)
    }

    /// Its address with a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub(crate) fn came(&self, count: usize) {
        let asked = self.shared.asked.lock().unwrap();
        let patience = Duration::from_secs(EXPECTED_WITHIN_SECONDS);
        let waited =
            self.shared.came.wait_timeout_while(asked, patience, |asked| asked.len() < count);
        assert!(!waited.unwrap().1.timed_out(), "request {count} never came");
    }

    /// Breaks off what is under way; whoever comes after that is refused.
    pub(crate) fn kill(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.killed.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        accepting.join().unwrap();
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            // One that the client has closed is no longer connected.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    /// Serves one connection for as long as the client keeps it.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(asked) = Asked::read(&mut reader) {
            let says = self.script.lock().unwrap().pop_front();
            self.asked.lock().unwrap().push(asked);
            self.came.notify_all();
            // A client that has gone does not hear it.
            if says.as_ref().unwrap_or(&self.otherwise).write(&mut stream).is_err() {
                return;
            }
        }
    }
}
