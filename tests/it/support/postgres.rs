//! A PostgreSQL server of the test's own, over TLS with an authority of its own, that writes down every statement.
//!
//! Owns the cluster: copied from one that is made once, started on a free port, gone with the value. Never as root: a
//! test that is root runs it as nobody, below the system's folder for temporary files. The server is the one that is
//! installed, or else one from PyPI; what is in its log is what an operator could find there.

use super::provision::{self, made, run};
use nix::unistd::geteuid;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use strongroom::database::{Server, Session, Tls, login};
use strongroom::secret::Secret;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_postgres::{Client, NoTls};

/// The name in the server's certificate. Nothing resolves it: who wants it comes by [`Cluster::server`]'s tunnel.
pub(crate) const HOST: &str = "db.strongroom.test";

/// nobody, and its group.
const NOBODY: u32 = 65534;

/// A running server.
pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    /// Starts the server that is installed here, or else the one from PyPI.
    pub(crate) fn start() -> Cluster {
        Cluster::with(&[])
    }

    /// The same with settings of its own, as `name = value`.
    pub(crate) fn with(settings: &[&str]) -> Cluster {
        let installed = ["/usr/lib/postgresql", "/usr/local/bin", "/usr/bin"].iter().find_map(|folder| {
            let mut folders = vec![PathBuf::from(folder)];
            let versions = fs::read_dir(folder).into_iter().flatten().flatten();
            folders.extend(versions.map(|entry| entry.path().join("bin")));
            folders.sort();
            folders.into_iter().rev().find(|folder| folder.join("initdb").exists())
        });
        Cluster::of(&installed.unwrap_or_else(provision::postgres), settings)
    }

    /// Starts the one from PyPI, which is 17.
    pub(crate) fn seventeen() -> Cluster {
        Cluster::of(&provision::postgres(), &[])
    }

    /// Starts one of each major from 16 on, with its number.
    pub(crate) fn majors() -> [(u32, Cluster); 3] {
        let [sixteen, eighteen] = provision::other_postgres();
        let of = |programs: &Path| Cluster::of(programs, &[]);
        [(16, of(&sixteen)), (17, Cluster::seventeen()), (18, of(&eighteen))]
    }

    fn of(programs: &Path, settings: &[&str]) -> Cluster {
        let folder = tempfile::Builder::new().prefix("strongroom-pg-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let programs = reachable(programs, folder.path());
        run(Command::new("cp").arg("-a").arg(template(&programs)).arg(folder.path().join("data"))).unwrap();
        certificates(folder.path());
        let mut cluster = Cluster { folder, programs, port: 0 };
        give_away(cluster.folder.path());
        // Another process may take the port between looking and listening: then the next one is tried.
        let port = (0..5).find_map(|_| cluster.listening(settings));
        cluster.port = port.unwrap_or_else(|| panic!("the server does not start: {}", cluster.log()));
        cluster
    }

    fn listening(&self, settings: &[&str]) -> Option<u16> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = self.folder.path();
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{0}'\nfsync = off\n\
             full_page_writes = off\nshared_buffers = 16MB\nmax_connections = 40\nlc_messages = 'C'\nlog_statement = all\n\
             log_min_duration_statement = 0\nlog_min_error_statement = debug5\nlog_connections = on\n",
            folder.display()
        );
        if self.speaks_tls() {
            text += &format!(
                "ssl = on\nssl_cert_file = '{0}/server.pem'\nssl_key_file = '{0}/server.key'\n",
                folder.display()
            );
        }
        if self.has("pg_stat_statements") && self.has("auto_explain") {
            text += "shared_preload_libraries = 'pg_stat_statements,auto_explain'\n\
                     auto_explain.log_min_duration = 0\npg_stat_statements.track_utility = on\n";
        }
        for setting in settings {
            text += &format!("{setting}\n");
        }
        fs::write(folder.join("data/postgresql.auto.conf"), text).unwrap();
        let hba = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 md5\n";
        fs::write(folder.join("data/pg_hba.conf"), hba).unwrap();
        give_away(folder);
        run(self.control(&["start", "-w", "-l"]).arg(folder.join("data/log"))).is_ok().then_some(port)
    }

    /// Whether the server was built with TLS.
    fn speaks_tls(&self) -> bool {
        let built = Command::new(self.programs.join("pg_config")).arg("--configure").output();
        built.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("ssl"))
    }

    /// Whether the server has this library.
    fn has(&self, library: &str) -> bool {
        let config = Command::new(self.programs.join("pg_config")).arg("--pkglibdir").output();
        let folder = config.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        folder.is_ok_and(|folder| Path::new(&folder).join(format!("{library}.so")).exists())
    }

    fn control(&self, arguments: &[&str]) -> Command {
        let mut command = unprivileged(&self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.folder.path().join("data")).args(arguments);
        command
    }

    /// Stops the server as a crash would, or as an operator does: `immediate`, `fast`.
    fn stop(&self, mode: &str) {
        run(&mut self.control(&["stop", "-w", "-m", mode])).unwrap();
    }

    /// Starts it again, with a change to the folder of its data in between.
    pub(crate) fn restarted(&self, change: impl FnOnce(&Path)) {
        self.stop("fast");
        let data = self.folder.path().join("data");
        change(&data);
        give_away(&data);
        run(self.control(&["start", "-w", "-l"]).arg(data.join("log"))).unwrap();
    }

    /// How it is logged in to in production: by its name, through a tunnel, which leads to this machine.
    pub(crate) fn server(&self) -> Server {
        Server {
            host: HOST.to_owned(),
            port: 5432,
            database: "postgres".to_owned(),
            tls: Tls::VerifyFull { ca: Some(self.authority()) },
            via: Some(("127.0.0.1".to_owned(), self.port)),
        }
    }

    /// Over loopback, without TLS.
    pub(crate) fn plain(&self) -> Server {
        let host = "127.0.0.1".to_owned();
        Server { host, port: self.port, tls: Tls::Disabled, via: None, ..self.server() }
    }

    /// The port on this machine.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the authority that signed the server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Everything that the server wrote down so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("data/log")).unwrap_or_default()
    }

    /// The superuser over the socket, for what a test sets up and looks at.
    pub(crate) async fn superuser(&self) -> Client {
        let socket = self.folder.path().join(format!(".s.PGSQL.{}", self.port));
        let stream = UnixStream::connect(socket).await.unwrap();
        let mut config = tokio_postgres::Config::new();
        config.user("postgres").dbname("postgres");
        let (client, connection) = config.connect_raw(stream, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs statements as the superuser.
    pub(crate) async fn sql(&self, statements: &str) {
        self.superuser().await.batch_execute(statements).await.unwrap();
    }

    /// The first column of the first row that the superuser gets.
    pub(crate) async fn ask(&self, query: &str) -> String {
        let rows = self.superuser().await.simple_query(query).await.unwrap();
        let row = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        row.unwrap_or_default()
    }

    /// The app itself, over loopback.
    pub(crate) async fn app(&self, user: &str, password: &str) -> Client {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let mut config = tokio_postgres::Config::new();
        config.user(user).password(password).dbname("postgres").application_name("the-app");
        let (client, connection) = config.connect_raw(stream, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A session as in production.
    pub(crate) async fn login(&self, user: &str, password: &str) -> Session {
        login(&self.server(), user, &Secret::new(password.to_owned()).unwrap()).await.unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.control(&["stop", "-w", "-m", "immediate"]).output();
    }
}

/// A cluster that was never started, made once for each version.
fn template(programs: &Path) -> PathBuf {
    let version = Command::new(programs.join("postgres")).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let version = version.trim();
    let number = version.split(' ').nth(2).unwrap();
    let recipe = [version, "initdb -U postgres -E UTF8 --locale C --wal-segsize 1"];
    let kit = made(&format!("postgres-cluster-{number}"), &recipe, |kit| {
        let folder = tempfile::Builder::new().prefix("strongroom-pg-").tempdir().unwrap();
        give_away(folder.path());
        let data = folder.path().join("data");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.args(recipe[1].split(' ').skip(1)).args(["--no-sync", "--auth", "trust", "-D"]);
        run(initdb.arg(&data))?;
        run(Command::new("cp").arg("-a").arg(data).arg(kit.join("data")))
    });
    kit.join("data")
}

/// A program as somebody who is not root.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Makes a folder the server's, where that is somebody else.
fn give_away(folder: &Path) {
    if geteuid().is_root() {
        run(Command::new("chown").args(["-R", "65534:65534"]).arg(folder)).unwrap();
    }
}

/// Programs where nobody can run them too: a target folder may lie in one that only root enters.
fn reachable(programs: &Path, folder: &Path) -> PathBuf {
    let closed = |folder: &Path| fs::metadata(folder).unwrap().permissions().mode() & 0o1 == 0;
    if !geteuid().is_root() || !programs.ancestors().any(closed) {
        return programs.to_owned();
    }
    let installation = programs.parent().unwrap();
    run(Command::new("cp").arg("-a").arg(installation).arg(folder.join("server"))).unwrap();
    folder.join("server/bin")
}

/// An authority, and the server's certificate for [`HOST`] and `localhost`.
fn certificates(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec![HOST.to_owned(), "localhost".to_owned()];
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
}
