//! Answers the shell while somebody types: the command tree, and the names that the manifest declares.
//!
//! It reads the manifest and nothing else, never a place, and has no opinion on errors: what cannot be read is not
//! offered.

use super::context::{self, Project};
use super::report::Exit;
use super::{command, early};
use crate::manifest::{InstancesSpec, Manifest};
use crate::name::Address;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// By this variable the script that `completions` prints tells us which shell asks. It does not begin with STRONGROOM_,
/// which are settings.
pub(super) const ASKING: &str = "_STRONGROOM_COMPLETE";

/// Answers, if a shell asks.
pub(super) fn answer_shell() -> Option<Exit> {
    let shell = context::variable(ASKING)?;
    // Files are offered from the working folder on; bash completes them itself, as it would have to quote ours.
    let here = (shell != "bash").then_some(Path::new("."));
    match CompleteEnv::with_factory(command).var(ASKING).try_complete(context::arguments(), here) {
        Ok(true) => Some(Exit::Done),
        Ok(false) => None,
        Err(_) => Some(Exit::Usage),
    }
}

/// The environments that the manifest declares.
pub(super) fn environments() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        names(|manifest| manifest.environments().map(|spec| spec.name.to_string()).collect())
    })
}

/// The addresses that the manifest declares, in their shortest form: `KEY` where one group has it, else `group/KEY`.
pub(super) fn addresses() -> ArgValueCandidates {
    ArgValueCandidates::new(|| names(|manifest| shortest(manifest, &|_| true)))
}

/// Those of them that live in some environment's home: what can be set.
pub(super) fn home_addresses() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        names(|manifest| {
            shortest(manifest, &|address| {
                manifest.environments().any(|spec| manifest.lives_in_home(&spec.name, address))
            })
        })
    })
}

/// The copies that the manifest declares, of whatever environment.
pub(super) fn copies() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        names(|manifest| {
            let copies = manifest.environments().flat_map(|spec| spec.copies.keys().cloned());
            copies.collect::<BTreeSet<String>>().into_iter().collect()
        })
    })
}

/// The rotations that the manifest declares.
pub(super) fn rotations() -> ArgValueCandidates {
    ArgValueCandidates::new(|| names(|manifest| manifest.rotations().map(|spec| spec.name.clone()).collect()))
}

/// The render targets that the manifest declares.
pub(super) fn targets() -> ArgValueCandidates {
    ArgValueCandidates::new(|| names(|manifest| manifest.renders().map(|spec| spec.name.clone()).collect()))
}

fn names(of: impl Fn(&Manifest) -> Vec<String>) -> Vec<CompletionCandidate> {
    let Some(project) = project() else { return Vec::new() };
    of(&project.manifest).into_iter().map(CompletionCandidate::new).collect()
}

fn shortest(manifest: &Manifest, wanted: &dyn Fn(&Address) -> bool) -> Vec<String> {
    let mut once = BTreeSet::new();
    let mut again = BTreeSet::new();
    for key in manifest.groups().flat_map(|group| group.keys.keys()) {
        if !once.insert(key) {
            again.insert(key);
        }
    }
    let mut found = Vec::new();
    for group in manifest.groups() {
        let instances = match &group.instances {
            InstancesSpec::None => vec![None],
            InstancesSpec::Listed(names) => names.iter().cloned().map(Some).collect(),
            InstancesSpec::Discovered => Vec::new(),
        };
        for key in group.keys.keys() {
            let addresses = instances.iter().map(|instance| Address {
                group: group.name.clone(),
                instance: instance.clone(),
                key: key.clone(),
            });
            found.extend(addresses.filter(wanted).map(|address| match address.instance {
                None if !again.contains(key) => key.to_string(),
                _ => address.to_string(),
            }));
        }
    }
    found
}

/// The project that the line so far is about: the shell hands over its words after `--`.
fn project() -> Option<Project> {
    let words = context::arguments();
    let typed = words.iter().skip_while(|word| *word != "--").skip(1).cloned().collect::<Vec<_>>();
    let config = early(&typed).config.or_else(|| context::variable("STRONGROOM_CONFIG").map(PathBuf::from));
    Project::open(config.as_deref()).ok()
}
