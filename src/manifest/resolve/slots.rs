//! The addresses that a rotation adds: one for the password of each of two logins that alternate, where a copy refers to
//! the password. Whether a name is taken, and whether name and password can change in one update there.

use super::{Resolver, step};
use crate::manifest::model::{CopySpec, KeySpec, Manifest, Origin, PostgresSpec, RotationKind, Strategy};
use crate::manifest::source::{On, trail};
use crate::name::{self, Address};

/// How the keys of the slots end: the owner's, and the other one's.
const ENDINGS: [&str; 2] = ["_A", "_B"];

/// A password that copies of these environments refer to.
struct Alternating {
    rotation: String,
    password: Address,
    environments: Vec<name::Environment>,
}

impl Resolver<'_> {
    pub(super) fn slots(&mut self, manifest: &mut Manifest) {
        let mut found = Vec::new();
        for rotation in manifest.rotations.values() {
            let RotationKind::Postgres(spec) = &rotation.kind else { continue };
            if spec.strategy != Strategy::Alternating {
                continue;
            }
            let mut environments = rotation.environments.clone();
            environments.retain(|name| self.alternates_there(manifest, &rotation.name, spec, name));
            if !environments.is_empty() {
                let (rotation, password) = (rotation.name.clone(), spec.password.clone());
                found.push(Alternating { rotation, password, environments });
            }
        }
        for alternating in &found {
            self.declare(manifest, alternating);
        }
    }

    /// Whether a copy of an environment refers to the password.
    fn alternates_there(
        &mut self,
        manifest: &Manifest,
        rotation: &str,
        spec: &PostgresSpec,
        name: &name::Environment,
    ) -> bool {
        let environment = &manifest.environments[name];
        let here = |address: &Address| manifest.lives_in_home(name, address);
        if !environment.home.can_be_referred_to() || !here(&spec.password) {
            return false;
        }
        let secret = |address: &Address| manifest.key(address).is_some_and(|key| key.secret);
        let refers = |copy: &CopySpec, address: &Address| {
            copy.selection.takes(address) && copy.refers_to(address, secret(address))
        };
        let mut copies = environment.copies.values().filter(|copy| refers(copy, &spec.password)).peekable();
        let any = copies.peek().is_some();
        if let Some(copy) = copies.find(|copy| refers(copy, &spec.user)) {
            let message = format!(
                "`{}` gets the name and the password of `{rotation}` by reference, and an instance that starts while \
                 they change would get two that do not go together",
                copy.name
            );
            let help =
                format!("send `{}` by value: it is neither `secret` nor among `references`", spec.user);
            self.help(&step(&trail!["rotate", rotation], "user"), On::Value, &message, &help);
        }
        any
    }

    fn declare(&mut self, manifest: &mut Manifest, alternating: &Alternating) {
        let Alternating { rotation, password, environments } = alternating;
        let group = manifest.groups.get_mut(&password.group).expect("the password is one of its keys");
        let of = group.keys.get(&password.key).expect("the password was found").clone();
        for (ending, whose) in ENDINGS.into_iter().zip(["of its owner", "of the role beside its owner"]) {
            let name = format!("{}{ending}", password.key);
            let name = name::Key::parse(&name).expect("a key with letters behind it is one");
            let at = group.keys.get_index_of(&password.key).expect("the password was found");
            let slot = KeySpec {
                name: name.clone(),
                secret: true,
                optional: true,
                description: Some(format!("{} {whose}, to which copies refer", password.key)),
                generate: None,
                environments: environments.clone(),
                stands_for: Some(password.key.clone()),
                origin: Origin::Home,
                ..of.clone()
            };
            match group.keys.get_mut(&name) {
                None => {
                    let before = ENDINGS.iter().position(|other| *other == ending).unwrap_or_default();
                    group.keys.shift_insert(at + 1 + before, name, slot);
                }
                // Two rotations of one password, in two environments.
                Some(known) if known.stands_for.as_ref() == Some(&password.key) => {
                    known.environments.extend(slot.environments);
                }
                Some(_) => {
                    let message = format!(
                        "`{name}` is where `rotate.{rotation}` keeps the password of one of its logins"
                    );
                    let trail = trail!["groups", password.group, "keys", name];
                    self.help(&trail, On::Key, &message, "give this key another name");
                }
            }
        }
    }
}
