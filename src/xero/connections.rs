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
}
