//! A PostgreSQL server, as somebody who logs in to it, looks at its roles, or gives one of them a new password.
//!
//! Owns where a server is and how far it is trusted ([`Server`]), the login and what its failure proves ([`login()`]),
//! the facts about roles ([`role_facts`], [`sessions`]), the slots of an alternating rotation ([`prepare`]) and the one
//! statement that changes a password ([`alter()`]). It never sends a password in a statement: only a [`Verifier`], made
//! here, goes there. It decides nothing about a rotation, and keeps no text of the server that may repeat a value.

mod alter;
mod facts;
mod login;
mod role;
mod slots;
mod tls;
mod verifier;

pub use alter::{Change, Ended, Outcome, alter, end_sessions, pass};
pub use facts::{
    Connected, Fence, Identity, Privileges, Rds, RoleFacts, fence, identity, privileges, role_facts, sessions,
};
pub use login::{APPLICATION, LoginError, Session, login};
pub use role::{InvalidRole, Role};
pub use slots::{Need, Prepared, SetupError, Slots, Statement, missing, prepare};
pub use verifier::{MalformedVerifier, Verifier};

use std::net::IpAddr;
use std::path::PathBuf;

/// Where a server is, which of its databases is meant, and how it proves that it is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, which its certificate has to hold; or the folder of its socket, if it starts with `/`.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database that a session is in.
    pub database: String,
    /// How it proves itself.
    pub tls: Tls,
    /// A tunnel: the connection goes there, while the certificate is still checked against `host`.
    pub via: Option<(String, u16)>,
}

/// How a server proves that it is the one that was asked for. There is nothing between these two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// By a certificate for its name, from an authority of this bundle or else from one that the system trusts.
    VerifyFull {
        /// A file of certificates in PEM, such as RDS's bundle.
        ca: Option<PathBuf>,
    },
    /// Not at all: for a loopback address or a socket, where nobody is in between.
    Disabled,
}

/// A way to a server that is not gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Without TLS anybody on the way reads along.
    #[error(
        "TLS is off, and {host} is neither a loopback address nor a socket; set `tls = {{ mode = \"verify-full\" }}`"
    )]
    OpenRoad {
        /// The host that was named.
        host: String,
    },
    /// A tunnel ends on another machine, whatever its near end is called.
    #[error(
        "TLS is off and a tunnel is asked for: what leaves its far end is readable; set `tls` to verify-full"
    )]
    OpenTunnel,
    /// PostgreSQL speaks no TLS over a socket, and a socket needs no tunnel.
    #[error("a socket has neither TLS nor a tunnel; set `tls = {{ mode = \"disable\" }}`, without --via")]
    Socket,
}

impl Server {
    /// Whether it may be logged in to this way.
    pub fn check(&self) -> Result<(), Unfit> {
        match (&self.tls, &self.via) {
            (Tls::Disabled, Some(_)) => Err(Unfit::OpenTunnel),
            (Tls::VerifyFull { .. }, _) if self.is_socket() => Err(Unfit::Socket),
            (Tls::Disabled, None) if !self.is_socket() && !self.is_loopback() => {
                Err(Unfit::OpenRoad { host: self.host.clone() })
            }
            _ => Ok(()),
        }
    }

    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Where the connection goes, which is not `host` behind a tunnel.
    fn reached_at(&self) -> (&str, u16) {
        self.via.as_ref().map_or((self.host.as_str(), self.port), |(host, port)| (host.as_str(), *port))
    }
}

/// Why the server did not do what was asked. Nothing was changed by the call that returns one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// 42501.
    #[error("the server does not allow it (42501): {said}")]
    Denied {
        /// The server's words, without what stands in quotes.
        said: String,
    },
    /// 42704: it was dropped, or never there.
    #[error("the server has no such role (42704)")]
    NoRole,
    /// 55P03: somebody else holds the lock.
    #[error("somebody else is changing the same role (55P03, waited for a lock); try again")]
    Busy,
    /// 25006: a replica, or a server that was made one by a failover.
    #[error(
        "the server is read-only (25006): this is a replica, or no longer the primary; use the writer's address"
    )]
    ReadOnly,
    /// The schema, the table or the row that fences are in is not there.
    #[error("the database was not set up for rotation; run `strongroom rotate NAME --setup`")]
    NotPrepared,
    /// The connection ended before anything was committed.
    #[error("the connection to the server was lost before anything was committed; try again")]
    Lost,
    /// The server took too long, and nothing was committed.
    #[error("the server did not answer within {seconds} seconds, and nothing was committed; try again")]
    Slow {
        /// How long was waited.
        seconds: u64,
    },
    /// Anything else.
    #[error("the server refused ({code}): {said}")]
    Other {
        /// The SQLSTATE, or `protocol`.
        code: String,
        /// The server's words, without what stands in quotes.
        said: String,
    },
}

impl DatabaseError {
    fn of(error: &tokio_postgres::Error) -> DatabaseError {
        let Some(said) = error.as_db_error() else {
            return if error.is_closed() || tls::innermost::<std::io::Error>(error).is_some() {
                DatabaseError::Lost
            } else {
                DatabaseError::Other { code: "protocol".to_owned(), said: error.to_string() }
            };
        };
        match said.code().code() {
            "42501" => DatabaseError::Denied { said: without_quoted(said.message()) },
            "42704" => DatabaseError::NoRole,
            "55P03" => DatabaseError::Busy,
            "25006" => DatabaseError::ReadOnly,
            "3F000" | "42P01" => DatabaseError::NotPrepared,
            "57P01" | "57P02" | "57P03" => DatabaseError::Lost,
            code => DatabaseError::Other { code: code.to_owned(), said: without_quoted(said.message()) },
        }
    }
}

/// A server's sentence without what it quotes: names, addresses and pieces of the statement, in whatever language.
fn without_quoted(text: &str) -> String {
    // No apostrophe: it stands in words too, and would turn outside and inside about.
    const MARKS: &[char] = &['"', '“', '”', '„', '«', '»', '「', '」'];
    let mut kept = String::new();
    let mut inside = false;
    for part in text.split_inclusive(MARKS) {
        let mark = part.chars().next_back().filter(|c| MARKS.contains(c));
        if !inside {
            kept += part;
        } else if let Some(mark) = mark {
            kept.push('…');
            kept.push(mark);
        }
        inside ^= mark.is_some();
    }
    kept.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, tls: Tls, via: Option<(&str, u16)>) -> Server {
        let via = via.map(|(host, port)| (host.to_owned(), port));
        Server { host: host.to_owned(), port: 5432, database: "app".to_owned(), tls, via }
    }

    #[test]
    fn without_tls_only_what_nobody_can_read_along() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "/var/run/postgresql"] {
            assert_eq!(server(host, Tls::Disabled, None).check(), Ok(()), "{host}");
        }
        for host in ["db.example", "10.0.0.1", "localhost.example", "0.0.0.0", ""] {
            let refused = server(host, Tls::Disabled, None).check();
            assert_eq!(refused, Err(Unfit::OpenRoad { host: host.to_owned() }));
        }
        let tunnel = server("localhost", Tls::Disabled, Some(("127.0.0.1", 15432)));
        assert_eq!(tunnel.check(), Err(Unfit::OpenTunnel));
    }

    #[test]
    fn a_socket_has_no_tls() {
        let tls = Tls::VerifyFull { ca: None };
        assert_eq!(server("/run", tls.clone(), None).check(), Err(Unfit::Socket));
        assert_eq!(server("db.example", tls, Some(("127.0.0.1", 1))).check(), Ok(()));
    }

    #[test]
    fn what_a_server_quotes_is_left_out_of_its_words() {
        for (text, kept) in [
            ("permission denied for table \"fence\"", "permission denied for table \"…\""),
            (
                "no entry for host \"10.0.0.1\", user \"app\", no encryption",
                "no entry for host \"…\", user \"…\", no encryption",
            ),
            ("Rolle »app« existiert nicht", "Rolle »…« existiert nicht"),
            ("syntax error at or near \"SCRAM", "syntax error at or near \""),
        ] {
            assert_eq!(without_quoted(text), kept);
        }
    }
}
