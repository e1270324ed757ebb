//! What the variables of .env files are: secret, plain or derived, in which group, for which files.
//!
//! Owns the rule of where each value goes. A secret goes to home. A plain value goes into the manifest, where a change of
//! it can be reviewed; but to home where it belongs to a login (a URL is derived from it, or it is called like a password
//! next to it: RDS_USERNAME beside RDS_PASSWORD), because a rotation and another environment change it, or where it is too
//! long to be read in a line. What has the value of a secret in it is one
//! too. A URL that is composed of other variables is derived, if deriving gives exactly its bytes and nothing but its login
//! makes it a secret.

use crate::init::layout;
use crate::manifest::classify::{Verdict, classify, tells};
use crate::manifest::derive::{self, TemplateOf};
use crate::manifest::edit::NewKey;
use crate::manifest::{
    Draft, DraftGroup, DraftHome, DraftRender, Instances, Manifest, UnknownName, VariablesError,
};
use crate::name::{Address, Environment, Group, Key, Project};
use crate::render::{self, Dialect, Disagreement, ReadError, RenderError};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// A plain value longer than this is no setting that somebody reviews in a line of the manifest.
const READABLE: usize = 200;

/// How the names of passwords end.
const PASSWORDS: [&str; 4] = ["PASSWORD", "PASSWD", "PASS", "PWD"];

/// A file as it was read.
#[derive(Debug)]
pub struct Reading {
    /// Its path, from the manifest's folder on.
    pub file: String,
    /// Who is to read it when it is rendered.
    pub dialect: Dialect,
    /// What it sets.
    pub variables: Vec<(Key, Secret)>,
}

impl Reading {
    /// Reads a file of this dialect.
    pub fn written_for(dialect: Dialect, file: String, text: &str) -> Result<Reading, ReadError> {
        Ok(Reading { file, dialect, variables: render::read(dialect, text)? })
    }

    /// Reads a file that all dialects take alike. It is rendered for Compose; or else for the first dialect that reads the
    /// same in it and can hold every value, where Compose does not or cannot.
    pub fn agreed(file: String, text: &str) -> Result<Reading, Disagreement> {
        let variables = render::read_agreed(text)?;
        let borrowed: Vec<(Key, &Secret)> =
            variables.iter().map(|(key, value)| (key.clone(), value)).collect();
        let fits = |dialect: &Dialect| {
            let alike =
                render::read(*dialect, text).is_ok_and(|read| differing(&read, &variables).is_empty());
            alike && render::render(&[*dialect], "", &borrowed).is_ok()
        };
        let dialect = Dialect::ALL.into_iter().find(fits).unwrap_or(Dialect::Compose);
        Ok(Reading { file, dialect, variables })
    }
}

/// The keys that two lists of variables do not give the same value.
fn differing(a: &[(Key, Secret)], b: &[(Key, Secret)]) -> Vec<Key> {
    let (a, b): (BTreeMap<&Key, &Secret>, BTreeMap<&Key, &Secret>) = (
        a.iter().map(|(key, value)| (key, value)).collect(),
        b.iter().map(|(key, value)| (key, value)).collect(),
    );
    let keys: BTreeSet<&Key> = a.keys().chain(b.keys()).copied().collect();
    let same = |key: &Key| a.get(key).zip(b.get(key)).is_some_and(|(a, b)| a.same_as(b));
    keys.into_iter().filter(|key| !same(key)).cloned().collect()
}

/// What a variable is taken for, and with it where its value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A secret: home.
    Secret,
    /// Plain, and in home all the same.
    Kept,
    /// Plain: the manifest.
    Plain,
    /// Follows from others by this template: nowhere.
    Derived(String),
}

/// A variable as it is shown to a person; never with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its group and name.
    pub address: Address,
    /// What it is taken for.
    pub kind: Kind,
    /// Why.
    pub reason: String,
    /// The files that it is rendered to.
    pub files: Vec<String>,
}

/// Keys that files do not agree about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|(key, first, second)| format!("{key} has one value in {first} and another in {second}")).collect::<Vec<_>>().join("\n"))]
pub struct Undecided(pub Vec<(Key, String, String)>);

#[derive(Debug)]
struct Found {
    key: Key,
    value: Secret,
    group: Group,
    /// The first one gave it its group.
    files: Vec<usize>,
    verdict: Verdict,
    /// What a person said that it is.
    chosen: Option<Choice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Secret,
    Plain,
}

/// The variables of a new project, and what is known of them.
#[derive(Debug)]
pub struct Survey {
    /// Whether plain values stay where they are, too.
    in_place: bool,
    files: Vec<(String, Dialect, Group)>,
    found: Vec<Found>,
}

impl Survey {
    /// Sorts the variables of files into groups, one for each file. A variable of several files is in the group of the
    /// first; they must agree about its value.
    pub fn of(readings: &[Reading]) -> Result<Survey, Undecided> {
        let names: Vec<String> = readings.iter().map(|reading| reading.file.clone()).collect();
        let groups = layout::groups(&names);
        let mut found: Vec<Found> = Vec::new();
        let mut index: BTreeMap<&Key, usize> = BTreeMap::new();
        let mut undecided = Vec::new();
        for (file, reading) in readings.iter().enumerate() {
            for (key, value) in &reading.variables {
                let Some(known) = index.get(key).map(|at| &mut found[*at]) else {
                    index.insert(key, found.len());
                    found.push(Found {
                        key: key.clone(),
                        value: value.clone(),
                        group: groups[file].clone(),
                        files: vec![file],
                        verdict: classify(key, value),
                        chosen: None,
                    });
                    continue;
                };
                if !known.value.same_as(value) {
                    undecided.push((key.clone(), names[known.files[0]].clone(), names[file].clone()));
                }
                known.files.push(file);
            }
        }
        if !undecided.is_empty() {
            return Err(Undecided(undecided));
        }
        let files = readings.iter().zip(groups);
        let files = files.map(|(reading, group)| (reading.file.clone(), reading.dialect, group)).collect();
        Ok(Survey { in_place: false, files, found })
    }

    /// The same, where every value stays where it was found.
    pub fn in_place(self) -> Survey {
        Survey { in_place: true, ..self }
    }

    /// Says that a variable is a secret.
    pub fn is_secret(&mut self, name: &str) -> Result<(), UnknownName> {
        self.named(name)?.chosen = Some(Choice::Secret);
        Ok(())
    }

    /// Says that a variable is plain.
    pub fn is_plain(&mut self, name: &str) -> Result<(), UnknownName> {
        self.named(name)?.chosen = Some(Choice::Plain);
        Ok(())
    }

    /// Makes a secret of a variable that is taken for plain or derived, and a plain value of a secret.
    pub fn toggle(&mut self, name: &str) -> Result<(), UnknownName> {
        let secret =
            self.rows().iter().any(|row| row.address.key.as_str() == name && row.kind == Kind::Secret);
        if secret { self.is_plain(name) } else { self.is_secret(name) }
    }

    fn named(&mut self, name: &str) -> Result<&mut Found, UnknownName> {
        let names: Vec<String> = self.found.iter().map(|found| found.key.to_string()).collect();
        let unknown = || UnknownName::of("variable", name, names.iter().map(String::as_str));
        self.found.iter_mut().find(|found| found.key.as_str() == name).ok_or_else(unknown)
    }

    /// Every variable with what it is taken for, in the order of the files.
    pub fn rows(&self) -> Vec<Row> {
        let kinds = self.kinds();
        let row = |(found, kind): (&Found, Kind)| Row {
            address: found.address(),
            reason: match kind {
                Kind::Kept if self.in_place && found.chosen.is_none() => found.verdict.reason.to_owned(),
                _ => found.reason(&kind, self.password_beside(found)),
            },
            kind,
            files: found.files.iter().map(|file| self.files[*file].0.clone()).collect(),
        };
        self.found.iter().zip(kinds).map(row).collect()
    }

    fn kinds(&self) -> Vec<Kind> {
        let values: Vec<(Key, &Secret)> =
            self.found.iter().map(|found| (found.key.clone(), &found.value)).collect();
        let mut derived: BTreeMap<Key, String> = derive::find_all(&values).into_iter().collect();
        derived.retain(|key, _| self.found.iter().any(|found| found.key == *key && found.may_be_derived()));
        let parts: BTreeSet<String> = derived.values().flat_map(|template| parts(template)).collect();
        let secrets: Vec<&Found> = self.found.iter().filter(|found| found.secret()).collect();
        let tells_one = |found: &Found| {
            found.chosen.is_none() && secrets.iter().any(|secret| tells(&found.value, &secret.value))
        };
        let kind = |found: &Found| match derived.get(&found.key) {
            Some(template) => Kind::Derived(template.clone()),
            None if found.secret() || tells_one(found) => Kind::Secret,
            None if parts.contains(found.key.as_str()) => Kind::Kept,
            None if self.in_place => Kind::Kept,
            None if self.password_beside(found).is_some() || !readable(&found.value) => Kind::Kept,
            None => Kind::Plain,
        };
        self.found.iter().map(kind).collect()
    }

    /// The password of the login that a variable belongs to, as its name tells.
    fn password_beside(&self, found: &Found) -> Option<&Key> {
        let belongs = |other: &&Found| {
            let name = other.key.as_str();
            let prefix = PASSWORDS.iter().find_map(|end| name.strip_suffix(end));
            let starts = |prefix: &str| prefix.ends_with('_') && found.key.as_str().starts_with(prefix);
            other.secret() && other.key != found.key && prefix.is_some_and(starts)
        };
        self.found.iter().find(belongs).map(|other| &other.key)
    }

    /// What home is to hold.
    pub fn values(&self) -> BTreeMap<Address, Secret> {
        let kinds = self.kinds();
        let kept =
            self.found.iter().zip(&kinds).filter(|(_, kind)| matches!(kind, Kind::Secret | Kind::Kept));
        kept.map(|(found, _)| (found.address(), found.value.clone())).collect()
    }

    /// The manifest that says all this. Without files: one empty group, rendered to `.env`.
    pub fn draft(&self, project: Project, environment: Environment, recipients: Vec<String>) -> Draft {
        let home = DraftHome::Vault;
        let mut draft =
            Draft { project, environment, home, recipients, groups: Vec::new(), renders: Vec::new() };
        if self.files.is_empty() {
            let app: Group = Group::parse("app").expect("a name");
            draft.groups.push(DraftGroup::new(app.clone(), None, Vec::new()));
            draft.renders.push(target(&app, ".env", Dialect::Compose));
        }
        let kinds = self.kinds();
        for (index, (file, dialect, group)) in self.files.iter().enumerate() {
            let here = self.found.iter().zip(&kinds).filter(|(found, _)| found.files.contains(&index));
            let (own, shared): (Vec<_>, Vec<_>) = here.partition(|(found, _)| found.group == *group);
            let mut render = target(group, file, *dialect);
            render.keys = shared.iter().map(|(found, _)| found.address()).collect();
            if own.is_empty() && !shared.is_empty() {
                render.groups.clear();
            } else {
                let keys =
                    own.iter().map(|(found, kind)| (found.key.clone(), found.declared(kind))).collect();
                draft.groups.push(DraftGroup::new(group.clone(), Some(file.clone()), keys));
            }
            draft.renders.push(render);
        }
        draft
    }
}

fn target(group: &Group, file: &str, dialect: Dialect) -> DraftRender {
    DraftRender {
        name: group.to_string(),
        file: file.to_owned(),
        dialects: vec![dialect],
        groups: vec![group.clone()],
        keys: Vec::new(),
    }
}

fn parts(template: &str) -> Vec<String> {
    TemplateOf::parse(template).map(|template| template.parts().cloned().collect()).unwrap_or_default()
}

fn readable(value: &Secret) -> bool {
    value.len() <= READABLE && !value.expose().contains(char::is_control)
}

impl Found {
    fn address(&self) -> Address {
        Address::new(self.group.clone(), self.key.clone())
    }

    fn secret(&self) -> bool {
        self.chosen.map_or(self.verdict.secret, |choice| choice == Choice::Secret)
    }

    /// A URL that is a secret for its name has more to hide than its login, and a template would show it.
    fn may_be_derived(&self) -> bool {
        let harmless = Secret::new("https://example.org/".to_owned()).expect("it has no NUL");
        self.chosen.is_none() && !classify(&self.key, &harmless).secret
    }

    fn reason(&self, kind: &Kind, password: Option<&Key>) -> String {
        match (kind, self.chosen) {
            (_, Some(_)) => "you said so".to_owned(),
            (Kind::Derived(template), None) => format!("made of {}", parts(template).join(", ")),
            (Kind::Kept, None) => match password {
                Some(password) => format!("goes with {password}"),
                None if !readable(&self.value) => format!("{}; long", self.verdict.reason),
                None => "a part of a derived URL".to_owned(),
            },
            (Kind::Secret, None) if !self.verdict.secret => "it has a secret's value in it".to_owned(),
            (Kind::Secret | Kind::Plain, None) => self.verdict.reason.to_owned(),
        }
    }

    fn declared(&self, kind: &Kind) -> NewKey {
        match kind {
            Kind::Secret => NewKey { secret: true, ..NewKey::default() },
            Kind::Kept => NewKey::default(),
            Kind::Plain => NewKey { value: Some(self.value.expose().to_owned()), ..NewKey::default() },
            Kind::Derived(template) => NewKey { derive: Some(template.clone()), ..NewKey::default() },
        }
    }
}

/// Why a new project does not give a file back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// There is no target that renders it.
    #[error("nothing renders {0}")]
    Target(String),
    /// Its values are not all there.
    #[error("{file} cannot be rendered")]
    Variables {
        /// The file.
        file: String,
        /// Why.
        source: VariablesError,
    },
    /// Its dialect cannot hold a value.
    #[error("{file} cannot be rendered")]
    Render {
        /// The file.
        file: String,
        /// Why.
        source: RenderError,
    },
    /// It would be another file.
    #[error("{file} would not be rendered as it was: {}", .keys.iter().map(Key::as_str).collect::<Vec<_>>().join(", "))]
    Differs {
        /// The file.
        file: String,
        /// The variables that would have another value, or none.
        keys: Vec<Key>,
    },
}

/// Renders a file again from what a project holds, reads it as its consumer does, and compares it with what was read.
pub fn prove(
    manifest: &Manifest,
    environment: &Environment,
    home: &Snapshot,
    reading: &Reading,
) -> Result<(), Lost> {
    let file = reading.file.clone();
    let target = manifest.renders().find(|target| target.file_in(manifest, environment) == file);
    let Some(target) = target else { return Err(Lost::Target(file)) };
    let variables = match manifest.variables(environment, home, &Instances::new(), &target.selection) {
        Ok(variables) => variables,
        Err(source) => return Err(Lost::Variables { file, source }),
    };
    let borrowed: Vec<(Key, &Secret)> =
        variables.iter().map(|variable| (variable.name.clone(), &variable.value)).collect();
    let rendered = match render::render(&target.dialects, "", &borrowed) {
        Ok(rendered) => rendered,
        Err(source) => return Err(Lost::Render { file, source }),
    };
    let read =
        target.dialects.iter().map(|dialect| render::read(*dialect, rendered.expose()).unwrap_or_default());
    let keys: BTreeSet<Key> = read.flat_map(|read| differing(&read, &reading.variables)).collect();
    if keys.is_empty() { Ok(()) } else { Err(Lost::Differs { file, keys: keys.into_iter().collect() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(texts: &[(&str, &str)]) -> Survey {
        let read = |(file, text): &(&str, &str)| Reading::agreed((*file).to_owned(), text).unwrap();
        Survey::of(&texts.iter().map(read).collect::<Vec<_>>()).unwrap()
    }

    fn kind(survey: &Survey, name: &str) -> Kind {
        survey.rows().into_iter().find(|row| row.address.key.as_str() == name).unwrap().kind
    }

    #[test]
    fn a_url_that_is_secret_for_its_name_is_not_shown_in_a_template() {
        let text = "CHAT_HOST=chat.example\nCHAT_WEBHOOK_URL=https://chat.example/invented\n";
        assert_eq!(kind(&survey(&[(".env", text)]), "CHAT_WEBHOOK_URL"), Kind::Secret);
    }

    #[test]
    fn a_derived_url_that_somebody_calls_wrong_is_a_secret_and_its_parts_are_free() {
        let mut survey = survey(&[(".env", "CACHE_HOST=c.example\nCACHE_URL=redis://c.example/0\n")]);
        assert_eq!(kind(&survey, "CACHE_URL"), Kind::Derived("redis://{CACHE_HOST}/0".to_owned()));
        assert_eq!(kind(&survey, "CACHE_HOST"), Kind::Kept);
        survey.toggle("CACHE_URL").unwrap();
        assert_eq!((kind(&survey, "CACHE_URL"), kind(&survey, "CACHE_HOST")), (Kind::Secret, Kind::Plain));
        survey.toggle("CACHE_URL").unwrap();
        assert_eq!(kind(&survey, "CACHE_URL"), Kind::Plain);
        assert!(survey.toggle("CACHE_ULR").unwrap_err().to_string().contains("`CACHE_URL`"));
    }

    #[test]
    fn what_belongs_to_a_login_lives_with_its_password() {
        let survey = survey(&[(".env", "DB_PASSWORD=invented\nDB_USER=app\nDBX=1\nUSER=app\n")]);
        assert_eq!(kind(&survey, "DB_USER"), Kind::Kept);
        assert_eq!((kind(&survey, "DBX"), kind(&survey, "USER")), (Kind::Plain, Kind::Plain));
    }

    #[test]
    fn a_file_is_rendered_for_compose_unless_it_cannot_be() {
        let dialect = |text: &str| Reading::agreed(".env".to_owned(), text).unwrap().dialect;
        assert_eq!(dialect("A=1\nB='x y'\n"), Dialect::Compose);
        assert_eq!(dialect(""), Dialect::Compose);
    }
}
