//! `init` from what AWS holds today: a manifest for values that stay where they are.
//!
//! Reads a Beanstalk environment's properties or the parameters below a path, and writes the manifest, the identity and
//! .gitignore. It changes nothing on AWS.

use super::own_key::OwnKey;
use super::site::Site;
use super::{InitArgs, settle};
use crate::cli::context::{Context, MANIFEST};
use crate::cli::reading::Wish;
use crate::cli::report::{Exit, Stop};
use crate::cli::ui::{plural, shown};
use crate::init::paths::{self, Parameter};
use crate::init::{Reading, Survey, ignore, layout};
use crate::manifest::edit::NewKey;
use crate::manifest::{Draft, DraftHome, Manifest, new_manifest};
use crate::name::{Address, Environment, Group, Key, Project};
use crate::render::Dialect;
use crate::secret::Secret;
use crate::snapshot::Held;
use crate::store::{Aws, Beanstalk, Caller, Discover, Ssm};
use anyhow::Result;
use serde::Serialize;
use std::sync::Arc;

/// A project that is to be written, and how many values it is to find.
struct Plan {
    draft: Draft,
    values: usize,
    from: String,
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    project: &'a str,
    environment: &'a str,
    manifest: String,
    from: &'a str,
    values: usize,
    caller: &'a Caller,
}

pub(super) fn run(ctx: &mut Context, args: &InitArgs) -> Result<Exit> {
    let site = Site::of(ctx)?;
    if site.present.is_some() {
        return Err(site.taken().into());
    }
    let environment = Environment::parse(ctx.named_environment().unwrap_or("prod"))?;
    let key = OwnKey::of(ctx)?;
    let (plan, caller) = match (&args.from_beanstalk, &args.from_ssm) {
        (Some(text), _) => from_beanstalk(ctx, args, text, &environment, &key)?,
        (None, Some(path)) => from_ssm(ctx, path, &site, &environment, &key)?,
        (None, None) => return Err(Stop::usage("nothing to begin from").into()),
    };
    let text = new_manifest(&plan.draft)?;
    if ctx.ui.json() {
        let document = Document {
            dry_run: ctx.dry_run(),
            project: plan.draft.project.as_str(),
            environment: environment.as_str(),
            manifest: site.manifest.display().to_string(),
            from: &plan.from,
            values: plan.values,
            caller: &caller,
        };
        ctx.ui.document("init", &document)?;
    }
    ctx.ui.show(&format!(
        "{} in {}, as {}, account {}",
        plural(plan.values, "value"),
        shown(&plan.from),
        shown(&caller.arn),
        shown(&caller.account)
    ));
    if ctx.dry_run() {
        if !ctx.ui.json() {
            ctx.ui.text(&text)?;
        }
        ctx.ui.note("dry run: nothing was written");
        return Ok(Exit::Done);
    }
    ctx.ui.approve(&format!("Write {} for it?", site.manifest.display()), None)?;
    key.keep()?;
    let rendered: Vec<&str> = plan.draft.renders.iter().map(|target| target.file.as_str()).collect();
    let ignored = ignore::extended(&site.ignored()?, &rendered);
    site.write(&text, ignored.as_deref())?;
    prove(ctx, &environment, plan.values)?;
    ctx.ui.note(&format!(
        "made: look through {MANIFEST} and commit it; nothing was changed on AWS. `strongroom -e {environment} status` shows what is there"
    ));
    Ok(Exit::Done)
}

/// A manifest that says no more than where to look.
fn scaffold(project: &Project, environment: &Environment, rest: &str) -> Result<Arc<Manifest>> {
    let name = toml_text(environment.as_str());
    let text = format!(
        "version = 1\nproject.name = {}\n[environments.{name}]\n{}",
        toml_text(project.as_str()),
        rest.replace("NAME", &name)
    );
    Ok(Arc::new(Manifest::parse("the command line", &text)?))
}

/// A string of TOML; JSON's are.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn account(ctx: &Context, manifest: &Manifest, environment: &Environment) -> Result<Arc<Aws>> {
    Ok(Arc::new(Aws::new(ctx.settings(manifest.environment(environment.as_str())?)?)))
}

fn from_beanstalk(
    ctx: &Context,
    args: &InitArgs,
    text: &str,
    environment: &Environment,
    key: &OwnKey,
) -> Result<(Plan, Caller)> {
    let Some((application, beanstalk)) = text.split_once('/') else {
        return Err(Stop::usage(format!("`{}` is not APP/ENV", shown(text)))
            .hint("such as `--from-beanstalk dev-app/dev-app-prod`; `aws elasticbeanstalk describe-environments` lists them")
            .into());
    };
    let project = layout::project(application);
    let copy = format!(
        "home = \"beanstalk\"\n[environments.NAME.copies.web]\nkind = \"beanstalk\"\napplication = {}\nenvironment = {}\n",
        toml_text(application),
        toml_text(beanstalk)
    );
    let manifest = scaffold(&project, environment, &copy)?;
    let aws = account(ctx, &manifest, environment)?;
    let place = Beanstalk::new(aws.clone(), manifest, environment.clone(), "web")?;
    let (found, caller, region) = ctx.wait_for(async {
        let caller = aws.caller().await?.clone();
        Ok((place.walk(&[Group::undeclared()]).await?, caller, aws.region().await?))
    })?;
    let mut variables: Vec<(Key, Secret)> = Vec::new();
    let mut references: Vec<Key> = Vec::new();
    for (address, entry) in found.entries {
        match entry.held {
            Held::Value(value) => variables.push((address.key, value)),
            Held::Reference(_) => references.push(address.key),
        }
    }
    let values = variables.len() + references.len();
    if !references.is_empty() {
        let names: Vec<String> = references.iter().map(ToString::to_string).collect();
        ctx.ui.note(&format!(
            "references already, whose values live elsewhere and cannot be read here: {}",
            names.join(", ")
        ));
    }
    let reading = Reading { file: ".env".to_owned(), dialect: Dialect::Compose, variables };
    let mut survey = Survey::of(&[reading])?.in_place();
    args.secret.iter().try_for_each(|name| survey.is_secret(name))?;
    args.plain.iter().try_for_each(|name| survey.is_plain(name))?;
    settle(ctx, &mut survey, "beanstalk")?;
    let mut draft = survey.draft(project, environment.clone(), key.recipients());
    let from = format!("{text} of Beanstalk");
    for group in &mut draft.groups {
        group.origin = Some(from.clone());
        group
            .keys
            .extend(references.drain(..).map(|key| (key, NewKey { secret: true, ..NewKey::default() })));
    }
    draft.home = DraftHome::Beanstalk {
        account: caller.account.clone(),
        region,
        application: application.to_owned(),
        environment: beanstalk.to_owned(),
    };
    Ok((Plan { draft, values, from }, caller))
}

fn from_ssm(
    ctx: &Context,
    path: &str,
    site: &Site,
    environment: &Environment,
    key: &OwnKey,
) -> Result<(Plan, Caller)> {
    if !path.starts_with('/') || path.trim_matches('/').is_empty() {
        return Err(Stop::usage(format!("`{}` is no path of parameters", shown(path)))
            .hint("such as `--from-ssm /dev-app`")
            .into());
    }
    let folder = site.absolute.file_name().unwrap_or_default().to_string_lossy();
    let project = layout::project(path.split('/').nth(1).unwrap_or(&folder));
    let manifest = scaffold(&project, environment, "home = \"ssm\"\n")?;
    let aws = account(ctx, &manifest, environment)?;
    let place = Ssm::new(aws.clone(), manifest, environment.clone());
    let (found, caller, region) = ctx.wait_for(async {
        let caller = aws.caller().await?.clone();
        Ok((place.below(path).await?, caller, aws.region().await?))
    })?;
    let parameter = |(name, encrypted, value)| Parameter { name, encrypted, value };
    let found: Vec<Parameter> = found.into_iter().map(parameter).collect();
    if found.is_empty() {
        return Err(Stop::new(Exit::Failed, format!("no parameter lies below {} in {region}", shown(path)))
            .hint("look at the account, the region and the path: `aws ssm get-parameters-by-path --recursive --path …`")
            .into());
    }
    let laid = paths::sorted(path, &project, environment, found);
    if !laid.left_out.is_empty() {
        let names: Vec<String> = laid.left_out.iter().map(|name| shown(name)).collect();
        ctx.ui.warning(&format!(
            "these fit no `path/KEY`, `path/group/KEY` or `path/group/instance/KEY` and are left out: {}",
            names.join(", ")
        ));
    }
    let draft = Draft {
        project,
        environment: environment.clone(),
        home: DraftHome::Ssm { account: caller.account.clone(), region },
        recipients: key.recipients(),
        groups: laid.groups,
        renders: Vec::new(),
    };
    Ok((Plan { draft, values: laid.taken, from: format!("{path} of SSM") }, caller))
}

/// Reads everything through the new manifest, and counts.
fn prove(ctx: &Context, environment: &Environment, values: usize) -> Result<()> {
    let written = ctx.of_environment(environment.as_str())?;
    let held = written.read_home(&Wish::all())?;
    let manifest = &written.project()?.manifest;
    let there = |address: &Address| {
        held.snapshot.entries.contains_key(address)
            || matches!(manifest.value_of(environment, &held.snapshot, address), Ok(Some(_)))
    };
    let found = manifest.addresses(environment, &held.instances).iter().filter(|at| there(at)).count();
    let count = plural(values, "value");
    match found == values {
        true => ctx.ui.note(&format!("read again through the new manifest: {count}, all there")),
        false => ctx.ui.warning(&format!(
            "through the new manifest {found} of {count} are found: look at it before you rely on it"
        )),
    }
    Ok(())
}
