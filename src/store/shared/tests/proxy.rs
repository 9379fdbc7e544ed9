//! A proxy between a node and its server that cuts connections at their commits, or loses what is
//! sent on them.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};

/// `COMMIT` as a message of the protocol, and the server's word that no transaction is open.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
const IDLE: &[u8] = b"Z\0\0\0\x05I";

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nowhere.
    Pass,
    /// The server does not get the `COMMIT`.
    Before,
    /// It gets it at the moment of the cut.
    Between,
    /// It has committed, and its answer is lost.
    Behind,
}

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    /// They are ended at once, as by a server that is down.
    Shut,
    /// They wait, as for a server that hangs.
    Held,
    /// They wait, and so do those that are open: as when a network is down, which closes nothing.
    Hole,
}

/// What becomes of connections, and its changes.
type DoorOf = Arc<(Mutex<Door>, Condvar)>;

/// A proxy on a loopback port. Its threads end with their connections.
pub(super) struct Proxy {
    pub port: u16,
    plan: Arc<Mutex<VecDeque<Cut>>>,
    door: DoorOf,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Starts a proxy for the server whose socket is in a folder.
    pub(super) fn start(folder: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan: Arc<Mutex<VecDeque<Cut>>> = Arc::default();
        let (known, socket) = (plan.clone(), format!("{folder}/.s.PGSQL.5432"));
        let door: DoorOf = Arc::new((Mutex::new(Door::Open), Condvar::new()));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (at, connections) = (door.clone(), open.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (door, changed) = &*at;
                let held = changed
                    .wait_while(door.lock().unwrap(), |it| matches!(it, Door::Held | Door::Hole));
                if *held.unwrap() == Door::Shut {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&socket) else { return };
                connections.lock().unwrap().push(client.try_clone().unwrap());
                let _ = client.set_nodelay(true);
                Connection { client, server, plan: known.clone(), door: at.clone() }.start();
            }
        });
        Proxy { port, plan, door, open }
    }

    /// Lets new connections pass again, or not.
    pub(super) fn set_door(&self, door: Door) {
        *self.door.0.lock().unwrap() = door;
        self.door.1.notify_all();
    }

    /// Ends all connections.
    pub(super) fn cut_all(&self) {
        for connection in self.open.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Plans what happens at the next commits; those after them pass.
    pub(super) fn plan(&self, cuts: impl IntoIterator<Item = Cut>) {
        *self.plan.lock().unwrap() = cuts.into_iter().collect();
    }

    /// Returns how many commits are still planned.
    pub(super) fn planned(&self) -> usize {
        self.plan.lock().unwrap().len()
    }
}

struct Connection {
    client: TcpStream,
    server: UnixStream,
    plan: Arc<Mutex<VecDeque<Cut>>>,
    door: DoorOf,
}

impl Connection {
    fn start(self) {
        let back = Connection {
            client: self.client.try_clone().unwrap(),
            server: self.server.try_clone().unwrap(),
            plan: self.plan.clone(),
            door: self.door.clone(),
        };
        // Whether what the server says is swallowed.
        let swallows = Arc::new(Mutex::new(false));
        let known = swallows.clone();
        std::thread::spawn(move || self.pass_on(&known));
        std::thread::spawn(move || back.pass_back(&swallows));
    }

    fn wait_for_network(&self) {
        let (door, changed) = &*self.door;
        drop(changed.wait_while(door.lock().unwrap(), |it| *it == Door::Hole));
    }

    fn cut(&self) {
        self.wait_for_network();
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// Passes on what the node says.
    fn pass_on(&self, swallows: &Mutex<bool>) {
        let (mut client, mut server) = (&self.client, &self.server);
        let (mut buffer, mut tail) = (vec![0; 1 << 16], Vec::new());
        while let Ok(read) = client.read(&mut buffer) {
            if read == 0 {
                break;
            }
            self.wait_for_network();
            // A message may come in two parts.
            let seen = [tail.as_slice(), &buffer[..read]].concat();
            let found = seen.windows(COMMIT.len()).position(|part| part == COMMIT);
            let cut = match found {
                Some(_) => self.plan.lock().unwrap().pop_front().unwrap_or(Cut::Pass),
                None => Cut::Pass,
            };
            let rest = match (cut, found) {
                (Cut::Before, Some(at)) => &buffer[..at.saturating_sub(tail.len()).min(read)],
                _ => &buffer[..read],
            };
            *swallows.lock().unwrap() |= cut == Cut::Behind;
            if server.write_all(rest).is_err() || matches!(cut, Cut::Before | Cut::Between) {
                break;
            }
            let kept = if found.is_some() { 0 } else { seen.len().min(COMMIT.len() - 1) };
            tail = seen[seen.len() - kept..].to_vec();
        }
        self.cut();
    }

    /// Passes back what the server says.
    fn pass_back(&self, swallows: &Mutex<bool>) {
        let (mut client, mut server) = (&self.client, &self.server);
        let (mut buffer, mut swallowed) = (vec![0; 1 << 16], Vec::new());
        while let Ok(read) = server.read(&mut buffer) {
            if read == 0 {
                break;
            }
            self.wait_for_network();
            if *swallows.lock().unwrap() {
                swallowed.extend_from_slice(&buffer[..read]);
                if swallowed.windows(IDLE.len()).any(|part| part == IDLE) {
                    break;
                }
            } else if client.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        self.cut();
    }
}
