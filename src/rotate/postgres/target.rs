//! The server of a rotation, and the logins that it is about, as home holds them now.
//!
//! Owns where each of them is read, and how a failure of the server is told. It logs in; it changes nothing.

use super::super::Holders;
use crate::database::{self, DatabaseError, Identity, LoginError, Role, Server, Session, SetupError, Tls};
use crate::manifest::{PostgresSpec, ValueSource};
use crate::name::Address;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::store::{ErrorKind, StoreError};
use std::collections::BTreeSet;

/// A name and a password.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) role: Role,
    pub(super) password: Secret,
}

/// What home says of a rotation.
pub(super) struct Target {
    pub(super) server: Server,
    /// Who may alter the others.
    pub(super) rotator: Login,
    /// What the app logs in with.
    pub(super) app: Login,
    /// The URLs that hold the app's login and are not derived.
    pub(super) urls: Vec<(Address, Secret)>,
    /// Where copies refer to the passwords of the owner and of the other role; none where nothing refers to them.
    slots: Option<[Slot; 2]>,
}

/// An address of its own for the password of one role, so that what a running reference leads to is not overwritten.
pub(super) struct Slot {
    pub(super) address: Address,
    held: Option<Secret>,
}

impl Slot {
    pub(super) fn holds(&self, password: &Secret) -> bool {
        self.held.as_ref().is_some_and(|held| held.same_as(password))
    }
}

/// What a login proved.
pub(super) enum Proof {
    /// The server let it in, as this one.
    Right(Identity),
    /// 28P01, and nothing else.
    Wrong,
}

impl Target {
    /// Reads it.
    pub(super) async fn read(
        spec: &PostgresSpec,
        (tls, via): (&Tls, &Option<(String, u16)>),
        holders: &Holders<'_>,
    ) -> Result<Target, StoreError> {
        let Some(admin) = &spec.admin else { return Err(no_admin(holders)) };
        let named = [&spec.host, &spec.database, &spec.user, &spec.password, &admin.user, &admin.password];
        let mut addresses = BTreeSet::new();
        for address in named.into_iter().chain(&spec.port).chain(&spec.urls) {
            sources(holders, address, &mut addresses);
        }
        let slots =
            holders.manifest.slot_addresses(&holders.spec.name, &spec.password).map(<[Address; 2]>::from);
        addresses.extend(slots.iter().flatten().cloned());
        let addresses: Vec<Address> = addresses.into_iter().collect();
        let home = holders.stores[&holders.spec.home.to_string()].read(&addresses).await?;
        let value = |address: &Address| value(holders, &home, address);
        let role = |address: &Address| {
            let name = value(address)?;
            let bad = |error| unfit(holders, address, "it is no name of a role").because(error);
            Role::parse(name.expose()).map_err(bad)
        };
        let port = spec.port.as_ref().map_or(Ok(5432), |address| {
            let bad = |_| unfit(holders, address, "it is no port");
            value(address)?.expose().trim().parse().map_err(bad)
        })?;
        let server = Server {
            host: value(&spec.host)?.expose().to_owned(),
            port,
            database: value(&spec.database)?.expose().to_owned(),
            tls: tls.clone(),
            via: via.clone(),
        };
        let urls = spec.urls.iter().map(|address| Ok((address.clone(), value(address)?)));
        Ok(Target {
            server,
            rotator: Login { role: role(&admin.user)?, password: value(&admin.password)? },
            app: Login { role: role(&spec.user)?, password: value(&spec.password)? },
            urls: urls.collect::<Result<_, StoreError>>()?,
            slots: slots
                .map(|slots| slots.map(|address| Slot { held: home.value(&address).cloned(), address })),
        })
    }

    /// Where copies refer to the password of this role.
    pub(super) fn slot(&self, role: &Role, owner: &Role) -> Option<&Slot> {
        self.slots.as_ref().map(|[owners, others]| if role == owner { owners } else { others })
    }

    /// What errors call the server.
    pub(super) fn location(&self) -> String {
        format!("PostgreSQL at {}:{}", self.server.host, self.server.port)
    }

    /// A session of the rotator.
    pub(super) async fn rotator(&self) -> Result<Session, StoreError> {
        let session = database::login(&self.server, self.rotator.role.as_str(), &self.rotator.password).await;
        session.map_err(|error| {
            match error {
            LoginError::WrongPassword => self.error(
                ErrorKind::Person,
                format!("the rotator `{}` is refused", self.rotator.role),
            )
            .hint("put the login that `admin` names right in home; it is no app's, and is not rotated itself")
            .because(error),
            other => self.login_failed(&self.rotator.role, other),
        }
        })
    }

    /// Tries a login over a connection of its own. Whatever is neither in nor 28P01 is an error: it proves nothing.
    pub(super) async fn prove(&self, login: &Login) -> Result<Proof, StoreError> {
        match database::login(&self.server, login.role.as_str(), &login.password).await {
            Ok(session) => {
                let identity = database::identity(&session).await;
                session.close().await;
                Ok(Proof::Right(identity.map_err(|error| self.failed(error))?))
            }
            Err(error) if error.is_wrong_password() => Ok(Proof::Wrong),
            Err(error) => Err(self.login_failed(&login.role, error)),
        }
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError::new(kind, self.location(), message)
    }

    /// A statement that did not do what it should.
    pub(super) fn failed(&self, error: DatabaseError) -> StoreError {
        let kind = match &error {
            DatabaseError::Denied { .. } => ErrorKind::Denied,
            DatabaseError::Busy => ErrorKind::Busy,
            DatabaseError::Lost | DatabaseError::Slow { .. } => ErrorKind::Transient,
            DatabaseError::NotPrepared => ErrorKind::Person,
            _ => ErrorKind::Failed,
        };
        self.error(kind, "the server did not do what was asked").because(error)
    }

    /// A set-up, or a look at it, that failed.
    pub(super) fn setup_failed(&self, error: SetupError) -> StoreError {
        match error {
            SetupError::Server(error) => self.failed(error),
            SetupError::Role { .. } | SetupError::Refused { .. } => {
                self.error(ErrorKind::Person, "it cannot be set up so").because(error)
            }
            other => self.error(ErrorKind::Transient, "it is not known whether it is set up").because(other),
        }
    }

    fn login_failed(&self, role: &Role, error: LoginError) -> StoreError {
        let (kind, hint) = match &error {
            LoginError::NotPermitted { .. } => (
                ErrorKind::Denied,
                Some(
                    "the password was not even looked at: see LOGIN, pg_hba.conf, rds_iam and the security group",
                ),
            ),
            LoginError::Unreachable { .. } | LoginError::Slow { .. } => (
                ErrorKind::Transient,
                Some("is the way to it open from here? `--via HOST:PORT` takes a tunnel's near end"),
            ),
            LoginError::TooManyConnections { .. } | LoginError::NotReady { .. } | LoginError::Cut => {
                (ErrorKind::Transient, None)
            }
            LoginError::Untrusted { .. } | LoginError::NoTls => (
                ErrorKind::Failed,
                Some("RDS: `tls = { ca = \"global-bundle.pem\" }`, the bundle that AWS publishes for it"),
            ),
            _ => (ErrorKind::Failed, None),
        };
        let told = self.error(kind, format!("nobody can tell whether `{role}` can log in")).because(error);
        match hint {
            Some(hint) => told.hint(hint),
            None => told,
        }
    }
}

fn no_admin(holders: &Holders<'_>) -> StoreError {
    StoreError::new(ErrorKind::Invalid, holders.manifest.file(), "the rotation names no `admin`").hint(
        "`admin = { user = \"operator/…\", password = \"operator/…\" }`: a role that may alter the app's",
    )
}

/// What has to be read for the value of an address: itself, or the parts that it is derived from.
fn sources(holders: &Holders<'_>, address: &Address, all: &mut BTreeSet<Address>) {
    match holders.manifest.source(&holders.spec.name, address) {
        Some(ValueSource::Derived { template, .. }) => {
            for part in template.parts() {
                sources(holders, &part.address(address.instance.as_ref()), all);
            }
        }
        Some(ValueSource::Home) => {
            all.insert(address.clone());
        }
        _ => {}
    }
}

fn value(holders: &Holders<'_>, home: &Snapshot, address: &Address) -> Result<Secret, StoreError> {
    let found = holders.manifest.value_of(&holders.spec.name, home, address).ok().flatten();
    found.ok_or_else(|| {
        unfit(holders, address, "the rotation needs it, and it has no value")
            .hint(format!("`strongroom -e {} set {address}`", holders.spec.name))
    })
}

fn unfit(holders: &Holders<'_>, address: &Address, message: &str) -> StoreError {
    let home = holders.stores[&holders.spec.home.to_string()].location();
    StoreError::new(ErrorKind::Invalid, home, message).at(address)
}
