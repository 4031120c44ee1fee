//! A small HTTP server on threads, which answers as configured or not at all.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request as it came over the wire; header names in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Which of the server's connections it came on, counted from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What the server does about a request.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    /// Answers, and goes on.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Keeps the connection open and says nothing.
    Silence,
    /// Closes the connection.
    Close,
    /// Writes these bytes, keeps the connection open for a moment, and closes it.
    Raw(&'static str),
}

impl Reaction {
    /// An empty answer.
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// A server on a free port of this machine. Its threads end with the process.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(react: impl Fn(&Request) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (react, kept) = (Arc::new(react), Arc::clone(&requests));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (react, kept) = (Arc::clone(&react), Arc::clone(&kept));
                thread::spawn(move || serve(connection, stream, &*react, &kept));
            }
        });
        Self { address, requests }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the requests").clone()
    }
}

/// Serves one connection until somebody closes it.
fn serve(
    connection: usize,
    stream: TcpStream,
    react: &dyn Fn(&Request) -> Reaction,
    kept: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let request = read(connection, &mut reader)?;
        kept.lock().expect("the requests").push(request.clone());
        match react(&request) {
            Reaction::Answer {
                status,
                headers,
                body,
            } => {
                let mut head = format!(
                    "HTTP/1.1 {status} Reply\r\ncontent-length: {}\r\n",
                    body.len()
                );
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                writer
                    .write_all(format!("{head}\r\n{body}").as_bytes())
                    .ok()?;
            }
            Reaction::Silence => loop {
                thread::park();
            },
            Reaction::Close => return None,
            Reaction::Raw(text) => {
                writer.write_all(text.as_bytes()).ok()?;
                thread::sleep(Duration::from_millis(100));
                return None;
            }
        }
    }
}

fn read(connection: usize, reader: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let start = line()?;
    let mut words = start.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        connection,
        method,
        path,
        headers,
        body,
    })
}
