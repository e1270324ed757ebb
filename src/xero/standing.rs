//! How a connection stands, by what home holds of it: how long its tokens live, and what is wrong.
//!
//! Owns the 60 days after which an unused refresh token ends, and the day from which that is worth a warning. It asks
//! nobody and reads no clock.

use super::{Claims, Parts, Spelling};
use crate::name::Address;
use crate::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};

/// How long an access token lives.
pub const ACCESS: SignedDuration = SignedDuration::from_mins(30);
/// How long a refresh token lives that nobody uses.
pub const UNUSED: SignedDuration = SignedDuration::from_hours(60 * 24);
/// How old a refresh token may be without a word.
const QUIET: SignedDuration = SignedDuration::from_hours(45 * 24);
/// How much later than the token itself the time may be that an app wrote: it adds the life to its own clock.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// How a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What home holds nothing of.
    pub missing: Vec<Address>,
    /// When the access token ends, as whoever uses it believes.
    pub access_ends: Option<Timestamp>,
    /// When the refresh token was written, where home keeps dates; else when the access token beside it was given.
    pub refreshed: Option<Timestamp>,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
}

/// What is wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Nobody ever logged in, or the refresh token was removed.
    NoLogin,
    /// Parts are missing.
    Missing(Vec<Address>),
    /// The refresh token was not used for 60 days.
    Ended,
    /// It will soon have been.
    EndsSoon {
        /// How long is left.
        left: SignedDuration,
    },
    /// `token_expires_at` is no time that is known.
    NoTime,
    /// `token_expires_at` says that the access token lives longer than it does.
    LaterThanItself,
}

impl Standing {
    /// By what home holds.
    pub fn of(parts: &Parts, home: &Snapshot, now: Timestamp) -> Standing {
        let holds = |address: &Address| home.value(address).is_some_and(|value| !value.is_empty());
        let missing: Vec<Address> =
            parts.all().into_iter().filter(|address| !holds(address)).cloned().collect();
        let claims = home.value(&parts.access_token).map(Claims::of).unwrap_or_default();
        let written = home.value(&parts.token_expires_at).filter(|text| !text.is_empty());
        let access_ends = written.and_then(|text| Spelling::read(text.expose(), claims.expires));
        let access_ends = access_ends.map(|(_, at)| at);
        let refreshed = home.entries.get(&parts.refresh_token);
        let refreshed = refreshed.and_then(|entry| entry.modified.or(claims.issued));

        let mut problems = Vec::new();
        if missing.contains(&parts.refresh_token) {
            problems.push(Problem::NoLogin);
        } else if let Some(at) = refreshed {
            let age = now.duration_since(at);
            if age >= UNUSED {
                problems.push(Problem::Ended);
            } else if age >= QUIET {
                problems.push(Problem::EndsSoon { left: UNUSED - age });
            }
        }
        // A login brings all but the app.
        let app = [&parts.client_id, &parts.client_secret];
        let no_login = problems == [Problem::NoLogin];
        let counts =
            |address: &&Address| app.contains(address) || (!no_login && **address != parts.refresh_token);
        let other: Vec<Address> = missing.iter().filter(counts).cloned().collect();
        if !other.is_empty() {
            problems.push(Problem::Missing(other));
        }
        match (access_ends, claims.expires) {
            (None, _) if written.is_some() => problems.push(Problem::NoTime),
            (Some(said), Some(own)) if said.duration_since(own) > LATE => {
                problems.push(Problem::LaterThanItself);
            }
            _ => {}
        }
        Standing { missing, access_ends, refreshed, problems }
    }

    /// When the refresh token ends, if nobody uses it before.
    pub fn refresh_ends(&self) -> Option<Timestamp> {
        self.refreshed.and_then(|at| at.checked_add(UNUSED).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::claims::tests::jwt;
    use super::*;
    use crate::secret::Secret;
    use crate::snapshot::Entry;

    const NOW: i64 = 1_795_356_000;

    fn parts() -> Parts {
        let at = |key: &str| format!("xero/1/{key}").parse::<Address>().unwrap();
        Parts {
            client_id: at("client_id"),
            client_secret: at("client_secret"),
            access_token: at("access_token"),
            refresh_token: at("refresh_token"),
            tenant_id: at("tenant_id"),
            token_expires_at: at("token_expires_at"),
        }
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A connection whose refresh token was written so many days ago.
    fn home(days: i64, access: &str, expires: &str) -> Snapshot {
        let parts = parts();
        let modified = Some(time(NOW - days * 86_400));
        let entry = |value: &str| Entry { modified, ..Entry::of(Secret::new(value.to_owned()).unwrap()) };
        let values = ["ID", "SECRET", "TENANT", "REFRESH", access, expires];
        let entries = parts.all().into_iter().cloned().zip(values.map(entry)).collect();
        Snapshot { entries, ..Snapshot::default() }
    }

    fn standing(home: &Snapshot) -> Standing {
        Standing::of(&parts(), home, time(NOW))
    }

    #[test]
    fn nothing_is_said_before_day_45_and_nothing_is_left_from_day_60_on() {
        let problems = |days| standing(&home(days, "opaque", "1795357800")).problems;
        assert_eq!(problems(44), []);
        assert_eq!(problems(45), [Problem::EndsSoon { left: SignedDuration::from_hours(15 * 24) }]);
        assert_eq!(problems(59), [Problem::EndsSoon { left: SignedDuration::from_hours(24) }]);
        assert_eq!(problems(60), [Problem::Ended]);
        // A clock that is behind home's ends nothing.
        assert_eq!(problems(-1), []);
        let ends = standing(&home(44, "opaque", "1795357800")).refresh_ends().unwrap();
        assert_eq!(ends.duration_since(time(NOW)), SignedDuration::from_hours(16 * 24));
    }

    #[test]
    fn a_home_without_dates_is_told_by_the_token_that_came_along() {
        let mut home = home(0, &jwt(&format!(r#"{{"nbf":{}}}"#, NOW - 50 * 86_400)), "1795357800");
        home.entries.values_mut().for_each(|entry| entry.modified = None);
        assert!(matches!(standing(&home).problems[..], [Problem::EndsSoon { .. }]));
        home.entries.remove(&parts().access_token);
        assert_eq!(standing(&home).refreshed, None);
    }

    #[test]
    fn what_is_missing_is_named_and_a_connection_without_a_login_is_told_as_that() {
        let mut home = home(0, "opaque", "1795357800");
        home.entries.remove(&parts().tenant_id);
        assert_eq!(standing(&home).problems, [Problem::Missing(vec![parts().tenant_id])]);
        home.entries.remove(&parts().refresh_token);
        assert_eq!(standing(&home).problems, [Problem::NoLogin], "a login brings the rest");
        let nothing = standing(&Snapshot::default());
        let app = Problem::Missing(vec![parts().client_id, parts().client_secret]);
        assert_eq!((nothing.missing.len(), nothing.problems), (6, vec![Problem::NoLogin, app]));
    }

    #[test]
    fn a_time_that_nobody_can_read_or_that_the_token_does_not_keep_is_a_problem() {
        assert_eq!(standing(&home(0, "opaque", "in half an hour")).problems, [Problem::NoTime]);
        let ends = |seconds: i64| jwt(&format!(r#"{{"exp":{}}}"#, NOW + seconds));
        assert_eq!(standing(&home(0, &ends(1800), "1795357801")).problems, []);
        assert_eq!(standing(&home(0, &ends(600), "1795357800")).problems, [Problem::LaterThanItself]);
    }
}
