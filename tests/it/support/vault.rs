//! Vaults and identities for runs of the binary, made with the library and without its commands.

use super::env::TestEnv;
use age::secrecy::SecretString;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use strongroom::document::{Document, Kind, Record, Section, State};
use strongroom::name::Address;
use strongroom::seal::{self, Identities};
use strongroom::secret::Secret;
use strongroom::snapshot::{Entry, Version};

impl TestEnv {
    /// With an identity in the settings folder, and a vault sealed to it that holds these values.
    pub(crate) fn with_vault(self, environment: &str, values: &[(&str, &str)]) -> TestEnv {
        let identities = Identities::generate();
        self.keep_identity(&identities);
        let sealed = seal::seal(&document(environment, values).to_json(), &identities.recipients()).unwrap();
        self.with_file(&format!(".strongroom/{environment}.age"), sealed)
    }

    /// Puts an identity into the settings folder.
    pub(crate) fn keep_identity(&self, identities: &Identities) {
        fs::create_dir_all(self.config("")).unwrap();
        fs::write(self.config("identity.txt"), identities.to_file().as_bytes()).unwrap();
    }

    /// Protects the identity in the settings folder with a passphrase.
    pub(crate) fn with_passphrase(self, passphrase: &str) -> TestEnv {
        let path = self.config("identity.txt");
        let plain = fs::read(&path).unwrap();
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
        recipient.set_work_factor(2);
        let encryptor =
            age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed).unwrap();
        writer.write_all(&plain).unwrap();
        writer.finish().unwrap();
        fs::write(&path, sealed).unwrap();
        self
    }
}

fn document(environment: &str, values: &[(&str, &str)]) -> Document {
    let record = |value: &str| Record {
        entry: Some(Entry {
            version: Some(Version("1".to_owned())),
            modified: Some(Timestamp::UNIX_EPOCH),
            ..Entry::of(Secret::new(value.to_owned()).unwrap())
        }),
        ..Record::default()
    };
    let records: BTreeMap<Address, Record> =
        values.iter().map(|(address, value)| (address.parse().unwrap(), record(value))).collect();
    Document {
        kind: Kind::Vault,
        project: "demo".to_owned(),
        environment: environment.to_owned(),
        created: Timestamp::UNIX_EPOCH,
        fingerprint_key: None,
        sections: vec![Section::new("vault", State::Held, records)],
    }
}
