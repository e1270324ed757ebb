//! A Docker engine that starts nothing: it says as much of the Engine API as `docker create` and `docker-compose create`
//! ask for, and records the environment of each container that it is asked to make.
//!
//! Small and strict: a request that it does not know is answered with an error and fails the test, naming the request.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The listener; it lives as long as the test process.
pub(super) struct Engine {
    host: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    containers: BTreeMap<String, Container>,
    unknown: Vec<String>,
}

/// What a container was to be made with: its labels, and its environment as `NAME=value`.
#[derive(Clone)]
pub(super) struct Container {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) environment: Vec<String>,
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

impl Engine {
    /// Listens on a socket in that folder.
    pub(super) fn listen(folder: &Path) -> Engine {
        let socket = folder.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Engine { host: format!("unix://{}", socket.display()), seen }
    }

    /// The value of DOCKER_HOST.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The containers that were made since the last call. Panics where the client asked for anything unknown.
    pub(super) fn take(&self) -> Vec<Container> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        assert!(
            seen.unknown.is_empty(),
            "the engine was asked for what it does not know: {:?}",
            seen.unknown
        );
        seen.containers.into_values().collect()
    }
}

fn serve(stream: UnixStream, seen: &Mutex<Seen>) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = receive(&mut reader) {
        let (status, body) = answer(&request, &mut seen.lock().unwrap());
        let body = if request.method == "HEAD" { String::new() } else { body.to_string() };
        let head = format!(
            "HTTP/1.1 {status} .\r\nApi-Version: 1.47\r\nOSType: linux\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if reader.get_mut().write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn receive(reader: &mut BufReader<UnixStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(io::Error::other)?;
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, body }))
}

fn answer(request: &Request, seen: &mut Seen) -> (u16, Value) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    // "/v1.47/containers/create": which version the client settled on makes no difference here.
    let path = match path.strip_prefix("/v1.") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path.trim_start_matches('/'),
    };
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => (200, json!("OK")),
        ("GET", ["images", .., "json"]) => (200, json!({"Id": "sha256:0", "Os": "linux", "Config": {}})),
        ("GET", ["containers", "json"] | ["networks"]) => (200, json!([])),
        ("GET", ["volumes"]) => (200, json!({"Volumes": []})),
        ("GET", ["info"]) => (200, json!({"OSType": "linux"})),
        ("GET", ["version"]) => (200, json!({"ApiVersion": "1.47", "Os": "linux"})),
        ("POST", ["containers", "create"]) => create(request, seen),
        ("GET", ["containers", id, "json"]) if seen.containers.contains_key(*id) => (200, inspected(id)),
        _ => {
            seen.unknown.push(format!("{} {path} ? {query}", request.method));
            (501, json!({"message": format!("this engine does not know {} {path}", request.method)}))
        }
    }
}

fn create(request: &Request, seen: &mut Seen) -> (u16, Value) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let environment = body["Env"].as_array().into_iter().flatten().map(text).collect();
    let labels = body["Labels"].as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| (name.clone(), text(value))).collect();
    let id = format!("{:064x}", seen.containers.len() + 1);
    seen.containers.insert(id.clone(), Container { labels, environment });
    (201, json!({"Id": id, "Warnings": []}))
}

/// As much of a container's description as Compose looks at after it made one.
fn inspected(id: &str) -> Value {
    json!({
        "Id": id, "Name": "/made", "Created": "2026-01-01T00:00:00Z", "Image": "sha256:0",
        "State": {"Status": "created"}, "Config": {"Labels": {}}, "HostConfig": {}, "Mounts": [],
        "NetworkSettings": {"Networks": {}},
    })
}
