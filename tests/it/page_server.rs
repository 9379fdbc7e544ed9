//! A server of pages: fixed HTML by path, and what was asked for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Is told of every request: the path with its query, and from where it came.
type Heard = Box<dyn Fn(&str, SocketAddr) + Send + Sync>;

pub(crate) struct PageServer {
    pub base: String,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl PageServer {
    pub(crate) fn start(pages: &[(&'static str, &'static str)]) -> PageServer {
        PageServer::start_with(pages, |_, _| {})
    }

    pub(crate) fn start_with(
        pages: &[(&'static str, &'static str)],
        heard: impl Fn(&str, SocketAddr) + Send + Sync + 'static,
    ) -> PageServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let pages: Arc<HashMap<&str, &str>> = Arc::new(pages.iter().copied().collect());
        let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let heard: Arc<Heard> = Arc::new(Box::new(heard));
        let counts = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (pages, counts, heard) = (pages.clone(), counts.clone(), heard.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &pages, &counts, &heard));
            }
        });
        PageServer { base, asked }
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }
}

fn serve(
    mut stream: TcpStream,
    pages: &HashMap<&str, &str>,
    counts: &Mutex<HashMap<String, usize>>,
    heard: &Heard,
) {
    let from = stream.peer_addr().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let target = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
        header.clear();
    }
    *counts.lock().unwrap().entry(path.clone()).or_default() += 1;
    heard(&target, from);
    if path.starts_with("/hang") {
        // The browser gives up first.
        let _ = reader.read_line(&mut header);
        return;
    }
    let (status, body) = match pages.get(path.as_str()) {
        Some(body) => ("200 OK", *body),
        None if path == "/denied" => ("403 Forbidden", "<p>no</p>"),
        None => ("404 Not Found", "<p>not here</p>"),
    };
    let kind = match path.rsplit_once('.') {
        Some((_, "zip")) => "application/zip",
        Some((_, "js")) => "text/javascript",
        _ => "text/html; charset=utf-8",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    // The browser may have been killed.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
