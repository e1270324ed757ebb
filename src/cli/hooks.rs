//! `hooks`: what an app's bundle needs so that its containers see the variables of a Beanstalk copy; printed, or written
//! into the app's folder.
//!
//! A file that is there and says something else is shown and asked about before it is replaced.

use super::context::Context;
use super::report::{Exit, Stop};
use super::ui::shown;
use crate::deliver::{self, Found, Ids, Keeping};
use crate::hooks::{self, Dockerrun, HOOK_FILES, Variables};
use crate::manifest::CopySpec;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;
use std::fs;
use std::path::PathBuf;

/// Print what the app's bundle needs on Beanstalk: hooks that make .env, the `secrets` of Dockerrun.aws.json
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod hooks                     (look)
  strongroom -e prod hooks --write             (make .platform/hooks and .platform/confighooks)
  strongroom -e prod hooks --platform ecs      (the references of each container)

On the Docker platform with docker-compose.yml, the hooks write .env from the properties of the
environment, references included, in Compose's own dialect. On the ECS platform ECS resolves
references itself, and Dockerrun.aws.json names them.")]
pub(super) struct HooksArgs {
    /// The platform; else ecs where there is a Dockerrun.aws.json of version 2, and docker elsewhere
    #[arg(long, value_enum)]
    platform: Option<Platform>,

    /// The copy, where the environment has several
    #[arg(long, value_name = "COPY")]
    copy: Option<String>,

    /// Write the hooks into the folder of the manifest
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Platform {
    /// Docker with docker-compose.yml
    Docker,
    /// ECS, with Dockerrun.aws.json
    Ecs,
}

/// The mode of a hook: Beanstalk runs what may be run.
const MODE: u32 = 0o755;
const DOCKERRUN: &str = "Dockerrun.aws.json";

#[derive(Serialize)]
struct Printed<'a> {
    environment: &'a str,
    copy: &'a str,
    platform: Platform,
    /// Files, from the folder of the manifest on.
    files: Vec<OneFile<'a>>,
    /// What a person puts into files of their own.
    snippets: Vec<Snippet>,
}

#[derive(Serialize)]
struct OneFile<'a> {
    path: &'a str,
    mode: String,
    text: &'a str,
    /// What `--write` found or did: `right`, `made`, `replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'static str>,
}

#[derive(Serialize)]
struct Snippet {
    file: &'static str,
    text: String,
}

pub(super) fn run(ctx: &mut Context, args: &HooksArgs) -> Result<Exit> {
    let copy = copy(ctx, args.copy.as_deref())?;
    let dockerrun = read_dockerrun(ctx)?;
    let is_ecs = dockerrun.as_ref().is_some_and(|file| file["AWSEBDockerrunVersion"] == 2);
    let platform = args.platform.unwrap_or(if is_ecs { Platform::Ecs } else { Platform::Docker });
    let (manifest, environment) = (&ctx.project()?.manifest, ctx.environment()?);
    match platform {
        Platform::Docker => docker(ctx, args, copy, &hooks::of_bundle(manifest, environment, copy)?),
        Platform::Ecs if args.write => {
            Err(Stop::usage("the ECS platform has no hooks that could be written")
                .hint(format!("without --write, this prints what belongs into {DOCKERRUN}"))
                .into())
        }
        Platform::Ecs => {
            let variables = hooks::variables(manifest, environment, copy)?;
            ecs(ctx, copy, &variables, dockerrun.as_ref())
        }
    }
}

fn copy<'a>(ctx: &'a Context, wanted: Option<&str>) -> Result<&'a CopySpec> {
    let environment = ctx.environment()?;
    let (name, copies) = (&environment.name, &environment.copies);
    let names = || copies.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match (wanted, copies.len()) {
        (_, 0) => {
            Err(Stop::usage(format!("`{name}` has no Beanstalk copy, so no bundle of it needs anything"))
                .hint(format!("add [environments.{name}.copies.web] to the manifest, or give --environment"))
                .into())
        }
        (None, 1) => Ok(&copies[0]),
        (None, _) => Err(Stop::usage(format!("which copy of `{name}`? Give --copy"))
            .hint(format!("one of: {}", names()))
            .into()),
        (Some(wanted), _) => copies.get(wanted).ok_or_else(|| {
            Stop::usage(format!("`{name}` has no copy `{}`", shown(wanted)))
                .hint(format!("one of: {}", names()))
                .into()
        }),
    }
}

fn read_dockerrun(ctx: &Context) -> Result<Option<Value>> {
    let path = ctx.project()?.folder.join(DOCKERRUN);
    let unread = || Stop::new(Exit::Failed, format!("cannot read {}", path.display()));
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).map_err(|error| unread().because(error))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unread().because(error).into()),
    }
}

fn docker(ctx: &Context, args: &HooksArgs, copy: &CopySpec, variables: &Variables) -> Result<Exit> {
    let text = hooks::hook(variables).map_err(|error| Stop::new(Exit::Manifest, error.to_string()))?;
    for group in &variables.unknown {
        ctx.ui.warning(&format!(
            "the instances of `{group}` are known to home only, so the hook does not have their variables; list them in the \
             manifest to have them in .env"
        ));
    }
    let mut written = [None; 2];
    if args.write {
        written = write(ctx, &text)?.map(Some);
    }
    let compose = hooks::compose_lines();
    if ctx.ui.json() {
        let files = HOOK_FILES.into_iter().zip(written);
        let files =
            files.map(|(path, written)| OneFile { path, mode: format!("{MODE:04o}"), text: &text, written });
        let snippets = vec![Snippet { file: "docker-compose.yml", text: compose.to_owned() }];
        let environment = ctx.environment()?.name.as_str();
        let (copy, platform) = (copy.name.as_str(), Platform::Docker);
        let printed = Printed { environment, copy, platform, files: files.collect(), snippets };
        ctx.ui.document("hooks", &printed)?;
    } else if args.write {
        ctx.ui.note("docker-compose.yml gives .env to each service that reads it: `env_file: [.env]`");
    } else {
        let [hook, confighook] = HOOK_FILES;
        ctx.ui.text(&format!(
            "# docker-compose.yml, for each service that reads the variables:\n{compose}\n\
             # {hook}, and the same in\n# {confighook} (mode {MODE:04o}; --write makes both):\n{text}"
        ))?;
    }
    Ok(Exit::Done)
}

/// A hook as it should be, and what is in its place.
struct Target {
    file: &'static str,
    path: PathBuf,
    found: Found,
}

impl Target {
    fn is_right(&self, text: &str, keeping: &Keeping) -> bool {
        let right = |present: &deliver::Present| {
            present.content.as_slice() == text.as_bytes() && present.strays(keeping).is_empty()
        };
        self.found.present.as_ref().is_some_and(right)
    }
}

/// Writes the hooks that are not as they should be, all or none; says of each what it was.
fn write(ctx: &Context, text: &str) -> Result<[&'static str; 2]> {
    let folder = &ctx.project()?.folder;
    let keeping = Keeping { mode: MODE, ids: Ids::default() };
    let mut targets = Vec::new();
    for file in HOOK_FILES {
        let path = folder.join(file);
        targets.push(Target { file, found: deliver::find(&path)?, path });
    }
    approve(ctx, &targets, text, &keeping)?;
    let mut deliveries = Vec::new();
    for target in targets.iter().filter(|target| !target.is_right(text, &keeping)) {
        if !ctx.dry_run() {
            deliveries.push(deliver::stage(&target.found.path, text.as_bytes(), keeping)?);
        }
    }
    for delivery in deliveries {
        delivery.publish()?;
    }
    let mut said = ["right"; 2];
    for (target, said) in targets.iter().zip(&mut said) {
        let path = target.path.display();
        *said = match (target.is_right(text, &keeping), &target.found.present) {
            (true, _) => "right",
            (false, None) => "made",
            (false, Some(_)) => "replaced",
        };
        match (*said, ctx.dry_run()) {
            ("right", _) => ctx.ui.note(&format!("{path} is as it should be")),
            (done, false) => ctx.ui.note(&format!("{path} {done}")),
            (done, true) => ctx.ui.note(&format!("dry run: {path} would be {done}")),
        }
    }
    Ok(said)
}

/// Shows how the files that are there would change, and asks.
fn approve(ctx: &Context, targets: &[Target], text: &str, keeping: &Keeping) -> Result<()> {
    let mut differing = 0;
    for target in targets {
        let Some(present) = target.found.present.as_ref().filter(|_| !target.is_right(text, keeping)) else {
            continue;
        };
        differing += 1;
        for stray in present.strays(keeping) {
            ctx.ui.show(&format!("{}: {stray}", target.file));
        }
        let old = String::from_utf8_lossy(&present.content);
        let diff = TextDiff::from_lines(old.as_ref(), text);
        let diff = diff.unified_diff().context_radius(2).header(target.file, "as it should be").to_string();
        ctx.ui.show(&diff.lines().map(|line| format!("{}\n", shown(line))).collect::<String>());
    }
    match differing {
        0 => Ok(()),
        _ if ctx.dry_run() => Ok(()),
        1 => ctx.ui.approve("Replace this file?", None),
        _ => ctx.ui.approve("Replace these files?", None),
    }
}

fn ecs(ctx: &Context, copy: &CopySpec, variables: &Variables, file: Option<&Value>) -> Result<Exit> {
    let (manifest, environment) = (&ctx.project()?.manifest, ctx.environment()?);
    let definitions = file.and_then(|file| file["containerDefinitions"].as_array());
    let names = definitions.into_iter().flatten().filter_map(|one| one["name"].as_str());
    let mut containers: Vec<String> = names.map(str::to_owned).collect();
    if containers.is_empty() {
        containers.push("web".to_owned());
    }
    let block = hooks::dockerrun(manifest, environment, variables, &containers);
    let text = block.as_ref().map(|block| serde_json::to_string_pretty(&block.json)).transpose()?;
    if ctx.ui.json() {
        let snippets = text.into_iter().map(|text| Snippet { file: DOCKERRUN, text }).collect();
        let (environment, copy) = (environment.name.as_str(), copy.name.as_str());
        let printed = Printed { environment, copy, platform: Platform::Ecs, files: Vec::new(), snippets };
        ctx.ui.document("hooks", &printed)?;
    } else if let Some(text) = text {
        ctx.ui.text(&text)?;
    }
    say(ctx, copy, block.as_ref());
    Ok(Exit::Done)
}

/// What a person has to know before the block is put into the file.
fn say(ctx: &Context, copy: &CopySpec, block: Option<&Dockerrun>) {
    let Some(block) = block else {
        let why = "Beanstalk gives the properties of this environment to every container itself, and nothing can refer to";
        return ctx.ui.note(&format!("nothing belongs into {DOCKERRUN}: {why} values where their home is"));
    };
    if block.has_suffix {
        let suffix = hooks::SUFFIX;
        ctx.ui.warning(&format!(
            "`{suffix}` stands for what AWS added to the name of each secret: `aws secretsmanager describe-secret` tells it"
        ));
    }
    ctx.ui.note(
        "executionRoleArn: a role of yours that may read them; `policy --for instance` prints what it needs",
    );
    if copy.has_references() {
        ctx.ui.note(&format!(
            "the copy `{}` gives every container these names by reference already, and then executionRoleArn is enough: \
             ECS refuses a name that a container has twice",
            copy.name
        ));
    }
}
