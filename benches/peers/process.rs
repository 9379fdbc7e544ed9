//! The peers as processes of their own, each in a folder of its own, on loopback, told to fsync
//! before they answer. They end when they are dropped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a peer may take until it answers.
const START_MAX: Duration = Duration::from_secs(20);

/// A running peer.
pub(crate) struct Peer {
    pub address: SocketAddr,
    pub directory: PathBuf,
    child: Child,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It is only a peer of a bench: nothing of it is kept.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn redis(directory: &Path) -> Option<Peer> {
    start(directory, "redis-server", |port, own| {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(own);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        // What BullMQ asks for.
        command.args(["--maxmemory-policy", "noeviction"]);
        command
    })
}

pub(crate) fn beanstalkd(directory: &Path) -> Option<Peer> {
    start(directory, "beanstalkd", |port, own| {
        let mut command = Command::new("beanstalkd");
        command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-f", "0", "-b"]).arg(own);
        command
    })
}

pub(crate) fn nats(directory: &Path) -> Option<Peer> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/nats/bin/nats-server");
    if !program.exists() {
        missing("nats-server");
        return None;
    }
    let peer = start_present(directory, "nats-server", |port, own| {
        let settings = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            own.display()
        );
        let file = own.join("nats.conf");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(file);
        command
    })?;
    let stream = "{\"name\":\"JOBS\",\"subjects\":[\"jobs\"],\"storage\":\"file\"}";
    let create = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB created 1\r\n\
         PUB $JS.API.STREAM.CREATE.JOBS created {}\r\n{stream}\r\n",
        stream.len()
    );
    converse(peer.address, &create, "\"created\"");
    Some(peer)
}

pub(crate) fn nginx(directory: &Path, body: &str) -> Option<Peer> {
    start(directory, "nginx", |port, own| {
        std::fs::write(own.join("body"), body).unwrap();
        let settings = format!(
            "worker_processes 2; daemon off; error_log stderr; pid {own}/pid;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 100000000;\n\
             default_type application/json; open_file_cache max=10;\n\
             client_body_temp_path {own}/b; proxy_temp_path {own}/p; fastcgi_temp_path {own}/f;\n\
             uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;\n\
             server {{ listen 127.0.0.1:{port}; root {own}; }} }}\n",
            own = own.display()
        );
        let file = own.join("nginx.conf");
        std::fs::write(&file, settings).unwrap();
        // Its workers are another user's where the bench is root's.
        for folder in [own, own.parent().unwrap()] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new("nginx");
        command.arg("-c").arg(file);
        command
    })
}

/// PostgreSQL as Debian installs it, run by its own user where the bench is root's.
pub(crate) fn postgres(directory: &Path) -> Option<Peer> {
    let programs = postgres_programs()?;
    let own = directory.join("postgres");
    std::fs::create_dir(&own).unwrap();
    for folder in [&own, directory] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let data = own.join("data");
    let made = as_postgres(&programs.join("initdb"))
        .args(["--auth", "trust", "--username", "postgres", "--pgdata"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "initdb failed");
    let port = free_port();
    let mut command = as_postgres(&programs.join("postgres"));
    command.args(["-p", &port.to_string(), "-k", "", "-h", "127.0.0.1", "-D"]).arg(&data);
    command.args(["-c", "max_connections=300"]);
    run(command, port, own)
}

/// Where Debian has what PostgreSQL does not put on the path.
pub(crate) fn postgres_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let newest = versions
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("pgbench").exists())
        .max();
    if newest.is_none() {
        missing("PostgreSQL");
    }
    newest
}

/// A program of PostgreSQL, which refuses to run as root.
pub(crate) fn as_postgres(program: &Path) -> Command {
    if std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
    {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Whether a program is on the path; says so when it is not.
pub(crate) fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !found {
        missing(program);
    }
    found
}

fn missing(what: &str) {
    println!("left out: {what} is not installed; benches/peers/install installs it");
}

fn start(
    directory: &Path,
    program: &str,
    command: impl FnOnce(u16, &Path) -> Command,
) -> Option<Peer> {
    if !present(program) {
        return None;
    }
    start_present(directory, program, command)
}

/// As [`start`], of what is known to be there. `name` is that of its folder.
fn start_present(
    directory: &Path,
    name: &str,
    command: impl FnOnce(u16, &Path) -> Command,
) -> Option<Peer> {
    let own = directory.join(name);
    std::fs::create_dir(&own).unwrap();
    let port = free_port();
    let command = command(port, &own);
    run(command, port, own)
}

/// Starts a peer and waits until it can be reached; one that ends instead is left out.
fn run(mut command: Command, port: u16, directory: PathBuf) -> Option<Peer> {
    let log = std::fs::File::create(directory.join("log")).unwrap();
    command.current_dir(&directory).stdin(Stdio::null());
    let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let mut peer = Peer { address: SocketAddr::from(([127, 0, 0, 1], port)), directory, child };
    let began = Instant::now();
    while TcpStream::connect(peer.address).is_err() {
        let ended = peer.child.try_wait().unwrap().is_some();
        if ended || began.elapsed() > START_MAX {
            let log = std::fs::read_to_string(peer.directory.join("log")).unwrap_or_default();
            let why = log.lines().rfind(|line| !line.is_empty()).unwrap_or("it says nothing");
            println!("left out, because it did not start: {why}");
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(peer)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends something and reads until `wanted` is there.
fn converse(address: SocketAddr, text: &str, wanted: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(START_MAX)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let (mut held, mut piece) = (Vec::new(), [0; 4 << 10]);
    while !String::from_utf8_lossy(&held).contains(wanted) {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&held));
        held.extend_from_slice(&piece[..read]);
    }
}
