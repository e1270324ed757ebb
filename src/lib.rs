//! strongroom keeps every secret of an app that runs on AWS Elastic Beanstalk: where each one lives, what depends on it,
//! how it reaches the containers, and how it changes without anybody losing it.
//!
//! An app that reads its own secrets at start needs a manifest, a vault and an identity:
//!
//! ```
//! use strongroom::manifest::{Instances, Manifest, Selection};
//! use strongroom::seal::Identities;
//! use strongroom::store::{Store, Vault};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = std::path::Path::new("examples/dev-app");
//! let manifest = Manifest::parse("strongroom.toml", &std::fs::read_to_string(folder.join("strongroom.toml"))?)?;
//! let local = &manifest.environment("local")?.name;
//!
//! let identity = Identities::parse(&std::fs::read(folder.join("demo-identity.txt"))?, &mut || None)?;
//! let names = (manifest.project().clone(), local.clone());
//! let path = folder.join(".strongroom/local.age");
//! let vault = Vault::new(path, names, identity.recipients(), Some(identity.into()), jiff::Timestamp::now);
//!
//! let instances = Instances::from([("xero".parse()?, vec!["1".parse()?])]);
//! let addresses = manifest.home_addresses(local, &instances);
//! let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let home = runtime.block_on(vault.read(&addresses))?;
//!
//! let variables = manifest.variables(local, &home, &instances, &Selection::default())?;
//! let url = variables.iter().find(|variable| variable.name.as_str() == "DATABASE_URL").ok_or("no URL")?;
//! assert!(url.value.expose().starts_with("postgres://dev_app:invented-p%40ss"));
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! Every change goes one way: what should be ([`plan::Desired`]) and what is ([`snapshot::Snapshot`]) make a
//! [`plan::Plan`]; it is shown and confirmed, applied under a [`journal`], and read back. Imports point down only:
//!
//! | layer | modules | knows |
//! |---|---|---|
//! | talks | `cli` | clap, stdout, the process's environment |
//! | use cases | [`desired`], [`apply`], [`authorise`], [`backup`], [`init`], [`policy`], [`hooks`], [`doctor`], [`migrate`] | what should be where; order: journal, call, look, settle, verify; who may do what; what a bundle needs; what is wrong; how secrets move |
//! | adapters | [`store`], [`journal`], [`durable`], [`deliver`], [`program`], [`web`], [`database`], [`xero`] | places, files, servers |
//! | pure | [`manifest`], [`plan`], [`render`], [`exchange`], [`document`], [`seal`] | meaning; no I/O, no clock |
//! | words | [`secret`], [`name`], [`snapshot`] | how a value lives in memory, and what it is called |

// Words.
pub mod name;
pub mod secret;
pub mod snapshot;

// Pure.
pub mod document;
pub mod exchange;
pub mod manifest;
pub mod plan;
pub mod render;
pub mod seal;

// Adapters.
pub mod database;
pub mod deliver;
pub mod durable;
pub mod journal;
pub mod program;
pub mod store;
pub mod web;
pub mod xero;

// Use cases.
pub mod apply;
pub mod authorise;
pub mod backup;
pub mod desired;
pub mod doctor;
pub mod hooks;
pub mod init;
pub mod migrate;
pub mod policy;
pub mod rotate;

// Talks; for the binary, and no part of the library's promise.
#[doc(hidden)]
pub mod cli;
