//! A relay between the browser and the server that can be cut, as a network breaks: connections that
//! carry a stream stay open and say nothing more; others end, and new ones are closed at once.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How the request for a stream begins.
const STREAM: &[u8] = b"GET /stats/events ";

pub(crate) struct Relay {
    pub base: String,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    cut: AtomicBool,
    refused: AtomicUsize,
    wires: Mutex<Vec<Arc<Wire>>>,
}

/// One connection of the browser, and the relay's own to the server.
struct Wire {
    browser: TcpStream,
    server: TcpStream,
    carries_stream: AtomicBool,
}

impl Relay {
    pub(crate) fn start(server: &str) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = server.trim_start_matches("http://").to_owned();
        let line = Arc::new(Line::default());
        let relaying = line.clone();
        std::thread::spawn(move || {
            for browser in listener.incoming() {
                relaying.connect(browser.unwrap(), &server);
            }
        });
        Relay { base, line }
    }

    pub(crate) fn cut(&self) {
        self.line.cut.store(true, Ordering::SeqCst);
        for wire in self.line.wires.lock().unwrap().drain(..) {
            // What the browser has closed already is no longer connected.
            let _ = wire.server.shutdown(Shutdown::Both);
            if !wire.carries_stream.load(Ordering::SeqCst) {
                let _ = wire.browser.shutdown(Shutdown::Both);
            }
        }
    }

    pub(crate) fn mend(&self) {
        self.line.cut.store(false, Ordering::SeqCst);
    }

    /// How many connections did not come through.
    pub(crate) fn refused(&self) -> usize {
        self.line.refused.load(Ordering::SeqCst)
    }
}

impl Line {
    fn connect(&self, browser: TcpStream, server: &str) {
        if self.cut.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let Ok(server) = TcpStream::connect(server) else { return };
        let wire = Arc::new(Wire { browser, server, carries_stream: AtomicBool::new(false) });
        self.wires.lock().unwrap().push(wire.clone());
        let back = wire.clone();
        std::thread::spawn(move || back.carry(&back.server, &back.browser));
        std::thread::spawn(move || wire.carry(&wire.browser, &wire.server));
    }
}

impl Wire {
    /// Carries bytes one way until either end is closed.
    fn carry(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut piece = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            if piece[..read].starts_with(STREAM) {
                self.carries_stream.store(true, Ordering::SeqCst);
            }
            if to.write_all(&piece[..read]).is_err() {
                return;
            }
        }
        if !self.carries_stream.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Both);
        }
    }
}
