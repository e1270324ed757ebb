//! The organisations that a user connected to the app.
//!
//! Owns the reading of `/connections`.

use super::{Outcome, XeroError};
use serde::Deserialize;

/// One organisation, as an app sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The connection's own id.
    pub id: String,
    /// What goes into `tenant_id`.
    pub tenant: String,
    /// What the organisation is called, without control characters; empty where Xero does not tell it.
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    id: String,
    tenant_id: String,
    tenant_name: Option<String>,
}

pub(super) fn read(outcome: &Outcome) -> Result<Vec<Connection>, XeroError> {
    match outcome.status() {
        200 => {}
        status @ (401 | 403) => return Err(XeroError::Access { status }),
        _ => return Err(outcome.refusal()),
    }
    let list: Vec<Written> = serde_json::from_slice(outcome.body())
        .map_err(|_| XeroError::Unreadable { reason: "it is no list of connections" })?;
    Ok(list.into_iter().map(Connection::from).collect())
}

impl From<Written> for Connection {
    fn from(written: Written) -> Connection {
        let Written { id, tenant_id, tenant_name } = written;
        let shown = |c: &char| !c.is_control() && !is_reordering(*c);
        let name = tenant_name.unwrap_or_default().chars().filter(shown).take(120).collect();
        Connection { id, tenant: tenant_id, name }
    }
}

/// Characters that turn round what stands after them on a terminal.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Which organisation a connection is to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// This one.
    This(&'a Connection),
    /// The user connected none.
    Nobody,
    /// None of them is called like that, or several are.
    Unknown,
    /// There are several.
    Several,
    /// There is one, and it is not the one that home has.
    Another(&'a Connection),
}

/// Chooses by what was asked for (an id or a name), else by what home has; never another one in its place.
pub fn choose<'a>(all: &'a [Connection], wanted: Option<&str>, held: Option<&str>) -> Choice<'a> {
    let of_id = |id: &str| all.iter().find(|one| one.tenant.eq_ignore_ascii_case(id));
    if all.is_empty() {
        return Choice::Nobody;
    }
    if let Some(wanted) = wanted {
        let mut named = all.iter().filter(|one| one.name == wanted);
        let only = named.next().filter(|_| named.next().is_none());
        return of_id(wanted).or(only).map_or(Choice::Unknown, Choice::This);
    }
    match (held.filter(|held| !held.is_empty()), all) {
        (Some(held), _) if of_id(held).is_some() => of_id(held).map_or(Choice::Several, Choice::This),
        (None, [one]) => Choice::This(one),
        (Some(_), [one]) => Choice::Another(one),
        _ => Choice::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn connections_are_read_with_names_that_can_be_shown() {
        let body = r#"[{"id":"c1","authEventId":"e","tenantId":"t1","tenantType":"ORGANISATION",
            "tenantName":"Acme\u001b[31m \u202eLtd","createdDateUtc":"2026-01-02T03:04:05.1234567"},
            {"id":"c2","tenantId":"t2","tenantType":"PRACTICE","tenantName":null}]"#;
        let read = read(&outcome(200, &[], body.as_bytes())).unwrap();
        let told: Vec<_> = read.iter().map(|one| (one.tenant.as_str(), one.name.as_str())).collect();
        assert_eq!(told, [("t1", "Acme[31m Ltd"), ("t2", "")]);
        assert_eq!(super::read(&outcome(200, &[], b"[]")).unwrap(), []);
    }

    #[test]
    fn an_access_token_that_is_not_taken_is_told_from_an_api_that_is_not_well() {
        assert!(matches!(read(&outcome(401, &[], b"")), Err(XeroError::Access { status: 401 })));
        assert!(matches!(read(&outcome(403, &[], b"{}")), Err(XeroError::Access { status: 403 })));
        assert!(matches!(read(&outcome(429, &[], b"")), Err(XeroError::TooOften { .. })));
        assert!(matches!(read(&outcome(503, &[], b"<html>")), Err(XeroError::Broken { .. })));
        assert!(matches!(read(&outcome(200, &[], b"<html>")), Err(XeroError::Unreadable { .. })));
    }

    #[test]
    fn an_organisation_is_taken_where_there_is_no_doubt_and_never_in_the_place_of_another() {
        let one = |tenant: &str, name: &str| Connection {
            id: "c".to_owned(),
            tenant: tenant.to_owned(),
            name: name.to_owned(),
        };
        let (acme, beta) = (one("t1", "Acme"), one("t2", "Beta"));
        let both = [acme.clone(), beta.clone()];
        let single = std::slice::from_ref(&acme);
        assert_eq!(choose(&[], Some("t1"), None), Choice::Nobody);
        assert_eq!(choose(single, None, None), Choice::This(&acme));
        assert_eq!(choose(single, None, Some("")), Choice::This(&acme));
        assert_eq!(choose(single, None, Some("t2")), Choice::Another(&acme));
        assert_eq!(choose(&both, None, Some("T2")), Choice::This(&beta));
        assert_eq!(choose(&both, None, None), Choice::Several);
        assert_eq!(choose(&both, None, Some("t3")), Choice::Several);
        assert_eq!(choose(&both, Some("Beta"), Some("t1")), Choice::This(&beta));
        assert_eq!(choose(&both, Some("t1"), None), Choice::This(&acme));
        assert_eq!(choose(&both, Some("Gamma"), Some("t1")), Choice::Unknown);
        let twins = [one("t1", "Acme"), one("t2", "Acme")];
        assert_eq!(choose(&twins, Some("Acme"), None), Choice::Unknown);
    }
}
