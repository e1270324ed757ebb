//! Render targets as they should be and as they are on disk.
//!
//! Owns the text of a target: its header, its values, and all that stands against it told at once, before any file is
//! touched; and the comparison with the file that is there. It never writes.

use super::context::Context;
use super::git::Exposed;
use super::reading::Wish;
use super::report::{Exit, Stop};
use crate::deliver::{self, Found, Ids, Keeping};
use crate::manifest::{Missing, RenderSpec, Variable, VariablesError};
use crate::name::Key;
use crate::render::{self, Dialect, RenderError, Rendered};
use crate::secret::Secret;
use anyhow::Result;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// How each file of ours begins, where its dialect has comments.
const MADE_BY: &str = "# Made by strongroom";

/// One target: what its file should be, and what it is.
pub(super) struct Target<'a> {
    pub(super) spec: &'a RenderSpec,
    /// The file as the manifest names it, from the working folder on.
    pub(super) file: PathBuf,
    pub(super) text: Rendered,
    /// The variables in it, in their order.
    pub(super) names: Vec<Key>,
    pub(super) keeping: Keeping,
    pub(super) found: Found,
    pub(super) standing: Standing,
    /// Where git has the file, or would take it.
    pub(super) exposed: Option<Exposed>,
}

/// How a file stands to what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Byte for byte, with its mode and owner.
    Right,
    /// There is no file.
    Missing,
    /// It is another.
    Differs {
        /// The keys that are not as they should be; none where only the text around them differs.
        keys: Vec<KeyDiffers>,
        /// What else: `mode 0644, not 0600`.
        also: Vec<String>,
    },
}

/// A key that is not in a file as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct KeyDiffers {
    pub(super) key: String,
    pub(super) difference: Difference,
}

/// What is wrong with a key in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Difference {
    /// It is not in the file.
    Missing,
    /// It has another value.
    Changed,
    /// It is in the file and should not be.
    Surplus,
}

impl fmt::Display for KeyDiffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.difference {
            Difference::Missing => write!(f, "{} is missing", self.key),
            Difference::Changed => write!(f, "{} has another value", self.key),
            Difference::Surplus => write!(f, "{} is not the target's", self.key),
        }
    }
}

impl Standing {
    /// What is wrong, a fragment for each thing.
    pub(super) fn reasons(&self) -> Vec<String> {
        match self {
            Standing::Right => Vec::new(),
            Standing::Missing => vec!["there is no such file".to_owned()],
            Standing::Differs { keys, also } => {
                keys.iter().map(ToString::to_string).chain(also.iter().cloned()).collect()
            }
        }
    }
}

impl Target<'_> {
    /// Whether something that is not ours is in the file's place.
    pub(super) fn is_foreign(&self) -> bool {
        let Some(present) = &self.found.present else { return false };
        if present.content.is_empty() {
            return false;
        }
        let Ok(text) = std::str::from_utf8(&present.content) else { return true };
        if self.spec.dialects != [Dialect::Json] {
            return !text.starts_with(MADE_BY);
        }
        // JSON has no comments that could say who made it: ours is what has no name but the target's.
        let ours = |keys: &[KeyDiffers]| !keys.iter().any(|key| key.difference == Difference::Surplus);
        match &self.standing {
            Standing::Differs { keys, .. } => render::read(Dialect::Json, text).is_err() || !ours(keys),
            Standing::Right | Standing::Missing => false,
        }
    }

    /// The variables in the file that the target does not give.
    pub(super) fn surplus(&self) -> Vec<&str> {
        let Standing::Differs { keys, .. } = &self.standing else { return Vec::new() };
        let surplus = keys.iter().filter(|key| key.difference == Difference::Surplus);
        surplus.map(|key| key.key.as_str()).collect()
    }

    /// Whether the file is about to become another text.
    pub(super) fn loses_text(&self) -> bool {
        let content = self.found.present.as_ref().map(|present| present.content.as_slice());
        content.is_some_and(|content| !content.is_empty() && content != self.text.expose().as_bytes())
    }

    /// Whether somebody put something there that is not replaced unasked: the file, a variable more, or what cannot be
    /// read, of which nobody knows what it holds.
    pub(super) fn is_somebodys(&self) -> bool {
        let unread = |content: &[u8]| read(self.spec, content).is_none();
        let present = self.found.present.as_ref().filter(|_| self.loses_text());
        present.is_some_and(|present| {
            self.is_foreign() || !self.surplus().is_empty() || unread(&present.content)
        })
    }
}

impl Context {
    /// The targets of these names, or all of the environment.
    pub(super) fn render_specs(&self, names: &[String]) -> Result<Vec<&RenderSpec>> {
        let manifest = &self.project()?.manifest;
        let environment = &self.environment()?.name;
        if names.is_empty() {
            let here = manifest.renders().filter(|spec| spec.environments.contains(environment));
            let here: Vec<&RenderSpec> = here.collect();
            if here.is_empty() {
                let message = format!("`{environment}` has no render target");
                let hint =
                    format!("declare one in {}: [render.NAME], with file and dialect", manifest.file());
                return Err(Stop::new(Exit::Manifest, message).hint(hint).into());
            }
            return Ok(here);
        }
        let mut specs: Vec<&RenderSpec> = Vec::new();
        for name in names {
            let spec = manifest.render(name)?;
            if !spec.environments.contains(environment) {
                let places: Vec<&str> = spec.environments.iter().map(|name| name.as_str()).collect();
                return Err(Stop::usage(format!("the target `{name}` is not for `{environment}`"))
                    .hint(format!("it is for {}", places.join(", ")))
                    .into());
            }
            if !specs.iter().any(|other| other.name == spec.name) {
                specs.push(spec);
            }
        }
        Ok(specs)
    }

    /// The texts of these targets, all in memory. What is missing or refused in any of them is told at once.
    pub(super) fn rendered(&self, specs: &[&RenderSpec]) -> Result<Vec<(Vec<Variable>, Rendered)>> {
        let manifest = &self.project()?.manifest;
        let environment = &self.environment()?.name;
        let held = self.read_home(&Wish::selections(specs.iter().map(|spec| &spec.selection)))?;
        let mut missing = Missing { environment: environment.clone(), addresses: Vec::new() };
        let mut variables = Vec::new();
        for spec in specs {
            match manifest.variables(environment, &held.snapshot, &held.instances, &spec.selection) {
                Ok(found) => variables.push(found),
                Err(VariablesError::Missing(more)) => {
                    let known = &mut missing.addresses;
                    more.addresses.into_iter().for_each(|address| {
                        if !known.contains(&address) {
                            known.push(address);
                        }
                    });
                }
                Err(error @ VariablesError::Clash(_)) => return Err(error.into()),
            }
        }
        if !missing.addresses.is_empty() {
            return Err(missing.into());
        }
        let mut texts = Vec::new();
        let mut refused = Vec::new();
        for (spec, variables) in specs.iter().zip(variables) {
            let pairs: Vec<(Key, &Secret)> =
                variables.iter().map(|variable| (variable.name.clone(), &variable.value)).collect();
            match render::render(&spec.dialects, &self.header(spec)?, &pairs) {
                Ok(text) => texts.push((variables, text)),
                Err(error) => refused.extend(refusals(spec, &error)),
            }
        }
        if refused.is_empty() { Ok(texts) } else { Err(not_rendered(&refused).into()) }
    }

    /// The targets with what is on disk.
    pub(super) fn targets<'a>(&self, specs: &[&'a RenderSpec]) -> Result<Vec<Target<'a>>> {
        let mut targets: Vec<Target<'_>> = Vec::new();
        for (spec, (variables, text)) in specs.iter().zip(self.rendered(specs)?) {
            let target = self.target(spec, &variables, text)?;
            if let Some(other) = targets.iter().find(|other| other.found.path == target.found.path) {
                let (one, two, path) = (&other.spec.name, &spec.name, target.found.path.display());
                let message = format!("the targets `{one}` and `{two}` are one file: {path}");
                return Err(Stop::new(Exit::Manifest, message).into());
            }
            targets.push(target);
        }
        Ok(targets)
    }

    fn target<'a>(&self, spec: &'a RenderSpec, variables: &[Variable], text: Rendered) -> Result<Target<'a>> {
        let file = self.file_of(spec)?;
        let ids = spec.owner.as_ref().map(Ids::of).transpose()?.unwrap_or_default();
        let keeping = Keeping { mode: spec.mode, ids };
        let found = deliver::find(&file)?;
        let standing = standing(&found, &keeping, spec, variables, &text);
        let exposed = Exposed::of(&found.path);
        let names = variables.iter().map(|variable| variable.name.clone()).collect();
        Ok(Target { spec, file, text, names, keeping, found, standing, exposed })
    }

    /// The file of a target, from the working folder on.
    pub(super) fn file_of(&self, spec: &RenderSpec) -> Result<PathBuf> {
        let project = self.project()?;
        let file = spec.file_in(&project.manifest, &self.environment()?.name);
        Ok(match project.folder.as_os_str().to_str() {
            Some(".") => PathBuf::from(file),
            _ => project.folder.join(file),
        })
    }

    /// How a next step for this environment begins.
    pub(super) fn typed(&self) -> Result<String> {
        let environment = &self.environment()?.name;
        let default = self.project()?.manifest.default_environment();
        Ok(match default {
            Some(spec) if spec.name == *environment => "strongroom".to_owned(),
            _ => format!("strongroom -e {environment}"),
        })
    }

    /// No time stands in it, so that what did not change is the same text.
    fn header(&self, spec: &RenderSpec) -> Result<String> {
        let manifest = &self.project()?.manifest;
        let (project, environment, target) = (manifest.project(), &self.environment()?.name, &spec.name);
        let made_by = MADE_BY.trim_start_matches(['#', ' ']);
        Ok(format!(
            "{made_by}: project {project}, environment {environment}, target {target}.\n\
             It holds secrets: keep it out of git and of images.\n\
             Do not edit it, the next run overwrites it: strongroom -e {environment} render {target}\n"
        ))
    }
}

fn refusals(spec: &RenderSpec, error: &RenderError) -> Vec<String> {
    let lines: Vec<String> = match error {
        RenderError::Refused(refused) => refused.refusals.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    };
    lines.into_iter().map(|line| format!("target {}: {line}", spec.name)).collect()
}

fn not_rendered(refused: &[String]) -> Stop {
    Stop::new(Exit::Failed, format!("nothing was written\n{}", refused.join("\n")))
        .hint("change the value, or the target's `dialect` in the manifest")
}

fn standing(
    found: &Found,
    keeping: &Keeping,
    spec: &RenderSpec,
    variables: &[Variable],
    text: &Rendered,
) -> Standing {
    let Some(present) = &found.present else { return Standing::Missing };
    let mut also = present.strays(keeping);
    if present.content.as_slice() == text.expose().as_bytes() {
        return if also.is_empty() { Standing::Right } else { Standing::Differs { keys: Vec::new(), also } };
    }
    let mut keys = Vec::new();
    match read(spec, &present.content) {
        None => also.insert(0, "it cannot be read in the target's dialect".to_owned()),
        Some(there) => {
            keys = differing(variables, &there);
            if keys.is_empty() {
                also.insert(0, "the values are right, the text around them differs".to_owned());
            }
        }
    }
    Standing::Differs { keys, also }
}

fn read(spec: &RenderSpec, content: &[u8]) -> Option<Vec<(Key, Secret)>> {
    let text = std::str::from_utf8(content).ok()?;
    render::read(*spec.dialects.first()?, text).ok()
}

fn differing(variables: &[Variable], there: &[(Key, Secret)]) -> Vec<KeyDiffers> {
    let of = |key: &Key, difference| KeyDiffers { key: key.to_string(), difference };
    let mut keys = Vec::new();
    for variable in variables {
        match there.iter().find(|(key, _)| *key == variable.name) {
            None => keys.push(of(&variable.name, Difference::Missing)),
            Some((_, value)) if !value.same_as(&variable.value) => {
                keys.push(of(&variable.name, Difference::Changed));
            }
            Some(_) => {}
        }
    }
    let surplus = there.iter().filter(|(key, _)| variables.iter().all(|variable| variable.name != *key));
    keys.extend(surplus.map(|(key, _)| of(key, Difference::Surplus)));
    keys
}
