//! The front: HTTP by hand, one call a connection, so that an answer can end in the middle of a byte stream.
//!
//! Owns the reading of requests, strict, and where in a call a fault strikes.

use super::faults::Effect;
use super::{Call, Shared, lock, serve};
use jiff::fmt::rfc2822;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A request, taken apart.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, headers: vec![("Content-Type", content.to_owned())], body: body.into() }
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Response {
        Response::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.retain(|(own, _)| *own != name);
        self.headers.push((name, value.into()));
        self
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

/// Serves until `ended` is set and one more connection came.
pub(super) fn listen(listener: TcpListener, state: Shared, ended: Arc<AtomicBool>) -> io::Result<()> {
    std::thread::Builder::new().name("local xero".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            if ended.load(Ordering::Relaxed) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let state = Arc::clone(&state);
            // A connection that was cut is an error here and nowhere else.
            std::thread::spawn(move || drop(handle(&state, &stream)));
        }
    })?;
    Ok(())
}

fn handle(state: &Shared, stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let Some(request) = read(stream)? else { return Ok(()) };
    let (call, effects) = {
        let mut state = lock(state);
        let call = Call {
            method: request.method.clone(),
            path: request.path.clone(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            at: state.world.now(),
        };
        state.calls.push(call.clone());
        (call, state.faults.strike(&request.path))
    };
    let (before, after): (Vec<_>, Vec<_>) = effects.into_iter().partition(Effect::comes_first);
    let mut answer = None;
    for effect in before {
        match struck(effect, answer, stream)? {
            Struck::On(so_far) => answer = so_far,
            Struck::Over => return Ok(()),
        }
    }
    let mut answer = answer.unwrap_or_else(|| serve::answer(&mut lock(state), &request));
    let mut cut = false;
    for effect in after {
        cut |= matches!(effect, Effect::Cut);
        match struck(effect, Some(answer), stream)? {
            Struck::On(Some(so_far)) => answer = so_far,
            _ => return Ok(()),
        }
    }
    let date = call.at + lock(state).world.behaviour.date_off;
    let date =
        rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).map_err(io::Error::other)?;
    write(stream, &answer.with("Date", date), cut)
}

enum Struck {
    On(Option<Response>),
    Over,
}

fn struck(effect: Effect, answer: Option<Response>, stream: &TcpStream) -> io::Result<Struck> {
    let instead = |response: Response| Ok(Struck::On(Some(response)));
    let on =
        |answer: Option<Response>, change: &dyn Fn(Response) -> Response| Ok(Struck::On(answer.map(change)));
    match effect {
        Effect::Drop(_) => Ok(Struck::Over),
        Effect::Reset(_) => {
            reset(stream)?;
            Ok(Struck::Over)
        }
        Effect::Hang(_) => {
            // Ends when the caller closes its side.
            let _ = (&*stream).read(&mut [0]);
            Ok(Struck::Over)
        }
        Effect::Page(_, status) => instead(Response::new(
            status,
            "text/html",
            format!("<html><body><h1>{status}</h1></body></html>"),
        )),
        Effect::TooMany(_, retry, limit) => {
            let response = Response::new(429, "text/plain", "").with("X-Rate-Limit-Problem", limit);
            instead(match retry {
                Some(retry) => response.with("Retry-After", retry),
                None => response,
            })
        }
        Effect::Error(status, code) => instead(Response::json(status, &serde_json::json!({"error": code}))),
        Effect::Body(text) => instead(Response::new(200, "application/json; charset=utf-8", text)),
        Effect::Redirect(to) => instead(Response::new(302, "text/html", "").with("Location", to)),
        Effect::Slow(time) => {
            std::thread::sleep(time);
            Ok(Struck::On(answer))
        }
        Effect::Meanwhile(other) | Effect::Afterwards(other) => {
            other();
            Ok(Struck::On(answer))
        }
        Effect::Cut => Ok(Struck::On(answer)),
        Effect::Short => on(answer, &|mut answer| {
            answer.body.truncate(answer.body.len() / 2);
            answer
        }),
        Effect::Without(name) => on(answer, &|answer| edited(answer, name, None)),
        Effect::Odd(name, value) => on(answer, &|answer| edited(answer, name, Some(value))),
        Effect::Twice(name, value) => on(answer, &|mut answer| {
            answer.body = format!("{{\"{name}\":{value},{}", &answer.text()[1..]).into_bytes();
            answer
        }),
        Effect::Content(content) => on(answer, &|answer| answer.with("Content-Type", content)),
        Effect::Packed => on(answer, &|mut answer| {
            // The opening of a gzip file, with nothing that unpacks.
            answer.body.splice(..0, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
            answer.with("Content-Encoding", "gzip")
        }),
    }
}

/// The answer with a member taken out, or in another spelling.
fn edited(mut answer: Response, name: &str, spelling: Option<&'static str>) -> Response {
    let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(&answer.body) else {
        return answer;
    };
    members.remove(name);
    if let Some(spelling) = spelling {
        members.insert(name.to_owned(), serde_json::from_str(spelling).expect("a fault's value is JSON"));
    }
    answer.body = serde_json::Value::Object(members).to_string().into_bytes();
    answer
}

/// Closing without a time to linger is a reset.
fn reset(stream: &TcpStream) -> io::Result<()> {
    tokio::net::TcpSocket::from_std_stream(stream.try_clone()?).set_zero_linger()
}

/// A request, or nothing where none came.
fn read(stream: &TcpStream) -> io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream);
    let line = |lines: &mut BufReader<&TcpStream>| {
        let mut line = String::new();
        lines.by_ref().take(64 * 1024).read_line(&mut line)?;
        Ok::<String, io::Error>(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let first = line(&mut lines)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1")) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    loop {
        let header = line(&mut lines)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut request = Request { method, path, query, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    request.body = vec![0; length.min(1 << 20)];
    lines.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn write(mut stream: &TcpStream, answer: &Response, cut: bool) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {} -\r\n", answer.status).into_bytes();
    let correlation = ("Xero-Correlation-Id", super::world::new_id());
    let fixed = [
        ("Cache-Control", "no-store, no-cache, max-age=0".to_owned()),
        ("Content-Length", answer.body.len().to_string()),
        ("Connection", "close".to_owned()),
        correlation,
    ];
    for (name, value) in answer.headers.iter().chain(&fixed) {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    let sent = if cut { answer.body.len() / 2 } else { answer.body.len() };
    bytes.extend_from_slice(&answer.body[..sent]);
    stream.write_all(&bytes)?;
    stream.flush()
}
