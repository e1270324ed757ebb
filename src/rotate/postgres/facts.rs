//! What is really so about a login: who logs in, what the fences say, who is still in the idle slot.
//!
//! Owns the questions and their order. A login over a connection of its own is the only proof of a password, and a
//! failure that proves nothing is an error. It changes nothing and decides nothing.

use super::super::{Holders, Values, wanted};
use super::target::{Login, Proof, Target};
use super::{Postgres, url};
use crate::database::{
    self, Connected, DatabaseError, Fence, Need, Role, Session, Slots, Statement, fence, privileges,
    role_facts,
};
use crate::journal::{Acted, Operation};
use crate::manifest::Strategy;
use crate::name::Address;
use crate::plan::Place;
use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use std::collections::BTreeMap;

/// What a probe found.
pub struct Facts {
    pub(super) location: String,
    /// The role whose tables they are.
    pub(super) owner: Role,
    /// The slot that was in use when values were chosen, or is now.
    pub(super) active: Role,
    /// The slot that gets the new password.
    pub(super) target: Role,
    pub(super) fences: Fences,
    /// What is missing of the set-up.
    pub(super) unprepared: Vec<Statement>,
    /// Why the server's roles cannot be rotated at all.
    pub(super) unfit: Option<Unfit>,
    /// Whether what home holds logs in; `None` where that was not asked.
    pub(super) home: Option<Works>,
    /// The sessions of the slot that gets the new password.
    pub(super) idle: Vec<Connected>,
    /// The URLs that cannot take the new login, and why.
    pub(super) urls: Vec<(Address, String)>,
    /// What is so about the values that were chosen.
    pub(super) chosen: Option<Chosen>,
    /// Whether a copy refers to a password that would be overwritten under its instances.
    pub(super) tears: bool,
    /// Copies that hold another login than home: perhaps the one that would change.
    pub(super) behind: Vec<(Place, Address)>,
    /// What marks the password that home has now, without telling it.
    pub(super) mark: String,
}

/// The fences of the two slots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fences {
    pub(super) target: Option<Fence>,
    pub(super) active: Option<Fence>,
}

/// Whether a login works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Works {
    Yes,
    No,
}

/// Why a server's roles cannot be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    ReadOnly,
    ByToken(Role),
    Master(Role),
    NotAllowed(Role),
    Expired(Role),
    NoLogin(Role),
}

/// What is so about chosen values.
pub(super) struct Chosen {
    pub(super) epoch: i64,
    pub(super) retire: i64,
    pub(super) operation: String,
    pub(super) login: Login,
    /// Whether the target's slot takes the new password.
    pub(super) proof: Works,
    /// Whether home holds neither the old login nor the new one.
    pub(super) stranger: bool,
    /// What every holder gets.
    pub(super) values: Values,
    pub(super) published: bool,
    /// Whether the new password is where copies will refer to it, before the server knows it.
    pub(super) staged: bool,
    /// Where that is; none where no copy refers to it.
    pub(super) stage: Option<Address>,
    /// How often the server said that it took the new password.
    pub(super) altered: usize,
    /// Whether the old slot's sessions were ended.
    pub(super) ended: bool,
    /// Whether the sessions of the slot that gets the new password were ended.
    pub(super) cleared: bool,
}

/// The names under which facts are journaled with the values.
pub(super) const OWNER: &str = "owner";
pub(super) const ACTIVE: &str = "active";
pub(super) const SLOT: &str = "slot";
pub(super) const EPOCH: &str = "epoch";
pub(super) const RETIRE: &str = "retire-epoch";
pub(super) const WAS: &str = "was";

/// The effects, as the journal names them.
pub(super) const ALTER: &str = "alter";
pub(super) const RETIRE_OLD: &str = "retire";
pub(super) const END: &str = "end-sessions";
pub(super) const CLEAR: &str = "clear-slot";

/// What became of a change that the server committed.
pub(super) const ALTERED: &str = "altered";

/// What became of sessions that were ended, after their number.
pub(super) const ENDED: &str = "ended";

/// Whether an operation gave a login a new password, or was to.
pub fn is_of_login(operation: &Operation) -> bool {
    operation.facts().contains_key(SLOT)
}

fn has_ended(acted: &Acted) -> bool {
    acted.outcome.as_ref().is_some_and(|(is, _)| is.ends_with(ENDED))
}

/// The roles of a rotation, by what home has now.
pub(super) struct Roles {
    pub(super) owner: Role,
    pub(super) active: Role,
    pub(super) target: Role,
}

impl Postgres {
    /// Looks before anything is chosen: also without an operation, for a plan.
    pub(super) async fn look(
        &self,
        target: &Target,
        holders: &Holders<'_>,
        mark: String,
    ) -> Result<Facts, StoreError> {
        let session = target.rotator().await?;
        let roles = self.roles(target, &session).await?;
        let mut facts = Facts::about(target, roles, mark);
        let slots = self.slots(&facts.owner, target)?;
        let missing =
            database::missing(&session, &slots).await.map_err(|error| target.setup_failed(error))?;
        facts.unprepared = missing.into_iter().filter(|statement| statement.need != Need::Nothing).collect();
        facts.unfit = unfit(target, &session, &facts).await?;
        if facts.unprepared.is_empty() && facts.unfit.is_none() {
            facts.ask(self, target, &session).await?;
        }
        session.close().await;
        facts.home = Some(target.prove(&target.app).await?.into());
        // One login alone is down for a while in any case.
        facts.tears = self.spec.strategy == Strategy::Alternating
            && !holders.refer_to_slots(&self.spec.password).await?;
        facts.urls = unfit_urls(target, |role, is| *role == facts.active && is.same_as(&target.app.password));
        facts.behind = holders.behind(&self.login_addresses()).await?;
        Ok(facts)
    }

    /// Looks at what is so about the values of an operation.
    pub(super) async fn look_again(
        &self,
        target: &Target,
        operation: &Operation,
        holders: &Holders<'_>,
        values: &Values,
    ) -> Result<Facts, StoreError> {
        let known = Known::of(operation, values, &self.spec.password, target)?;
        let session = target.rotator().await?;
        let roles = Roles { owner: known.owner, active: known.active, target: known.login.role.clone() };
        let mark = target.app.password.fingerprint(operation.key()).to_string();
        let mut facts = Facts::about(target, roles, mark);
        facts.ask(self, target, &session).await?;
        let (app, new) = (&target.app, &known.login);
        let is_old = |password: &Secret| password.fingerprint(operation.key()).to_string() == known.was;
        let is_new = |password: &Secret| password.same_as(&new.password);
        let proof = match target.prove(new).await? {
            Proof::Right(identity) if identity.current_user != facts.owner.as_str() => {
                return Err(acts_otherwise(target, &facts));
            }
            proof => Works::from(proof),
        };
        if proof == Works::No {
            facts.unfit = unfit(target, &session, &facts).await?;
            // A slot that alternates: whoever is in it now would be locked out by a new password.
            facts.home = Some(target.prove(app).await?.into());
            facts.behind = holders.behind(&self.login_addresses()).await?;
        }
        session.close().await;
        let ours = |role: &Role| *role == facts.active || *role == new.role;
        let stranger = !ours(&app.role) || !(is_old(&app.password) || is_new(&app.password));
        let held = |role: &Role, is: &Secret| ours(role) && (is_old(is) || is_new(is));
        facts.urls = unfit_urls(target, held);
        let values = self.values(target, new);
        let published = proof == Works::Yes && !stranger && holders.have(&wanted(&values)).await?;
        let altered = |acted: &&Acted| {
            acted.effect == ALTER && acted.outcome.as_ref().is_some_and(|(is, _)| is == ALTERED)
        };
        facts.chosen = Some(Chosen {
            epoch: known.epoch,
            retire: known.retire,
            operation: operation.id().to_string(),
            proof,
            stranger,
            values,
            published,
            altered: operation.acted().iter().filter(altered).count(),
            ended: operation.acted().iter().any(|acted| acted.effect == END && has_ended(acted)),
            cleared: operation.acted().iter().any(|acted| acted.effect == CLEAR && has_ended(acted)),
            staged: target.slot(&new.role, &facts.owner).is_none_or(|slot| slot.holds(&new.password)),
            stage: target.slot(&new.role, &facts.owner).map(|slot| slot.address.clone()),
            login: known.login,
        });
        Ok(facts)
    }

    fn login_addresses(&self) -> Vec<Address> {
        [&self.spec.user, &self.spec.password].into_iter().chain(&self.spec.urls).cloned().collect()
    }

    /// Which roles there are, by the login that home has: the owner, or the one that acts as it.
    pub(super) async fn roles(&self, target: &Target, session: &Session) -> Result<Roles, StoreError> {
        let active = target.app.role.clone();
        if self.spec.strategy == Strategy::Single {
            return Ok(Roles { owner: active.clone(), target: active.clone(), active });
        }
        let facts = role_facts(session, &active).await.map_err(|error| target.failed(error))?;
        let acts_as = facts.and_then(|facts| facts.acts_as).and_then(|name| Role::parse(&name).ok());
        match acts_as.filter(|owner| owner.other_slot().is_ok_and(|other| other == active)) {
            Some(owner) => Ok(Roles { target: owner.clone(), owner, active }),
            None => {
                let other = active.other_slot().map_err(|error| {
                    target.error(ErrorKind::Invalid, "the other slot's name would be too long").because(error)
                })?;
                Ok(Roles { owner: active.clone(), target: other, active })
            }
        }
    }

    pub(super) fn slots(&self, owner: &Role, target: &Target) -> Result<Slots, StoreError> {
        let rotator = target.rotator.role.clone();
        match self.spec.strategy {
            Strategy::Single => Ok(Slots::alone(owner.clone(), rotator)),
            Strategy::Alternating => Slots::of(owner.clone(), rotator).map_err(|error| {
                target.error(ErrorKind::Invalid, "the other slot's name would be too long").because(error)
            }),
        }
    }

    /// What holders get for a login.
    pub(super) fn values(&self, target: &Target, login: &Login) -> Values {
        let user = Secret::new(login.role.to_string()).expect("a role's name has no control character");
        let mut values = Values::from([(self.spec.password.clone(), login.password.clone())]);
        for (address, held) in &target.urls {
            if let Ok(new) = url::with_login(held, &user, &login.password) {
                values.insert(address.clone(), new);
            }
        }
        if self.spec.strategy == Strategy::Alternating {
            values.insert(self.spec.user.clone(), user);
        }
        values
    }
}

impl Facts {
    pub(super) fn about(target: &Target, roles: Roles, mark: String) -> Facts {
        Facts {
            location: target.location(),
            owner: roles.owner,
            active: roles.active,
            target: roles.target,
            fences: Fences::default(),
            unprepared: Vec::new(),
            unfit: None,
            home: None,
            idle: Vec::new(),
            urls: Vec::new(),
            chosen: None,
            tears: false,
            behind: Vec::new(),
            mark,
        }
    }

    /// The fences, and who is in the slot that gets the new password.
    async fn ask(
        &mut self,
        rotation: &Postgres,
        target: &Target,
        session: &Session,
    ) -> Result<(), StoreError> {
        let failed = |error: DatabaseError| target.failed(error);
        self.fences = Fences {
            target: Some(fence(session, &self.target).await.map_err(failed)?),
            active: Some(fence(session, &self.active).await.map_err(failed)?),
        };
        if rotation.spec.strategy == Strategy::Alternating {
            self.idle = database::sessions(session, &self.target).await.map_err(failed)?;
            // A proof of ours that the server has not quite let go.
            self.idle.retain(|connected| connected.application != database::APPLICATION);
        }
        Ok(())
    }

    /// What is journaled with the values, by which a resume finds the same slot and a sleeper is refused.
    pub(super) fn to_journal(&self) -> BTreeMap<String, String> {
        let next = |fence: &Option<Fence>| fence.as_ref().map_or(1, |fence| fence.epoch + 1).to_string();
        let facts = [
            (OWNER, self.owner.to_string()),
            (ACTIVE, self.active.to_string()),
            (SLOT, self.target.to_string()),
            (EPOCH, next(&self.fences.target)),
            (RETIRE, next(&self.fences.active)),
            (WAS, self.mark.clone()),
        ];
        facts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
    }
}

/// What the journal says of chosen values.
struct Known {
    owner: Role,
    active: Role,
    login: Login,
    epoch: i64,
    retire: i64,
    was: String,
}

impl Known {
    fn of(
        operation: &Operation,
        values: &Values,
        password: &Address,
        target: &Target,
    ) -> Result<Known, StoreError> {
        let read = || {
            let fact = |name: &str| operation.facts().get(name);
            let role = |name: &str| Role::parse(fact(name)?).ok();
            let epoch = |name: &str| fact(name)?.parse().ok();
            Some(Known {
                owner: role(OWNER)?,
                active: role(ACTIVE)?,
                login: Login { role: role(SLOT)?, password: values.get(password)?.clone() },
                epoch: epoch(EPOCH)?,
                retire: epoch(RETIRE)?,
                was: fact(WAS)?.clone(),
            })
        };
        read().ok_or_else(|| {
            let message = format!("operation {} does not say what it chose", operation.id());
            target.error(ErrorKind::Damaged, message)
        })
    }
}

impl From<Proof> for Works {
    fn from(proof: Proof) -> Works {
        match proof {
            Proof::Right(_) => Works::Yes,
            Proof::Wrong => Works::No,
        }
    }
}

/// What stands in the way of any change, told before one is tried.
pub(super) async fn unfit(
    target: &Target,
    session: &Session,
    facts: &Facts,
) -> Result<Option<Unfit>, StoreError> {
    let failed = |error: DatabaseError| target.failed(error);
    if database::identity(session).await.map_err(failed)?.read_only {
        return Ok(Some(Unfit::ReadOnly));
    }
    for role in [&facts.owner, &facts.target] {
        let Some(known) = role_facts(session, role).await.map_err(failed)? else { continue };
        let may = privileges(session, role).await.map_err(failed)?;
        let rds = may.rds.as_ref();
        let found = match () {
            () if rds.is_some_and(|rds| rds.by_token) => Unfit::ByToken(role.clone()),
            () if rds.is_some_and(|rds| rds.master) => Unfit::Master(role.clone()),
            () if !may.may_alter => Unfit::NotAllowed(role.clone()),
            () if *role == facts.target && known.expired => Unfit::Expired(role.clone()),
            () if *role == facts.target && !known.login => Unfit::NoLogin(role.clone()),
            () => continue,
        };
        return Ok(Some(found));
    }
    Ok(None)
}

fn unfit_urls(target: &Target, held: impl Fn(&Role, &Secret) -> bool) -> Vec<(Address, String)> {
    let mut unfit = Vec::new();
    for (address, text) in &target.urls {
        match url::login_of(text) {
            Err(why) => unfit.push((address.clone(), why.to_string())),
            Ok(login) => {
                let role = Role::parse(&login.user).ok();
                if !role.is_some_and(|role| login.has_password(|password| held(&role, password))) {
                    unfit.push((
                        address.clone(),
                        "it holds another login than the one that is rotated".to_owned(),
                    ));
                }
            }
        }
    }
    unfit
}

fn acts_otherwise(target: &Target, facts: &Facts) -> StoreError {
    let message = format!("`{}` logs in, and does not act as `{}`", facts.target, facts.owner);
    target.error(ErrorKind::Person, message).hint(format!(
        "let the master user run: ALTER ROLE \"{}\" SET role = '{}'; a setting for the database, or of a pooler, may stand in its way",
        facts.target, facts.owner
    ))
}
