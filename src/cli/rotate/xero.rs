//! Rotations of Xero's tokens: each login is an operation of its own, so that one that needs a person is in nobody's way.
//!
//! Owns which logins are meant, what is told of them before, and that a login which an earlier run has left midway is gone
//! on with. Their turns are in `turns`.

mod turns;

use super::super::context::{Context, variable};
use super::super::operations::{self, moment};
use super::super::reading::{Held as Everything, Wish};
use super::super::report::{Exit, Stop};
use super::super::ui::{plural, shown};
use super::show;
use super::story::{Sketch, Story};
use crate::desired::needed_to_follow;
use crate::journal::Summary;
use crate::manifest::{Place, RotationKind, RotationSpec, Selection, UnknownName, XeroSpec};
use crate::name::{Address, Instance};
use crate::plan::{Desired, Want};
use crate::rotate::xero::{self, Held, Remains, Word, XeroLogin};
use crate::rotate::{self, Age, Foreseen, Holders};
use crate::secret::Secret;
use crate::store::{Home, OperationId};
use crate::web::Patience;
use crate::xero::{Spelling, UNUSED, Xero};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

/// From this age on a refresh token is worth a warning.
const NEAR: SignedDuration = SignedDuration::from_hours(24 * 45);

/// What is done for every login alike.
struct Run<'a> {
    story: &'a Story<'a>,
    spec: &'a XeroSpec,
    /// Whether nothing else hangs on the tokens.
    alone: bool,
    all: Everything,
    past: Box<dyn Home>,
    enough: Option<SignedDuration>,
    tell: Box<dyn Fn(Word) + Send + Sync>,
}

/// One login, and what home holds of it.
struct Login {
    /// The instance that names its operation.
    first: Instance,
    instances: Vec<Instance>,
    held: BTreeMap<Instance, Held>,
    /// What an earlier run has left midway.
    midway: Option<Summary>,
}

pub(super) fn begin(story: &Story<'_>, spec: &XeroSpec) -> Result<Exit> {
    let run = Run::new(story, spec)?;
    let (logins, without) = run.logins()?;
    let mut meant = Vec::new();
    for login in logins {
        if !run.has_enough(&login)? {
            meant.push(login);
        }
    }
    for instance in &without {
        run.warn_of_none(instance);
    }
    if meant.is_empty() && without.is_empty() && run.all.instances.get(&spec.group).is_none_or(Vec::is_empty)
    {
        show::nothing(story.ctx, &story.command(), &format!("`{}` has no instances yet", spec.group))?;
    }
    // Who asks every night for what is due or about to end asks for no login that never was.
    let asks_for_all = !story.args.due && story.args.if_expiring.is_none();
    let exit = if without.is_empty() || !asks_for_all { Exit::Done } else { Exit::Person };
    if meant.is_empty() {
        return Ok(exit);
    }
    let foreseen = run.show(&meant)?;
    if story.ctx.dry_run() {
        story.ctx.ui.note("dry run: nothing was changed");
        for (login, foreseen) in meant.iter().zip(&foreseen) {
            show::document(story.ctx, &run.command(login), foreseen, None)?;
        }
        return Ok(exit);
    }
    let environment = story.ctx.environment()?;
    let question = format!("Refresh {} in `{}`?", plural(meant.len(), "login"), environment.name);
    story.ctx.ui.approve(&question, environment.protected.then_some(&environment.name))?;
    run.all_of(&meant, &foreseen, exit)
}

pub(super) fn go_on(story: &Story<'_>, spec: &XeroSpec, which: (&OperationId, bool)) -> Result<Exit> {
    let run = Run::new(story, spec)?;
    let found = match run.begun_by(which.0)? {
        Some(login) => Some(login),
        None => match run.logins() {
            Err(error) if error.is::<UnknownName>() => None,
            found => found?.0.into_iter().next(),
        },
    };
    let Some(mut login) = found else {
        let message = format!("{}: home holds no {} of it any more", story.command(), spec.refresh_token);
        let hint = format!("`strongroom undo {}` says what would be given up, and forgets it", which.0);
        return Err(Stop::new(Exit::Failed, message).hint(hint).into());
    };
    login.first = story.instance.clone().unwrap_or(login.first);
    let rotation = run.rotation(&login)?;
    let done = story.go_on_with(&rotation, &run.all, &run.holders()?, which);
    done.map_err(|error| run.explained(&rotation, error))
}

/// How long a token is to live on: minutes too.
pub(super) fn life(text: &str) -> Result<Duration, String> {
    let minutes =
        |text: &str| text.strip_suffix('m')?.parse().ok().map(|count: u32| Duration::from_secs(60) * count);
    let life = minutes(text).or_else(|| crate::manifest::duration(text));
    life.ok_or_else(|| "such as 10m, 2h or 1d".to_owned())
}

/// Refuses where an operation stopped midway, but for a login that whoever rotates it goes on with.
pub(super) fn none_else_midway(ctx: &Context, named: Option<&str>) -> Result<()> {
    let is_meant = |spec: &&RotationSpec| match named {
        Some(name) => name.split('/').next() == Some(&*spec.name),
        None => spec.every.is_some(),
    };
    let logins = ctx.project()?.manifest.rotations();
    let logins = logins.filter(|spec| matches!(spec.kind, RotationKind::Xero(_)));
    let logins: Vec<&RotationSpec> = logins.filter(is_meant).collect();
    operations::none_midway_but(ctx, |one| logins.iter().any(|spec| is_of(&spec.name, one)))
}

/// Whether an operation is one of a rotation of this name.
fn is_of(name: &str, summary: &Summary) -> bool {
    first_of(name, summary).is_some()
}

/// The instance that an operation of a rotation of this name is named by.
fn first_of(name: &str, summary: &Summary) -> Option<Instance> {
    let rest = summary.command.strip_prefix("rotate ")?.strip_prefix(name)?.strip_prefix('/')?;
    Instance::parse(rest).ok()
}

impl<'a> Run<'a> {
    fn new(story: &'a Story<'a>, spec: &'a XeroSpec) -> Result<Run<'a>> {
        let ctx = story.ctx;
        let xero = Xero { token_url: &spec.token_url, api_url: &spec.api_url, patience: Patience::default() };
        xero.check().map_err(|error| {
            let (file, line) =
                (ctx.project().map(|project| project.manifest.file().to_owned()), story.spec.line);
            let place = file.map(|file| format!("{file}:{line}: ")).unwrap_or_default();
            Stop::new(Exit::Manifest, format!("{place}`{}` cannot be asked", story.spec.name))
                .hint(error.advice())
                .because(error)
        })?;
        let ui = ctx.ui.clone();
        let tell = Box::new(move |word| match word {
            Word::Note(text) => ui.note(&shown(&text)),
            Word::Warning(text) => ui.warning(&shown(&text)),
        });
        let enough = story.args.if_expiring.and_then(|life| SignedDuration::try_from(life).ok());
        let alone = is_alone(ctx, spec)?;
        let selection = Selection { groups: Some(vec![spec.group.clone()]), ..Selection::default() };
        let all = if alone { ctx.read_home(&Wish::selections([&selection]))? } else { story.held()? };
        Ok(Run { story, spec, alone, all, past: ctx.home()?, enough, tell })
    }

    fn holders(&self) -> Result<Holders<'_>> {
        let holders = self.story.holders(&self.all.instances)?;
        Ok(match self.alone {
            true => Holders { alone: Some(&self.spec.group), copies: Vec::new(), ..holders },
            false => holders,
        })
    }

    /// The logins that are meant, and the instances that have none.
    fn logins(&self) -> Result<(Vec<Login>, Vec<Instance>)> {
        let (ctx, group) = (self.story.ctx, &self.spec.group);
        let known = ctx.project()?.manifest.instances_of(group, &self.all.instances);
        let mut held = xero::held(&self.all.snapshot, self.spec, &known);
        let named = self.story.instance.as_ref();
        if let Some(name) = named.filter(|name| !known.contains(name)) {
            let valid = known.iter().map(Instance::as_str);
            return Err(UnknownName::of(&format!("instance of `{group}`"), name.as_str(), valid).into());
        }
        let meant = |name: &Instance| named.is_none_or(|named| named == name);
        let without: Vec<Instance> = held
            .iter()
            .filter(|(name, held)| held.refresh.is_none() && meant(name))
            .map(|(name, _)| name.clone())
            .collect();
        held.retain(|_, held| held.refresh.is_some());
        let open = self.midway(&held)?;
        let logins = xero::logins(&held).into_iter().filter(|instances| instances.iter().any(meant));
        let logins = logins.map(|instances| {
            let midway = open.iter().find(|(about, _)| instances.iter().any(|name| about.contains(name)));
            let midway = midway.map(|(_, one)| one);
            let held = held.iter().filter(|(name, _)| instances.contains(name));
            let held = held.map(|(name, held)| (name.clone(), held.clone())).collect();
            // What was begun keeps the name that it has in home.
            let first = midway.and_then(|one| first_of(&self.story.spec.name, one));
            let first = first.unwrap_or_else(|| instances[0].clone());
            Login { first, instances, held, midway: midway.cloned() }
        });
        Ok((logins.collect(), without))
    }

    /// The login that an operation has begun with, by what home holds of it still: the instance that names the operation may be
    /// deleted, or of another login.
    fn begun_by(&self, id: &OperationId) -> Result<Option<Login>> {
        let remains = Remains::of(&self.story.ctx.journal()?.open(id)?)?;
        let (Some(remains), Some(first)) = (remains, self.story.instance.clone()) else { return Ok(None) };
        let mut held = xero::held(&self.all.snapshot, self.spec, &remains.instances);
        held.retain(|_, held| held.refresh.is_some());
        let instances: Vec<Instance> = held.keys().cloned().collect();
        Ok((!instances.is_empty()).then_some(Login { first, instances, held, midway: None }))
    }

    /// What earlier runs have left midway, each with the instances that it is about.
    fn midway(&self, held: &BTreeMap<Instance, Held>) -> Result<Vec<(BTreeSet<Instance>, Summary)>> {
        let (ctx, name) = (self.story.ctx, &self.story.spec.name);
        let open = operations::all_midway(ctx, |one| is_of(name, one))?;
        let about = |one: Summary| {
            let remains = Remains::of(&ctx.journal()?.open(&one.id)?)?;
            let mut about = remains.map(|remains| remains.members(held)).unwrap_or_default();
            if about.is_empty() {
                about.extend(first_of(name, &one));
            }
            Ok((about, one))
        };
        open.into_iter().map(about).collect()
    }

    fn rotation<'r>(&'r self, login: &Login) -> Result<XeroLogin<'r>> {
        let ctx = self.story.ctx;
        let environment = ctx.environment()?;
        let pace = variable("STRONGROOM_POLL_INTERVAL_MS").map(|_| ctx.poll_interval()).transpose()?;
        Ok(XeroLogin {
            spec: self.spec,
            first: login.first.clone(),
            instances: login.instances.clone(),
            past: self.past.as_ref(),
            recorded: environment.home.keeps_records(),
            enough: self.enough,
            pace: pace.and_then(|pace| SignedDuration::try_from(pace).ok()),
            hurries: false,
            by: ctx.whoami(),
            rotation: self.story.spec.name.clone(),
            command: format!("strongroom -e {} xero", environment.name),
            learned: Mutex::default(),
            tell: &*self.tell,
        })
    }

    fn command(&self, login: &Login) -> String {
        format!("rotate {}/{}", self.story.spec.name, login.first)
    }

    /// What a login is called: its instances.
    fn name(&self, login: &Login) -> String {
        self.named(&login.instances)
    }

    fn named(&self, instances: &[Instance]) -> String {
        let names: Vec<String> = instances.iter().map(|name| format!("{}/{name}", self.spec.group)).collect();
        names.join(" and ")
    }

    /// Whether a login needs nothing now, by what was asked for; that is told.
    fn has_enough(&self, login: &Login) -> Result<bool> {
        if login.midway.is_some() {
            return Ok(false);
        }
        let (story, now, command) = (self.story, (self.story.ctx.clock())(), self.command(login));
        if let Some(most) = story.if_older {
            let age = self.age(login);
            if !age.is_over(most, now) {
                show::not_yet(story.ctx, &command, age)?;
                self.warn_of_age(login, now);
                return Ok(true);
            }
        }
        let ends: Option<Vec<Timestamp>> = login.held.values().map(Held::ends).collect();
        let ends = ends.and_then(|all| all.into_iter().min());
        let lives = ends.filter(|ends| self.enough.is_some_and(|life| ends.duration_since(now) > life));
        if let Some(ends) = lives {
            show::nothing(story.ctx, &command, &format!("good until {}", moment(ends)))?;
            self.warn_of_age(login, now);
        }
        Ok(lives.is_some())
    }

    fn age(&self, login: &Login) -> Age {
        let addresses = login.instances.iter().map(|name| self.address(name, &self.spec.refresh_token));
        let addresses: Vec<Address> = addresses.collect();
        rotate::age(&self.all.snapshot, &addresses)
    }

    fn address(&self, instance: &Instance, key: &crate::name::Key) -> Address {
        Address::in_instance(self.spec.group.clone(), instance.clone(), key.clone())
    }

    fn warn_of_none(&self, instance: &Instance) {
        self.story.ctx.ui.warning(&format!(
            "{}/{instance} has no {}: `strongroom xero login {}/{instance}` authorises it",
            self.spec.group, self.spec.refresh_token, self.story.spec.name
        ));
    }

    /// A token that nobody uses for 60 days is lost.
    fn warn_of_age(&self, login: &Login, now: Timestamp) {
        let Age::Since(written) = self.age(login) else { return };
        let age = now.duration_since(written);
        if age >= NEAR {
            let left = (UNUSED - age).as_hours().max(0) / 24;
            self.story.ctx.ui.warning(&format!(
                "{}: the refresh token was not renewed for {} days and ends in {left} days: `strongroom {}`",
                self.name(login),
                age.as_hours() / 24,
                self.command(login)
            ));
        }
    }

    /// Shows what will happen, with what follows from it.
    fn show(&self, meant: &[Login]) -> Result<Vec<Foreseen>> {
        let ctx = self.story.ctx;
        let holders = self.holders()?;
        let now = (ctx.clock())();
        let (mut sketch, mut foreseen, mut all) = (empty(), Vec::new(), Desired::new());
        for login in meant {
            let desired = self.desired(login);
            let ends = login.held.values().filter_map(Held::ends).min();
            for (name, held) in &login.held {
                let mut detail = |key, text: String| sketch.details.push((self.address(name, key), text));
                detail(&self.spec.refresh_token, "the next one from Xero".to_owned());
                detail(&self.spec.access_token, "the one that comes with it".to_owned());
                let odd = held
                    .expires
                    .as_ref()
                    .filter(|text| Spelling::read(text.expose(), held.claims().expires).is_none());
                if odd.is_some() {
                    sketch.notes.push(format!(
                        "{}/{name}: {} is written in no way that is known here: it gets RFC 3339, which its app must read",
                        self.spec.group, self.spec.token_expires_at
                    ));
                }
                let until = ends.map(|ends| format!("; now {}", moment(ends))).unwrap_or_default();
                detail(&self.spec.token_expires_at, format!("its end{until}"));
            }
            if login.instances.len() > 1 {
                let names: Vec<&str> = login.instances.iter().map(Instance::as_str).collect();
                sketch.notes.push(format!(
                    "instances {} share one Xero login: it is refreshed once, and all of them get it",
                    names.join(" and ")
                ));
            }
            if let Some(open) = &login.midway {
                sketch.notes.push(format!("{}: operation {} is gone on with", self.name(login), open.id));
            }
            foreseen.push(holders.foresee(&self.all.snapshot, &desired)?);
            all.extend(desired);
            self.warn_of_age(login, now);
        }
        sketch.notes.push("what Xero takes back for it cannot be undone".to_owned());
        let command = match meant {
            [one] => self.command(one),
            _ => self.story.command(),
        };
        let whole = holders.foresee(&self.all.snapshot, &all)?;
        ctx.ui.show(&show::text(ctx, &command, &sketch, &whole)?);
        Ok(foreseen)
    }

    /// What home will hold otherwise, with values that stand for those that Xero chooses.
    fn desired(&self, login: &Login) -> Desired {
        let stand_in = || Want::value(Secret::new("-".to_owned()).expect("it has no NUL"));
        let keys = [&self.spec.refresh_token, &self.spec.access_token, &self.spec.token_expires_at];
        let of = |name: &Instance| keys.map(|key| (self.address(name, key), stand_in()));
        login.instances.iter().flat_map(of).collect()
    }
}

/// Whether no copy gets the tokens, and nothing is derived from them.
fn is_alone(ctx: &Context, spec: &XeroSpec) -> Result<bool> {
    let (manifest, environment) = (&ctx.project()?.manifest, ctx.environment()?);
    // What hangs on one instance hangs on all of them alike.
    let any = Instance::parse("1")?;
    let keys = [&spec.refresh_token, &spec.access_token, &spec.token_expires_at];
    let keys = keys.map(|key| Address::in_instance(spec.group.clone(), any.clone(), key.clone()));
    let reaches = manifest.group(spec.group.as_str())?.reaches_environments();
    let taken = ctx.copies()?.iter().any(|copy| keys.iter().any(|key| copy.selection.takes(key)));
    let follows = !needed_to_follow(manifest, &environment.name, &keys.into()).is_empty();
    let is_copy = matches!(environment.home, Place::Beanstalk { .. });
    let hangs = is_copy || follows || (reaches && taken);
    Ok(!hangs)
}

fn empty() -> Sketch {
    Sketch { desired: Desired::new(), details: Vec::new(), notes: Vec::new() }
}
