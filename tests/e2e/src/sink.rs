//! Stands where CloudFormation's pre-signed URL points to: takes the function's answers when the driver
//! sends the events that the emulator's CloudFormation does not send.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// CloudFormation takes no larger answer.
const BODY_LIMIT: usize = 4096;
const IO_LIMIT: Duration = Duration::from_secs(10);

type Waiting = Arc<Mutex<HashMap<String, Sender<anyhow::Result<Value>>>>>;

/// A listener on a free port of this machine, which lives as long as the driver.
#[derive(Debug)]
pub(crate) struct Sink {
    origin: String,
    waiting: Waiting,
    issued: AtomicUsize,
}

/// One answer that is awaited at one URL.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) url: String,
    answer: Receiver<anyhow::Result<Value>>,
}

impl Sink {
    /// # Errors
    /// If no port can be had.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen for answers")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let waiting = Waiting::default();
        let known = Arc::clone(&waiting);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(&stream, &known);
            }
        });
        Ok(Self {
            origin,
            waiting,
            issued: AtomicUsize::new(0),
        })
    }

    /// Such as `http://127.0.0.1:40123`, for the function's `EXTRA_RESPONSE_ORIGINS`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// A new URL for one answer. Its query looks like a signature: it must come back as given.
    pub(crate) fn expect(&self) -> Expected {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let path = format!("/answers/{number}?X-Amz-Signature=a%2Fb%2Bc{number}");
        let (send, answer) = mpsc::channel();
        let url = format!("{}{path}", self.origin);
        lock(&self.waiting).insert(path, send);
        Expected { url, answer }
    }
}

impl Expected {
    /// The answer's body.
    ///
    /// # Errors
    /// If none came, or one that CloudFormation's storage would refuse.
    pub(crate) fn receive(self, limit: Duration) -> anyhow::Result<Value> {
        self.answer
            .recv_timeout(limit)
            .with_context(|| format!("no answer came within {limit:?}"))?
    }
}

fn serve(stream: &TcpStream, waiting: &Waiting) {
    let Ok(request) = Request::read(stream) else {
        return;
    };
    let Some(awaited) = lock(waiting).remove(&request.target) else {
        respond(stream, "403 Forbidden");
        return;
    };
    let answer = request.into_answer();
    respond(
        stream,
        if answer.is_ok() {
            "200 OK"
        } else {
            "400 Bad Request"
        },
    );
    // The test may have given up waiting.
    let _abandoned = awaited.send(answer);
}

fn respond(mut stream: &TcpStream, status: &str) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // The client may be gone; the test then reports what it has.
    let _gone = stream.write_all(head.as_bytes());
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Request {
    method: String,
    target: String,
    /// Names in lower case.
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> anyhow::Result<Self> {
        stream.set_read_timeout(Some(IO_LIMIT))?;
        stream.set_write_timeout(Some(IO_LIMIT))?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = words.next().zip(words.next()).context("no request line")?;
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|l| l.parse().ok());
        let mut body = Vec::new();
        reader.take(length.unwrap_or(0)).read_to_end(&mut body)?;
        Ok(Self {
            method,
            target,
            headers,
            body,
        })
    }

    /// What S3 demands of a PUT to a pre-signed URL, and CloudFormation of its body.
    fn into_answer(self) -> anyhow::Result<Value> {
        ensure!(self.method == "PUT", "the answer came by {}", self.method);
        if let Some(kind) = self
            .headers
            .get("content-type")
            .filter(|kind| !kind.is_empty())
        {
            bail!("the answer has `Content-Type: {kind}`: its signature would not match");
        }
        let length = self
            .headers
            .get("content-length")
            .context("no `Content-Length`")?;
        ensure!(
            length.parse() == Ok(self.body.len()),
            "`Content-Length` {length} is not the body's"
        );
        ensure!(
            self.body.len() <= BODY_LIMIT,
            "the answer has {length} bytes"
        );
        serde_json::from_slice(&self.body).context("the answer is no JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(sink: &Sink, url: &str, headers: &str, body: &str) -> anyhow::Result<String> {
        let address = sink.origin().trim_start_matches("http://");
        let path = url.trim_start_matches(sink.origin());
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "PUT {path} HTTP/1.1\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn an_answer_reaches_the_one_who_waits_for_it() -> anyhow::Result<()> {
        let sink = Sink::listen()?;
        let (one, other) = (sink.expect(), sink.expect());
        let response = put(&sink, &other.url, "", r#"{"Status":"SUCCESS"}"#)?;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert_eq!(other.receive(IO_LIMIT)?["Status"], "SUCCESS");
        assert!(one.receive(Duration::from_millis(1)).is_err());
        Ok(())
    }

    #[test]
    fn an_answer_with_a_content_type_is_refused() -> anyhow::Result<()> {
        let sink = Sink::listen()?;
        let expected = sink.expect();
        let response = put(
            &sink,
            &expected.url,
            "Content-Type: application/json\r\n",
            "{}",
        )?;
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        assert!(expected.receive(IO_LIMIT).is_err());
        Ok(())
    }
}
