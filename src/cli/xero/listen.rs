//! The one request that a browser brings back from Xero.
//!
//! Owns a listener on this machine's loopback addresses, its small page, and when it ends: with the answer to this login, be
//! it a refusal, or when nobody came in time. Other requests are turned away and end nothing: other paths, an address of
//! another login or of none. A connection on which nothing is said, as browsers open them in advance, keeps nobody waiting.
//! What the address holds is not shown.

use crate::cli::report::{Exit, Stop};
use crate::xero::LoginError;
use anyhow::Result;
use futures::stream::{FuturesUnordered, StreamExt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

/// Where Xero sends people back to, unless the manifest names another address.
pub(super) const USUAL: &str = "http://localhost:8765/callback";
/// The longest request that is read.
const LONGEST: usize = 16 * 1024;

/// Where to listen for an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    hosts: Vec<IpAddr>,
    port: u16,
    path: String,
}

impl Redirect {
    /// Takes an address of this machine; nothing where it is one of another, or one that would need a certificate.
    pub(super) fn of(address: &str) -> Option<Redirect> {
        let rest = address.strip_prefix("http://")?;
        let rest = rest.split(['?', '#']).next()?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (host, 80),
        };
        let hosts = match host {
            // A browser may take either of them first.
            "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            host => {
                let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                let address: IpAddr = host.parse().ok()?;
                address.is_loopback().then_some(vec![address])?
            }
        };
        Some(Redirect { hosts, port, path: path.to_owned() })
    }
}

/// Who listens.
#[derive(Debug)]
pub(super) struct Listener {
    listeners: Vec<TcpListener>,
    path: String,
}

impl Listener {
    /// Listens on the port of an address. Of the two addresses of `localhost` one may not exist.
    pub(super) async fn bind(redirect: &Redirect) -> Result<Listener> {
        let mut listeners = Vec::new();
        for host in &redirect.hosts {
            match TcpListener::bind(SocketAddr::new(*host, redirect.port)).await {
                Ok(listener) => listeners.push(listener),
                Err(error) if host.is_ipv6() && redirect.hosts.len() > 1 && !is_taken(&error) => {}
                Err(error) => return Err(not_bound(redirect.port, error).into()),
            }
        }
        Ok(Listener { listeners, path: redirect.path.clone() })
    }

    /// Waits for the browser, answers it with a page that tells what `judge` made of its address, and gives that. Of a
    /// request that is not of this login `tell` hears, and it is waited on.
    pub(super) async fn answer<T>(
        self,
        patience: Duration,
        judge: impl Fn(&str) -> std::result::Result<T, LoginError>,
        tell: impl Fn(LoginError),
    ) -> Result<T> {
        let waited = tokio::time::timeout(patience, self.first(&judge, &tell)).await;
        let Ok((stream, judged)) = waited else {
            let message = format!("nobody came back from Xero within {} seconds", patience.as_secs());
            return Err(Stop::new(Exit::Person, message)
                .hint("run it again and log in; `--timeout SECONDS` waits longer")
                .hint("where the browser runs on another machine: `--paste`")
                .into());
        };
        match &judged {
            Ok(_) => {
                show(&stream, "200 OK", "Logged in. You can close this page; the terminal goes on.").await;
            }
            Err(why) => show(&stream, "400 Bad Request", &format!("Not logged in: {why}.")).await,
        }
        judged.map_err(|why| Stop::new(Exit::Person, why.to_string()).into())
    }

    /// The first request that is of this login. Connections are read beside each other.
    async fn first<T>(
        &self,
        judge: &impl Fn(&str) -> std::result::Result<T, LoginError>,
        tell: &impl Fn(LoginError),
    ) -> (TcpStream, std::result::Result<T, LoginError>) {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                stream = self.accept() => open.push(self.read(stream, judge, tell)),
                Some(found) = open.next(), if !open.is_empty() => {
                    if let Some(found) = found {
                        return found;
                    }
                }
            }
        }
    }

    async fn accept(&self) -> TcpStream {
        loop {
            let accepting = self.listeners.iter().map(|listener| Box::pin(listener.accept()));
            let (accepted, ..) = futures::future::select_all(accepting).await;
            match accepted {
                Ok((stream, _)) => return stream,
                // It may be one connection's own fault; if it is not, there is a pause between two tries.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// What a request comes to, where it is of this login; everything else is turned away.
    async fn read<T>(
        &self,
        stream: TcpStream,
        judge: &impl Fn(&str) -> std::result::Result<T, LoginError>,
        tell: &impl Fn(LoginError),
    ) -> Option<(TcpStream, std::result::Result<T, LoginError>)> {
        let request = request(&stream).await.ok()?;
        let Some(target) = target(&request, &self.path) else {
            show(&stream, "404 Not Found", "There is nothing here.").await;
            return None;
        };
        match judge(target) {
            Err(why) if !why.is_of_this_login() => {
                tell(why);
                show(&stream, "400 Bad Request", "Not logged in: this is not the login that is waited for.")
                    .await;
                None
            }
            judged => Some((stream, judged)),
        }
    }
}

/// Answers with a page. Whoever closes it early has been here all the same.
async fn show(stream: &TcpStream, status: &str, text: &str) {
    let _ = tokio::time::timeout(Duration::from_secs(5), write(stream, page(status, text).as_bytes())).await;
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

fn not_bound(port: u16, error: io::Error) -> Stop {
    let stop = match is_taken(&error) {
        true => {
            Stop::new(Exit::Failed, format!("port {port} of this machine is in use; nothing was changed"))
        }
        false => {
            Stop::new(Exit::Failed, format!("cannot listen on port {port} of this machine")).because(error)
        }
    };
    stop.hint("end what listens there, perhaps another login; or use `--paste`, which does not listen").hint(
        "`redirect_url` in the manifest names another port: it has to be registered with the app at Xero too",
    )
}

/// The head of a request.
async fn request(stream: &TcpStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut head = Zeroizing::new(vec![0; LONGEST]);
    let mut length = 0;
    loop {
        stream.readable().await?;
        match stream.try_read(&mut head[length..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if head[..length].windows(4).any(|end| end == b"\r\n\r\n") {
            head.truncate(length);
            return Ok(head);
        }
        if length == LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// The target of a GET for this path, with what stands behind the path.
fn target<'a>(request: &'a [u8], path: &str) -> Option<&'a str> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let good = method == "GET" && version.starts_with("HTTP/1.") && words.next().is_none();
    (good && target.split('?').next() == Some(path)).then_some(target)
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A page that keeps nothing and asks for nothing. `text` is of ours.
fn page(status: &str, text: &str) -> String {
    let body = format!("<!doctype html><meta charset=\"utf-8\"><title>strongroom</title><p>{text}</p>\n");
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_on() {
        let four: IpAddr = Ipv4Addr::LOCALHOST.into();
        let both = vec![four, Ipv6Addr::LOCALHOST.into()];
        let redirect = |hosts: &[IpAddr], port, path: &str| {
            Some(Redirect { hosts: hosts.to_vec(), port, path: path.to_owned() })
        };
        assert_eq!(Redirect::of(USUAL), redirect(&both, 8765, "/callback"));
        assert_eq!(Redirect::of("http://127.0.0.1:9/x/y?z=1"), redirect(&[four], 9, "/x/y"));
        assert_eq!(Redirect::of("http://[::1]:9"), redirect(&both[1..], 9, "/"));
        assert_eq!(Redirect::of("http://localhost/"), redirect(&both, 80, "/"));
        let others = [
            "https://localhost:8765/callback",
            "http://app.example:8765/callback",
            "http://10.0.0.1/",
            "http://0.0.0.0:1/",
            "http://localhost.example/",
            "http://localhost:port/",
            "",
        ];
        for other in others {
            assert_eq!(Redirect::of(other), None, "{other}");
        }
    }

    #[test]
    fn only_a_get_of_the_path_is_the_answer() {
        let of = |request: &str| target(request.as_bytes(), "/callback").map(str::to_owned);
        let rest = "\r\nHost: localhost\r\n\r\n";
        assert_eq!(of(&format!("GET /callback?code=a HTTP/1.1{rest}")).as_deref(), Some("/callback?code=a"));
        for other in [
            "GET /favicon.ico HTTP/1.1",
            "POST /callback?code=a HTTP/1.1",
            "GET /callback/?code=a HTTP/1.1",
            "GET /callback",
            "",
        ] {
            assert_eq!(of(&format!("{other}{rest}")), None, "{other}");
        }
    }
}
