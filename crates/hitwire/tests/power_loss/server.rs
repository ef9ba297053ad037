//! The real binary, with the recording library loaded.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The log's size limit: small, so that slices end and go many times in a run.
pub(crate) const RETENTION: &str = "8MiB";
/// Where the server leaves its first token, in the data directory.
pub(crate) const TOKEN_FILE: &str = "admin-token";
/// How long the server may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_mins(8);

/// Where things are.
pub(crate) struct Traced {
    /// The data directory, canonical.
    pub(crate) data: PathBuf,
    /// The trace.
    pub(crate) trace: PathBuf,
    /// While this file exists, syncs fail.
    pub(crate) eio: PathBuf,
    /// While this file exists, some reads fail.
    pub(crate) read_eio: PathBuf,
    /// What the server follows.
    pub(crate) audit_log: PathBuf,
    library: PathBuf,
}

impl Traced {
    /// Below `folder`, which must be canonical.
    pub(crate) fn below(folder: &Path) -> Traced {
        let data = folder.join("data");
        std::fs::create_dir(&data).expect("a data directory");
        let audit_log = folder.join("audit.log");
        std::fs::write(&audit_log, "").expect("an audit log");
        Traced {
            data,
            trace: folder.join("trace"),
            eio: folder.join("syncs-fail"),
            read_eio: folder.join("reads-fail"),
            audit_log,
            library: super::trace::library(folder),
        }
    }

    /// The name of the source that is followed; its checkpoint is kept under it.
    pub(crate) fn source(&self) -> String {
        format!("modsecurity:{}", self.audit_log.display())
    }

    /// Removes files of the data directory, so that the trace sees it.
    pub(crate) fn remove(&self, is_one: impl Fn(&str) -> bool) {
        let names = std::fs::read_dir(&self.data).expect("a data directory");
        let names = names.map(|entry| entry.expect("an entry").path());
        let paths: Vec<_> = names.filter(|path| path.to_str().is_some_and(&is_one)).collect();
        assert!(!paths.is_empty(), "there is something to remove");
        let removed = self.record(Command::new("rm").args(paths)).status().expect("rm can be started");
        assert!(removed.success(), "rm ended with {removed}");
    }

    /// Has a command's changes of the data directory recorded.
    fn record<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("HITWIRE_TRACE_DIR", &self.data)
            .env("HITWIRE_TRACE_FILE", &self.trace)
            .env("HITWIRE_TRACE_EIO", &self.eio)
            .env("HITWIRE_TRACE_READ_EIO", &self.read_eio)
    }

    /// How long the trace is by now.
    pub(crate) fn trace_bytes(&self) -> u64 {
        std::fs::metadata(&self.trace).map_or(0, |metadata| metadata.len())
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it is.
    pub(crate) api: Api,
}

/// Where a server is, and the token for it.
#[derive(Clone)]
pub(crate) struct Api {
    addr: String,
    /// The server's first token, as it is in the file.
    pub(crate) token: String,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(traced: &Traced) -> Server {
        let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = traced
            .record(&mut Command::new(env!("CARGO_BIN_EXE_hitwire")))
            .arg("serve")
            .arg("--data")
            .arg(&traced.data)
            .args(["--listen", &addr, "--allow-target", "127.0.0.0/8", "--allow-http"])
            .args(["--retention-size", RETENTION])
            .args(["--source", &traced.source()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(traced.data.with_file_name("stderr")).unwrap())
            .spawn()
            .expect("the server starts");
        let mut server = Server { child, api: Api { addr, token: String::new() } };
        let until = Instant::now() + PATIENCE;
        loop {
            let ready = Connection::to(&server.api).and_then(|mut to| to.ask("GET", "/readyz", ""));
            if matches!(ready, Ok((200, _))) {
                let token = std::fs::read_to_string(traced.data.join(TOKEN_FILE)).expect("the first token");
                token.trim().clone_into(&mut server.api.token);
                return server;
            }
            assert!(Instant::now() < until, "the server is not ready: {ready:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a signal can be sent");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                assert!(status.success(), "the server ended with {status}");
                return;
            }
            assert!(Instant::now() < until, "the server did not end after SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Api {
    /// A connection to it.
    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self).expect("the server accepts connections")
    }
}

/// A kept connection to the API.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Connection {
    fn to(api: &Api) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(&api.addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::new(stream), token: api.token.clone() })
    }

    /// Sends a request; status and body of the answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: power-loss\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (first, body) = read_message(&mut self.stream)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body))
    }
}

/// First line and body of an HTTP/1.1 message with a `content-length`.
pub(crate) fn read_message(stream: &mut impl BufRead) -> std::io::Result<(String, String)> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, String::from_utf8_lossy(&body).into_owned()))
}
