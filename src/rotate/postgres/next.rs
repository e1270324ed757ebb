//! What is next in a rotation of a login: a pure function of what was found.
//!
//! Owns every refusal and its text. Only a login that was refused with 28P01 leads to a new password for a slot.

use super::facts::{Chosen, Facts, Unfit, Works};
use super::{Allowed, Effect};
use crate::database::{Connected, Fence};
use crate::store::{ErrorKind, StoreError};

/// What is next, without the values.
#[derive(Debug)]
pub(super) enum Next {
    Choose,
    Act(Effect),
    /// Put the new password where copies will refer to it.
    Stage,
    Publish,
    Done,
    /// A person must act; what was begun can be gone on with.
    Person(StoreError),
    /// The same, and nothing is left to go on with.
    GiveUp(StoreError),
}

/// How often a server may say that it took a password that it then refuses.
const ATTEMPTS: usize = 2;

pub(super) fn next(facts: &Facts, allowed: &Allowed) -> Next {
    match &facts.chosen {
        None => refusal(facts, allowed).map_or(Next::Choose, Next::GiveUp),
        Some(chosen) => go_on(facts, chosen, allowed),
    }
}

fn go_on(facts: &Facts, chosen: &Chosen, allowed: &Allowed) -> Next {
    if let Some(fence) = overtaken(facts, chosen) {
        return Next::GiveUp(facts.fenced(fence));
    }
    if chosen.stranger {
        // One role alone: the app needs the password that the server takes, and only this operation has it.
        return match facts.active == facts.target && chosen.proof == Works::Yes {
            true => Next::Person(facts.stranded(chosen)),
            false => Next::GiveUp(facts.stranger()),
        };
    }
    if chosen.proof == Works::No {
        return match refusal(facts, allowed) {
            Some(refused) if chosen.altered == 0 => Next::GiveUp(refused),
            Some(refused) => Next::Person(refused),
            None if chosen.altered >= ATTEMPTS => Next::Person(facts.refused_after_all()),
            None if !chosen.staged => Next::Stage,
            None => Next::Act(Effect::Alter),
        };
    }
    if let Some(refused) = facts.urls_refused() {
        return Next::Person(refused);
    }
    if !chosen.staged {
        return Next::Stage;
    }
    let inside = !facts.idle.is_empty() && facts.active != facts.target;
    if allowed.compromised && inside && !chosen.published && !chosen.cleared {
        return Next::Act(Effect::Clear);
    }
    if !chosen.published {
        return Next::Publish;
    }
    if !allowed.compromised {
        return Next::Done;
    }
    if chosen.ended {
        return Next::Done;
    }
    // Whoever is in the old slot now may be there with a password that another one gave it.
    if let Some(fence) = later(&facts.fences.active, chosen.retire, &chosen.operation) {
        return Next::GiveUp(facts.retired_by(fence));
    }
    if facts.active != facts.target && before(&facts.fences.active, chosen.retire) {
        return Next::Act(Effect::Retire);
    }
    Next::Act(Effect::EndSessions)
}

/// Whether a fence stands before an epoch.
fn before(fence: &Option<Fence>, epoch: i64) -> bool {
    fence.as_ref().is_some_and(|fence| fence.epoch < epoch)
}

/// Who changed the slot after our values were chosen. A slot that takes our password was changed by nobody since.
fn overtaken<'f>(facts: &'f Facts, chosen: &Chosen) -> Option<&'f Fence> {
    let fence = later(&facts.fences.target, chosen.epoch, &chosen.operation)?;
    (chosen.proof == Works::No).then_some(fence)
}

/// The fence, where somebody else has it who came after this epoch.
fn later<'f>(fence: &'f Option<Fence>, epoch: i64, operation: &str) -> Option<&'f Fence> {
    let is_later =
        |fence: &&Fence| fence.epoch > epoch || (fence.epoch == epoch && fence.operation != operation);
    fence.as_ref().filter(is_later)
}

/// Why no password may be changed now.
fn refusal(facts: &Facts, allowed: &Allowed) -> Option<StoreError> {
    // What no set-up mends goes before what is missing of it.
    let hopeless = matches!(facts.unfit, Some(Unfit::ReadOnly | Unfit::ByToken(_) | Unfit::Master(_)));
    if !facts.unprepared.is_empty() && !hopeless {
        return Some(facts.unprepared(allowed));
    }
    if let Some(unfit) = &facts.unfit {
        return Some(facts.unfit(unfit));
    }
    if facts.home == Some(Works::No) {
        return Some(facts.home_refused());
    }
    if let Some(refused) = facts.urls_refused() {
        return Some(refused);
    }
    if facts.tears {
        return Some(facts.tearing(allowed));
    }
    if !facts.behind.is_empty() {
        return Some(facts.copies_behind());
    }
    // Who came in with a password that somebody may know is not kept in.
    if !facts.idle.is_empty() && !allowed.despite_sessions && !allowed.compromised {
        return Some(facts.in_use());
    }
    None
}

impl Facts {
    fn person(&self, message: impl Into<String>) -> StoreError {
        StoreError::new(ErrorKind::Person, self.location.clone(), message)
    }

    fn fenced(&self, fence: &Fence) -> StoreError {
        let message = format!(
            "operation {} has given `{}` another password since, or brought its old one back: nothing was changed",
            fence.operation, self.target
        );
        StoreError::new(ErrorKind::Conflict, self.location.clone(), message)
            .hint("home holds what that operation left; rotate again if another change is still wanted")
    }

    fn retired_by(&self, fence: &Fence) -> StoreError {
        let message = format!(
            "operation {} has given `{}` another password since: its sessions go on, and the new login is published",
            fence.operation, self.active
        );
        StoreError::new(ErrorKind::Conflict, self.location.clone(), message).hint(format!(
            "the old password is gone; sessions that are older than that end with `pg_terminate_backend`, or with the next \
             rotation of `{}`",
            self.active
        ))
    }

    fn stranger(&self) -> StoreError {
        let message = "home holds neither the login from before nor the new one: somebody changed it since";
        StoreError::new(ErrorKind::Conflict, self.location.clone(), message).hint(format!(
            "theirs stands; the new password of `{}` is in nobody's hands: rotate again to begin anew",
            self.target
        ))
    }

    fn stranded(&self, chosen: &Chosen) -> StoreError {
        let message = format!(
            "the server takes the new password of `{}` alone, and home holds neither that nor the one from before: somebody \
             changed it since",
            self.target
        );
        StoreError::new(ErrorKind::Person, self.location.clone(), message).hint(format!(
            "as master user ALTER ROLE \"{}\" PASSWORD to what home holds; or put the new one into home by other means: it is \
             sealed in `chosen.age` of operation {} (docs/recovery.md)",
            self.target, chosen.operation
        ))
    }

    pub(super) fn unfit(&self, unfit: &Unfit) -> StoreError {
        match unfit {
            Unfit::ReadOnly => self
                .person("it is read-only: a replica, or no longer the primary")
                .hint("let `host` name the writer: the cluster's endpoint, or after a failover the new primary"),
            Unfit::ByToken(role) => self
                .person(format!("`{role}` logs in with IAM tokens (rds_iam), and no password of it is ever looked at"))
                .hint(format!("nothing is to be rotated; or REVOKE rds_iam FROM {role}, if it shall have a password")),
            Unfit::Master(role) => self
                .person(format!("`{role}` is RDS's master user, whose password RDS itself keeps and may change"))
                .hint(
                    "give the app a role of its own and rotate that; the master's password is rotated by RDS: \
                     `kind = \"follow\"` brings along what it keeps in its own secret",
                ),
            Unfit::NotAllowed(role) => self
                .person(format!("the rotator may not change the password of `{role}`"))
                .hint("CREATEROLE; from PostgreSQL 16 on also ADMIN OPTION on it; on RDS rds_password where passwords are restricted"),
            Unfit::Expired(role) => self
                .person(format!("the time of the password of `{role}` is over (VALID UNTIL): a new one would be refused too"))
                .hint(format!("ALTER ROLE \"{role}\" VALID UNTIL 'infinity'")),
            Unfit::NoLogin(role) => {
                self.person(format!("`{role}` may not log in")).hint(format!("ALTER ROLE \"{role}\" LOGIN"))
            }
        }
    }

    fn unprepared(&self, allowed: &Allowed) -> StoreError {
        let missing: Vec<&str> = self.unprepared.iter().map(|statement| statement.sql.as_str()).collect();
        self.person(format!("it is not set up for this rotation; missing: {}", missing.join("; "))).hint(
            format!(
                "`strongroom rotate {} --setup` shows each statement with its reason, and asks",
                allowed.name
            ),
        )
    }

    pub(super) fn home_refused(&self) -> StoreError {
        let last = self.fences.active.as_ref().filter(|fence| !fence.operation.is_empty());
        let by = last.map_or(String::new(), |fence| {
            format!("; the last who changed its password was operation {}: `strongroom resume` where that was begun", fence.operation)
        });
        self.person(format!(
            "the login that home holds is refused (`{}`): the app cannot log in either",
            self.active
        ))
        .hint(format!("put the right password in home first{by}"))
    }

    fn urls_refused(&self) -> Option<StoreError> {
        let (address, why) = self.urls.first()?;
        let refused = self.person(format!("the URL cannot take the new login: {why}")).at(address);
        Some(
            refused.hint(
                "write it with this login, or derive it: `derive = \"postgres://{USER}:{PASSWORD}@…\"`",
            ),
        )
    }

    fn tearing(&self, allowed: &Allowed) -> StoreError {
        self.person(
            "a copy refers to the password at an address that this would overwrite: an instance that starts meanwhile \
             would get the old login name with the new password",
        )
        .hint(format!(
            "`strongroom rotate {} --setup` gives each login an address of its own; `strongroom sync` before that, if a \
             copy is behind home",
            allowed.name
        ))
    }

    fn copies_behind(&self) -> StoreError {
        let all: Vec<String> =
            self.behind.iter().map(|(place, address)| format!("{place} {address}")).collect();
        let message = format!(
            "these hold another login than home does, perhaps the one whose password would change: {}",
            all.join(", ")
        );
        StoreError::new(ErrorKind::Conflict, self.location.clone(), message).hint(
            "`strongroom status` shows what they hold; `strongroom sync` brings them home's login first",
        )
    }

    fn in_use(&self) -> StoreError {
        self.person(format!(
            "somebody still uses `{}`, whose password would change: {}",
            self.target,
            listed(&self.idle)
        ))
        .hint(
            "find out which holder of the old login that is and bring it the present one; with `--despite-sessions` \
             its open sessions go on, and its next login fails",
        )
    }

    fn refused_after_all(&self) -> StoreError {
        self.person(format!("the server took the new password of `{}` and refuses it in a login", self.target))
            .hint("does the login reach the same server as the change? A pooler keeps passwords of its own: name the server itself")
    }
}

/// Whoever is connected, for people.
pub(super) fn listed(connected: &[Connected]) -> String {
    let one = |Connected { address, application, sessions }: &Connected| {
        let from = address.as_deref().unwrap_or("an address that the rotator may not see");
        let application = if application.is_empty() { String::new() } else { format!(" ({application})") };
        format!("{sessions} from {from}{application}")
    };
    const MOST: usize = 8;
    let mut all: Vec<String> = connected.iter().take(MOST).map(one).collect();
    if connected.len() > MOST {
        all.push(format!("{} more", connected.len() - MOST));
    }
    all.join(", ")
}

#[cfg(test)]
mod tests;
