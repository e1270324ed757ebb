//! `init`: a new project, from nothing, from .env files, or from what AWS holds today.
//!
//! Everything is decided, shown, proven and approved before the first write. Then, each step whole or not there: the
//! identity, the manifest, .gitignore, and the values by the journal like every change. Run again after it was cut short,
//! it goes on where it stopped; where the project is another one, it stops and says so.

mod aws;
mod own_key;
mod site;

use super::context::{Context, MANIFEST};
use super::git::Exposed;
use super::report::{Exit, Stop};
use super::table::{Cell, Table, Tone};
use crate::cli::reading::Wish;
use crate::init::{Kind, Reading, Row, Survey, ignore, layout, prove};
use crate::manifest::{Manifest, new_manifest};
use crate::name::{Address, Environment};
use crate::plan::{Desired, Want};
use crate::render::{Dialect, Disagreement};
use crate::secret::Secret;
use crate::snapshot::{Entry, Snapshot};
use anyhow::Result;
use clap::{Args, ValueHint};
use own_key::{OwnKey, join};
use serde::Serialize;
use site::Site;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Make a new project here: identity, manifest, vault
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("variables").args(["from_dotenv", "from_beanstalk"]))]
#[command(after_help = "\
Examples:
  strongroom init
  strongroom init --from-dotenv .env
  strongroom init --from-dotenv .envs/.production/.django .envs/.production/.postgres
  strongroom init --from-dotenv .env --secret EMAIL_CC --plain PUBLIC_TOKEN --yes
  strongroom init --from-beanstalk dev-app/dev-app-prod
  strongroom init --from-ssm /dev-app

From .env files, each variable is taken for secret, plain or derived; the guess is shown with
its reason and can be changed. Secrets go into the vault; plain values into the manifest, where
changes of them can be reviewed, or into the vault where they belong to a login. The files
themselves are left as they are.")]
pub(super) struct InitArgs {
    /// Take over these .env files: their variables are declared and stored, and the files become render targets
    #[arg(long, value_name = "FILE", num_args = 1.., value_hint = ValueHint::FilePath)]
    from_dotenv: Vec<PathBuf>,

    /// Declare what a Beanstalk environment holds; it stays the truth, as it is
    #[arg(long, value_name = "APP/ENV")]
    from_beanstalk: Option<String>,

    /// Declare the SSM parameters below a path; they stay where they are
    #[arg(long, value_name = "PATH", conflicts_with_all = ["from_dotenv", "from_beanstalk"])]
    from_ssm: Option<String>,

    /// What reads the files; needed where dialects read a line of them differently
    #[arg(long, value_name = "DIALECT", requires = "from_dotenv")]
    dialect: Option<Dialect>,

    /// A variable that is a secret, whatever it looks like
    #[arg(long, value_name = "KEY", requires = "variables")]
    secret: Vec<String>,

    /// A variable that is no secret, whatever it looks like
    #[arg(long, value_name = "KEY", requires = "variables")]
    plain: Vec<String>,
}

pub(super) fn run(ctx: &mut Context, args: &InitArgs) -> Result<Exit> {
    if args.from_beanstalk.is_some() || args.from_ssm.is_some() {
        return aws::run(ctx, args);
    }
    let site = Site::of(ctx)?;
    let readings = read_all(&site, args)?;
    let mut survey = Survey::of(&readings).map_err(|error| {
        Stop::new(Exit::Failed, error.to_string())
            .hint("a variable of several files is declared once: make them agree, or take the files over one by one")
    })?;
    args.secret.iter().try_for_each(|name| survey.is_secret(name))?;
    args.plain.iter().try_for_each(|name| survey.is_plain(name))?;
    if site.present.is_none() {
        settle(ctx, &mut survey, "vault")?;
    }
    let key = OwnKey::of(ctx)?;
    let new = NewProject::of(ctx, &site, &survey, &readings, key)?;
    if let Some(present) = &site.present
        && *present != new.text
    {
        let names_nobody = |manifest: Manifest| manifest.recipients().is_empty();
        let is_first = Manifest::parse(MANIFEST, present).is_ok_and(names_nobody);
        if new.key.new && readings.is_empty() {
            return join(ctx, &new.key, is_first);
        }
        let add = format!("`strongroom recipients add {}`", new.key.recipients().join(" "));
        return Err(match is_first {
            true => site.taken().hint(format!("it names nobody who can open its vaults: {add} names you")),
            false => site.taken(),
        }
        .into());
    }
    new.tell(ctx, &site, &survey)?;
    warn_of_tracked(ctx, &args.from_dotenv);
    if ctx.dry_run() {
        if !ctx.ui.json() {
            ctx.ui.text(&new.text)?;
        }
        ctx.ui.note("dry run: nothing was written");
        return Ok(Exit::Done);
    }
    ctx.ui.approve("Make this project?", None)?;
    ctx.ui.approved();
    new.key.keep()?;
    new.write(&site)?;
    fill(ctx, &survey)?;
    prove_again(ctx, &readings)?;
    ctx.ui.note(&next(&new, &readings));
    Ok(Exit::Done)
}

/// A file that git has already stays in it, whatever is ignored.
fn warn_of_tracked(ctx: &Context, files: &[PathBuf]) {
    for file in files {
        if let Some(exposed) = Exposed::of(file).filter(|exposed| exposed.tracked) {
            ctx.ui.warning(&exposed.advice(file, None));
        }
    }
}

fn read_all(site: &Site, args: &InitArgs) -> Result<Vec<Reading>> {
    let mut readings: Vec<Reading> = Vec::new();
    for path in &args.from_dotenv {
        let file = site.inside(path)?;
        if readings.iter().all(|reading| reading.file != file) {
            readings.push(read(path, file, args.dialect)?);
        }
    }
    Ok(readings)
}

fn read(path: &Path, file: String, dialect: Option<Dialect>) -> Result<Reading> {
    let shown = path.display();
    let unread = |error| Stop::new(Exit::Failed, format!("cannot read {shown}")).because(error);
    let bytes = Zeroizing::new(fs::read(path).map_err(unread)?);
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        Stop::new(Exit::Failed, format!("{shown} is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    match dialect {
        Some(dialect) => Reading::written_for(dialect, file, text)
            .map_err(|error| Stop::new(Exit::Failed, format!("cannot take {shown}")).because(error).into()),
        None => Reading::agreed(file, text).map_err(|error| {
            let exit = match &error {
                Disagreement::Differ(_) => Exit::Usage,
                _ => Exit::Failed,
            };
            Stop::new(exit, format!("{shown} can be read in several ways"))
                .because(error)
                .hint("say what reads it, such as `--dialect compose` or `--dialect python-dotenv`")
                .into()
        }),
    }
}

/// Shows what each variable is taken for, and lets a person change it until it is right.
fn settle(ctx: &Context, survey: &mut Survey, home: &str) -> Result<()> {
    if survey.rows().is_empty() {
        return Ok(());
    }
    loop {
        ctx.ui.show(&classified(&survey.rows(), home));
        if !ctx.ui.asks() {
            return Ok(());
        }
        let question = "Which are classified wrongly? (names, or Enter)";
        let answer = ctx.ui.ask(question, "", "name them with --secret KEY and --plain KEY")?;
        let names: Vec<&str> = answer.split([' ', ',']).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if let Err(unknown) = survey.toggle(name) {
                ctx.ui.warning(&unknown.to_string());
            }
        }
    }
}

fn classified(rows: &[Row], place: &str) -> String {
    let mut table = Table::new(["key", "kind", "lives in", "why", "group", "file"]);
    for Row { address, kind, reason, files } in rows {
        let (name, home, tone) = told(kind);
        let home = if home == "vault" { place } else { home };
        table.row([
            Cell::plain(address.key.as_str()),
            Cell::new(name, tone),
            Cell::plain(home),
            Cell::new(reason, Tone::Faint),
            Cell::plain(address.group.as_str()),
            Cell::plain(&files.join(", ")),
        ]);
    }
    table.aligned()
}

fn told(kind: &Kind) -> (&'static str, &'static str, Tone) {
    match kind {
        Kind::Secret => ("secret", "vault", Tone::Notable),
        Kind::Kept => ("plain", "vault", Tone::Plain),
        Kind::Plain => ("plain", "manifest", Tone::Plain),
        Kind::Derived(_) => ("derived", "", Tone::Good),
    }
}

/// A project that is not written yet.
struct NewProject {
    manifest: Manifest,
    environment: Environment,
    text: String,
    key: OwnKey,
    ignored: Option<String>,
}

impl NewProject {
    /// Decides the rest, and proves that it will render what the files hold.
    fn of(
        ctx: &Context,
        site: &Site,
        survey: &Survey,
        readings: &[Reading],
        key: OwnKey,
    ) -> Result<NewProject> {
        let files: Vec<String> = readings.iter().map(|reading| reading.file.clone()).collect();
        let environment = match ctx.named_environment() {
            Some(name) => Environment::parse(name)?,
            None => layout::environment(&files),
        };
        let folder = site.absolute.file_name().unwrap_or_default().to_string_lossy();
        let draft = survey.draft(layout::project(&folder), environment.clone(), key.recipients());
        let text = new_manifest(&draft)?;
        let manifest = Manifest::parse(MANIFEST, &text)?;
        let home = as_home(survey.values());
        for reading in readings {
            prove(&manifest, &environment, &home, reading).map_err(|error| {
                Stop::new(Exit::Failed, "the project would not give the files back; nothing was written")
                    .because(error)
                    .hint("name what reads the files with --dialect, or take over the others first")
            })?;
        }
        let rendered: Vec<&str> = draft.renders.iter().map(|target| target.file.as_str()).collect();
        let ignored = ignore::extended(&site.ignored()?, &rendered);
        Ok(NewProject { manifest, environment, text, key, ignored })
    }

    /// Says what will be written.
    fn tell(&self, ctx: &Context, site: &Site, survey: &Survey) -> Result<()> {
        let state = |new: bool| if new { "new" } else { "there already" };
        let vault = site.folder.join(".strongroom").join(format!("{}.age", self.environment));
        let values = survey.values().len();
        let rows = [
            ("identity", self.key.path.display().to_string(), state(self.key.new).to_owned()),
            ("manifest", site.manifest.display().to_string(), state(site.present.is_none()).to_owned()),
            (
                "vault",
                vault.display().to_string(),
                match values {
                    0 => "made by the first `strongroom set`".to_owned(),
                    _ => super::ui::plural(values, "value"),
                },
            ),
            (
                "ignored by git",
                site.folder.join(".gitignore").display().to_string(),
                match self.ignored {
                    Some(_) => "the rendered files".to_owned(),
                    None => state(false).to_owned(),
                },
            ),
        ];
        let mut table = Table::new(["what", "file", "state"]);
        for (what, file, state) in rows {
            table.row([Cell::plain(what), Cell::plain(&file), Cell::plain(&state)]);
        }
        ctx.ui.show(&table.aligned());
        if ctx.ui.json() {
            ctx.ui.document("init", &self.document(ctx, site, survey))?;
        }
        Ok(())
    }

    fn document<'a>(&'a self, ctx: &Context, site: &'a Site, survey: &Survey) -> Document<'a> {
        let variable = |row: Row| {
            let (kind, lives_in, _) = told(&row.kind);
            Variable {
                address: row.address.to_string(),
                kind,
                lives_in,
                reason: row.reason,
                files: row.files,
            }
        };
        Document {
            dry_run: ctx.dry_run(),
            project: self.manifest.project().as_str(),
            environment: self.environment.as_str(),
            manifest: site.manifest.display().to_string(),
            identity: self.key.path.display().to_string(),
            new_identity: self.key.new,
            variables: survey.rows().into_iter().map(variable).collect(),
        }
    }

    /// The manifest, then what version control must not see: before the values, so that what is left after a crash is a
    /// matter of `strongroom resume` alone.
    fn write(&self, site: &Site) -> Result<()> {
        site.write(&self.text, self.ignored.as_deref())
    }
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    project: &'a str,
    environment: &'a str,
    manifest: String,
    identity: String,
    new_identity: bool,
    variables: Vec<Variable>,
}

#[derive(Serialize)]
struct Variable {
    address: String,
    kind: &'static str,
    lives_in: &'static str,
    reason: String,
    files: Vec<String>,
}

fn as_home(values: BTreeMap<Address, Secret>) -> Snapshot {
    let entries = values.into_iter().map(|(address, value)| (address, Entry::of(value))).collect();
    Snapshot { entries, ..Snapshot::default() }
}

/// Brings the values into home. One that home has already, from an earlier run or set since, is not overwritten.
fn fill(ctx: &Context, survey: &Survey) -> Result<()> {
    let values = survey.values();
    if values.is_empty() {
        return Ok(());
    }
    let held = ctx.read_home(&Wish::these(values.keys()))?.snapshot;
    let missing = values.into_iter().filter(|(address, _)| held.value(address).is_none());
    let desired: Desired = missing.map(|(address, value)| (address, Want::value(value))).collect();
    if !desired.is_empty() {
        ctx.change("init", &desired)?;
    }
    Ok(())
}

/// Renders each file from what is now on disk and compares.
fn prove_again(ctx: &Context, readings: &[Reading]) -> Result<()> {
    if readings.is_empty() {
        return Ok(());
    }
    let home = ctx.read_home(&Wish::all())?.snapshot;
    for reading in readings {
        match prove(&ctx.project()?.manifest, &ctx.environment()?.name, &home, reading) {
            Ok(()) => ctx.ui.note(&format!(
                "{}: rendered again, {} would be the same",
                reading.file,
                super::ui::plural(reading.variables.len(), "variable")
            )),
            Err(error) => {
                ctx.ui.warning(&format!("{error}; home holds other values, which were left as they are"));
            }
        }
    }
    Ok(())
}

fn next(new: &NewProject, readings: &[Reading]) -> String {
    let identity = if new.key.new {
        format!("\nkeep a copy of {}: nothing else opens the vault", new.key.path.display())
    } else {
        String::new()
    };
    match readings {
        [] => format!(
            "made: declare keys in {MANIFEST}, then `strongroom set KEY` stores a value and `strongroom render` writes the files{identity}"
        ),
        _ => format!(
            "made: look through {MANIFEST} and commit it with .strongroom; `strongroom render` writes the files from now on{identity}"
        ),
    }
}
