//! What `doctor` looks at on AWS: who we are, what we may read, what home is made of, and how each copy stands.
//!
//! Nothing is written there. A question that fails is a finding, and the others are asked all the same.

use super::{Section, not_checked};
use crate::cli::context::Context;
use crate::cli::reading::Held;
use crate::cli::status::{self, Copy, InCopy};
use crate::doctor::{self, Finding, Severity};
use crate::manifest::{CopySpec, Place, Placeholder};
use crate::name::Address;
use crate::snapshot::Snapshot;
use crate::store::{Beanstalk, Caller, Condition, Store, Support};
use anyhow::{Error, Result};

/// Who we are on AWS.
pub(super) fn caller(ctx: &Context) -> Result<Caller> {
    let aws = ctx.aws()?;
    ctx.wait_for(async { Ok(aws.check_account().await?.clone()) })
}

/// That nobody there knows us, or not as somebody of this account.
pub(super) fn no_access(error: &Error) -> Finding {
    let what = "AWS does not take us for somebody of this account, and nothing there was looked at";
    Finding { severity: Severity::Problem, ..not_checked("no-access", what, error) }
}

/// What home is made of, beside its values.
pub(super) fn home(ctx: &Context, held: Option<&Held>) -> Result<Section> {
    let environment = ctx.environment()?;
    let location = ctx.home_location()?;
    let mut findings = Vec::new();
    let looked = match environment.home {
        Place::Ssm => parameters(ctx, held, &location),
        Place::SecretsManager => secrets(ctx, held, &location),
        Place::Beanstalk { .. } | Place::Vault | Place::Memory => Ok(Vec::new()),
    };
    match looked {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(not_checked("home-not-looked-at", "home could not be looked at", &error)),
    }
    Ok(Section::new(format!("home: {location}"), findings))
}

fn parameters(ctx: &Context, held: Option<&Held>, location: &str) -> Result<Vec<Finding>> {
    let store = ctx.parameters()?;
    let sample = sample(ctx)?;
    let probes = ctx.wait_for(async { Ok(store.probe(sample.as_ref()).await?) })?;
    let mut findings = doctor::permissions(location, &probes);
    let Some(held) = held else { return Ok(findings) };
    let mut seen: Snapshot = held.snapshot.clone();
    let addresses: Vec<Address> = seen.entries.keys().cloned().collect();
    let told = ctx.wait_for(async { Ok(store.detail(&mut seen, &addresses).await?) });
    if let Err(error) = told {
        let what = "the KMS keys of the parameters are not known";
        findings.push(not_checked("parameters-not-described", what, &error));
    }
    let manifest = &ctx.project()?.manifest;
    for (address, entry) in &seen.entries {
        let secret = manifest.key(address).is_some_and(|key| key.secret);
        let plain = secret && entry.attributes.get("type").is_some_and(|kind| kind == "String");
        let strays = store.strays(address, &entry.attributes);
        findings.extend(doctor::parameter(address, &store.unit_of(address).0, &strays, plain));
    }
    Ok(findings)
}

fn secrets(ctx: &Context, held: Option<&Held>, location: &str) -> Result<Vec<Finding>> {
    let store = ctx.secrets()?;
    let sample = sample(ctx)?;
    let probes = ctx.wait_for(async { Ok(store.probe(sample.as_ref()).await?) })?;
    let mut findings = doctor::permissions(location, &probes);
    let Some(held) = held else { return Ok(findings) };
    let manifest = &ctx.project()?.manifest;
    let mut absent = manifest.home_addresses(&ctx.environment()?.name, &held.instances);
    absent.retain(|address| !held.snapshot.entries.contains_key(address));
    let leaving = ctx.wait_for(async { Ok(store.leaving(&absent).await?) })?;
    findings.extend(leaving.into_iter().map(|(name, at)| doctor::leaving(&name, location, at)));
    Ok(findings)
}

/// An address whose reading tells whether reading is allowed; one without an instance, of which none may be there.
fn sample(ctx: &Context) -> Result<Option<Address>> {
    let manifest = &ctx.project()?.manifest;
    Ok(manifest.home_addresses(&ctx.environment()?.name, &Default::default()).into_iter().next())
}

/// Every copy, and home where it is one.
pub(super) fn copies(ctx: &Context, held: Option<&Held>) -> Result<Vec<Section>> {
    let copies = ctx.environment()?.copies.values();
    copies.map(|spec| copy(ctx, spec, held)).collect()
}

fn copy(ctx: &Context, spec: &CopySpec, held: Option<&Held>) -> Result<Section> {
    let store = ctx.beanstalk(&spec.name)?;
    let location = store.location();
    let at = format!("{}/{}", spec.application, spec.environment);
    let mut findings = Vec::new();
    match ctx.wait_for(async { Ok(store.probe().await?) }) {
        Ok(probes) => {
            findings.extend(doctor::permissions(&at, &probes));
            // What a look would say is said already.
            if probes.iter().all(|probe| probe.outcome.is_ok()) {
                findings.extend(standing(ctx, spec, &store, &at, held)?);
                findings.extend(held.map(|held| drift(ctx, spec, held)).transpose()?.into_iter().flatten());
            }
        }
        Err(error) => findings.push(not_checked("copy-not-looked-at", "it could not be looked at", &error)),
    }
    Ok(Section::new(format!("copy {}: {location}", spec.name), findings))
}

fn standing(
    ctx: &Context,
    spec: &CopySpec,
    store: &Beanstalk,
    at: &str,
    held: Option<&Held>,
) -> Result<Vec<Finding>> {
    let keyed = refers_to_documents(ctx, spec)?;
    let looked = ctx.wait_for(async { Ok((store.condition().await?, store.resolves(keyed).await?)) });
    let (condition, support): (_, Support) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            return Ok(vec![not_checked("copy-not-looked-at", "it could not be looked at", &error)]);
        }
    };
    let mut findings = doctor::condition(spec, at, &condition);
    findings.extend(doctor::support(spec, at, &condition.platform, &support));
    findings.extend(leftovers(ctx, spec, store, held, &condition)?);
    Ok(findings)
}

/// What still holds values of variables that go by reference.
fn leftovers(
    ctx: &Context,
    spec: &CopySpec,
    store: &Beanstalk,
    held: Option<&Held>,
    condition: &Condition,
) -> Result<Vec<Finding>> {
    let (environment, manifest) = (ctx.environment()?, ctx.project()?.manifest.as_ref());
    let instances = held.map(|held| held.instances.clone()).unwrap_or_default();
    let mut variables = doctor::by_reference(manifest, environment, spec, &instances);
    variables.retain(|variable| variable.secret);
    if variables.is_empty() {
        return Ok(Vec::new());
    }
    let (saved, unseen) = match ctx.wait_for(async { Ok(store.saved().await?) }) {
        Ok(saved) => (Some(saved), None),
        Err(error) => {
            let what = "whether saved configurations hold old values is not known";
            let finding = not_checked("saved-not-looked-at", what, &error);
            (None, Some(Finding { severity: Severity::Note, ..finding }))
        }
    };
    let strongroom = ctx.typed()?;
    let left = doctor::Leftovers {
        strongroom: &strongroom,
        manifest,
        environment,
        copy: spec,
        variables: &variables,
    };
    let mut findings = doctor::leftovers(&left, saved.as_ref(), Some(condition));
    findings.extend(unseen);
    Ok(findings)
}

/// Whether the copy's references are to keys of JSON secrets.
fn refers_to_documents(ctx: &Context, spec: &CopySpec) -> Result<bool> {
    let environment = ctx.environment()?;
    let groups = ctx.project()?.manifest.groups_in(&environment.name);
    let mut taken = groups.filter(|group| {
        spec.selection.groups.as_ref().is_none_or(|groups| groups.contains(&group.name))
            && group.reaches_environments()
    });
    let documents = taken.any(|group| !group.secretsmanager_path.uses(Placeholder::Key));
    Ok(environment.home == Place::SecretsManager && documents)
}

/// How the copy stands beside home. Home itself has nothing beside it.
fn drift(ctx: &Context, spec: &CopySpec, held: &Held) -> Result<Vec<Finding>> {
    let strongroom = ctx.typed()?;
    let is_home = !ctx.copies()?.iter().any(|copy| copy.name == spec.name);
    if is_home {
        return Ok(Vec::new());
    }
    let copy = match status::copy(ctx, spec, held) {
        Ok(copy) => copy,
        Err(error) => {
            let what = "what it should hold is not known, and it was not compared";
            return Ok(vec![not_checked("copy-not-compared", what, &error)]);
        }
    };
    let off = |wanted: fn(InCopy) -> bool| names(&copy, wanted);
    let others = off(|cell| cell.is_off() && cell != InCopy::Plain);
    let (plain, current) = (off(|cell| cell == InCopy::Plain), copy.is_current());
    Ok(doctor::drift(&doctor::Drift { strongroom: &strongroom, copy: spec, plain, others, current }))
}

fn names(copy: &Copy, wanted: fn(InCopy) -> bool) -> Vec<Address> {
    copy.addresses().filter(|address| wanted(copy.cell(address))).cloned().collect()
}
