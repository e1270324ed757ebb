//! Logging in, which is the only proof that a password is right or wrong.
//!
//! Owns what a failed login proves. Only SQLSTATE 28P01 says that the password is wrong; everything else says nothing
//! about it, so nobody may act on it as if it did. It keeps no answer of the server beyond its code and its words
//! without what they quote.

use super::{DatabaseError, Server, Tls, Unfit, tls, without_quoted};
use crate::secret::Secret;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row};

/// What our sessions call themselves.
pub const APPLICATION: &str = "strongroom";

/// How long a login may take in all, and how long one statement may.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// 28P01, and nothing else: no such role, a password that is not this one, or one whose time is over. The server
    /// tells them apart in its own log only.
    #[error(
        "the server says that this login name and password do not go together (28P01); a role that is gone or whose \
         VALID UNTIL is past looks the same"
    )]
    WrongPassword,
    /// 28000: the role may not log in, or not from here, or not in this way.
    #[error("the server does not let this role log in from here (28000): {said}")]
    NotPermitted {
        /// The server's words, without what stands in quotes.
        said: String,
    },
    /// 3D000.
    #[error("the server has no such database (3D000)")]
    NoDatabase,
    /// 53300.
    #[error("the server has no connection left (53300): {said}; try again")]
    TooManyConnections {
        /// The server's words, without what stands in quotes.
        said: String,
    },
    /// 57P03, and what a server that stops says: it starts, stops or recovers.
    #[error("the server is not ready ({code}): it starts, stops or recovers; try again")]
    NotReady {
        /// The SQLSTATE.
        code: String,
    },
    /// Any other SQLSTATE.
    #[error("the server refused the login ({code}): {said}")]
    Other {
        /// The SQLSTATE.
        code: String,
        /// The server's words, without what stands in quotes.
        said: String,
    },
    /// Nothing listens there, or the name has no address.
    #[error("{at} cannot be reached: {reason}")]
    Unreachable {
        /// Where it was tried.
        at: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error("{at} did not answer within {seconds} seconds")]
    Slow {
        /// Where it was tried.
        at: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection ended in the middle of the login.
    #[error("the connection ended before the login was answered; try again")]
    Cut,
    /// The server, or what answers in its place, speaks no TLS.
    #[error("what answers there speaks no TLS; nothing was sent to it")]
    NoTls,
    /// The certificate is for another name.
    #[error("the certificate is for another name than the server's; no password was sent")]
    WrongName,
    /// The certificate is expired, from an authority that is not believed, or not well-formed.
    #[error(
        "the server did not prove who it is ({reason}); no password was sent; `tls.ca` names its authority"
    )]
    Untrusted {
        /// What rustls said.
        reason: String,
    },
    /// The file of authorities cannot be used.
    #[error("{of} cannot be used to check the server's certificate: {reason}")]
    Authorities {
        /// The file.
        of: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server did not show that it knows the password's verifier, or asked for it in a way that is not spoken.
    #[error("the login broke the protocol: {reason}")]
    Protocol {
        /// What the client library said.
        reason: String,
    },
    /// The way to the server is not gone.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl LoginError {
    /// Whether it says something about the password: that the server knows another one.
    pub fn is_wrong_password(&self) -> bool {
        matches!(self, LoginError::WrongPassword)
    }

    fn of(error: &tokio_postgres::Error) -> LoginError {
        if let Some(said) = error.as_db_error() {
            return LoginError::by_code(said.code().code(), said.message());
        }
        if let Some(failure) = tls::failure(error) {
            return failure;
        }
        if error.is_closed() || tls::innermost::<std::io::Error>(error).is_some() {
            return LoginError::Cut;
        }
        if error.to_string().contains("TLS handshake") {
            return LoginError::NoTls;
        }
        LoginError::Protocol { reason: error.to_string() }
    }

    fn by_code(code: &str, message: &str) -> LoginError {
        let said = without_quoted(message);
        match code {
            "28P01" => LoginError::WrongPassword,
            "28000" => LoginError::NotPermitted { said },
            "3D000" => LoginError::NoDatabase,
            "53300" => LoginError::TooManyConnections { said },
            "57P01" | "57P02" | "57P03" => LoginError::NotReady { code: code.to_owned() },
            _ => LoginError::Other { code: code.to_owned(), said },
        }
    }
}

/// Somebody logged in. The connection ends with it.
pub struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// Logs in over a new connection. The password goes nowhere but into the proof that the server asks for, and not before
/// the server has proved its own name.
pub async fn login(server: &Server, user: &str, password: &Secret) -> Result<Session, LoginError> {
    server.check()?;
    let (host, port) = server.reached_at();
    let at = format!("{host}:{port}");
    let mut config = Config::new();
    config.user(user).password(password.expose()).dbname(&server.database).application_name(APPLICATION);
    let attempt = async {
        let unreachable =
            |why: std::io::Error| LoginError::Unreachable { at: at.clone(), reason: why.to_string() };
        match &server.tls {
            Tls::Disabled if server.is_socket() => {
                let socket = format!("{}/.s.PGSQL.{}", server.host, server.port);
                let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
                open(config.ssl_mode(SslMode::Disable), stream, NoTls).await
            }
            Tls::Disabled => {
                let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
                open(config.ssl_mode(SslMode::Disable), stream, NoTls).await
            }
            Tls::VerifyFull { ca } => {
                let mut make = tls::connector(ca.as_deref())?;
                let named = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, &server.host);
                let named =
                    named.expect("a connector is made for any name; it is looked at in the handshake");
                let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
                open(config.ssl_mode(SslMode::Require), stream, named).await
            }
        }
    };
    let late = |_| LoginError::Slow { at: at.clone(), seconds: PATIENCE.as_secs() };
    tokio::time::timeout(PATIENCE, attempt).await.map_err(late)?
}

async fn open<S, T>(config: &Config, stream: S, tls: T) -> Result<Session, LoginError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await.map_err(|why| LoginError::of(&why))?;
    let connection = tokio::spawn(async move {
        // Why it ended is told by the statement that it ended under.
        let _ = connection.await;
    });
    Ok(Session { client, connection })
}

impl Session {
    /// Says goodbye, and waits until the connection is closed.
    pub async fn close(self) {
        drop(self.client);
        let _ = tokio::time::timeout(PATIENCE, self.connection).await;
    }

    /// Rows of one statement with parameters; nothing is prepared, so that a pooler in between does no harm.
    pub(super) async fn ask(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, DatabaseError> {
        within(self.client.query_typed(sql, parameters)).await
    }

    /// One statement, or several, without parameters.
    pub(super) async fn run(&self, sql: &str) -> Result<(), DatabaseError> {
        within(self.client.batch_execute(sql)).await
    }
}

async fn within<T>(call: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, DatabaseError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(|why| DatabaseError::of(&why)),
        Err(_) => Err(DatabaseError::Slow { seconds: PATIENCE.as_secs() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn only_28p01_is_a_wrong_password() {
        for code in ["28000", "28P02", "3D000", "53300", "57P03", "57P01", "08P01", "XX000", "42501", "0A000"]
        {
            assert!(
                !LoginError::by_code(code, "password authentication failed").is_wrong_password(),
                "{code}"
            );
        }
        assert!(LoginError::by_code("28P01", "").is_wrong_password());
    }

    fn at(port: u16, tls: Tls) -> Server {
        Server { host: "127.0.0.1".to_owned(), port, database: "app".to_owned(), tls, via: None }
    }

    fn password() -> Secret {
        Secret::new("invented-password".to_owned()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_slow_and_not_wrong() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = at(listener.local_addr().unwrap().port(), Tls::Disabled);
        let error = login(&server, "app", &password()).await.unwrap_err();
        assert!(matches!(error, LoginError::Slow { seconds: 20, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_closed_port_and_a_missing_socket_are_unreachable() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut server = at(port, Tls::Disabled);
        let error = login(&server, "app", &password()).await.unwrap_err();
        assert!(matches!(error, LoginError::Unreachable { .. }), "{error:?}");
        server.host = "/nowhere".to_owned();
        let error = login(&server, "app", &password()).await.unwrap_err();
        assert!(matches!(error, LoginError::Unreachable { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_bundle_that_holds_no_certificate_is_told_before_anything_is_sent() {
        let server = at(1, Tls::VerifyFull { ca: Some("Cargo.toml".into()) });
        let error = login(&server, "app", &password()).await.unwrap_err();
        assert!(error.to_string().starts_with("Cargo.toml cannot be used"), "{error}");
        let server = at(1, Tls::VerifyFull { ca: Some("nowhere.pem".into()) });
        assert!(matches!(login(&server, "app", &password()).await, Err(LoginError::Authorities { .. })));
    }
}
