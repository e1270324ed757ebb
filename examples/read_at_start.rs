//! An app that reads its own secrets at start, from the vault of `examples/dev-app`:
//! `cargo run --example read_at_start`.
//!
//! It never writes them anywhere, and prints names and lengths only.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::path::Path;
use strongroom::manifest::{Instances, Manifest, Selection};
use strongroom::seal::Identities;
use strongroom::store::{Discover, Store, Vault};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dev-app");
    let text = std::fs::read_to_string(folder.join("strongroom.toml"))?;
    let manifest = Manifest::parse("strongroom.toml", &text)?;
    let local = &manifest.environment("local")?.name;

    let identity = Identities::parse(&std::fs::read(folder.join("demo-identity.txt"))?, &mut || None)?;
    let names = (manifest.project().clone(), local.clone());
    let path = folder.join(".strongroom/local.age");
    let vault = Vault::new(path, names, identity.recipients(), Some(identity.into()), jiff::Timestamp::now);

    // Which organisations are connected is known to the vault alone.
    let xero = manifest.group("xero")?.name.clone();
    let mut instances = Instances::new();
    for address in vault.walk(std::slice::from_ref(&xero)).await?.entries.into_keys() {
        let known = instances.entry(xero.clone()).or_default();
        known.extend(address.instance.filter(|instance| !known.contains(instance)));
    }
    let home = vault.read(&manifest.home_addresses(local, &instances)).await?;

    for variable in manifest.variables(local, &home, &instances, &Selection::default())? {
        println!("{:<26} {} bytes", variable.name, variable.value.len());
    }
    Ok(())
}
