//! An IAM policy as a value: statements, the JSON that AWS takes, and its size as AWS counts it.
//!
//! Owns the form only; it never knows why something is allowed. Whatever goes in, the same policy comes out byte for byte:
//! actions and resources are sets, statements keep the order that they were made in, and one without resources is none.

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The most characters that a managed policy may have.
pub const MANAGED_POLICY: usize = 6_144;

/// The most characters that the inline policies of a user may have together.
pub const USER_POLICIES: usize = 2_048;

/// A policy: what is allowed, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// One statement. All of them allow: what is not allowed is denied anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    sid: &'static str,
    actions: BTreeSet<&'static str>,
    resources: BTreeSet<String>,
    conditions: BTreeMap<&'static str, BTreeMap<&'static str, BTreeSet<String>>>,
}

impl Statement {
    pub(super) fn new(
        sid: &'static str,
        actions: &[&'static str],
        resources: impl IntoIterator<Item = String>,
    ) -> Statement {
        Statement {
            sid,
            actions: actions.iter().copied().collect(),
            resources: resources.into_iter().collect(),
            conditions: BTreeMap::new(),
        }
    }

    /// Only where the request's `key` is one of `values`, as `operator` compares them.
    pub(super) fn only_if(
        mut self,
        operator: &'static str,
        key: &'static str,
        values: impl IntoIterator<Item = String>,
    ) -> Statement {
        self.conditions.entry(operator).or_default().entry(key).or_default().extend(values);
        self
    }

    /// What it is about.
    pub fn sid(&self) -> &str {
        self.sid
    }

    /// The actions that it allows.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().copied()
    }

    /// What it allows them on: ARNs, in which `*` and `?` stand for anything.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(String::as_str)
    }
}

impl Policy {
    /// Adds a statement; one that allows nothing is left out, because AWS refuses it.
    pub(super) fn add(&mut self, statement: Statement) {
        if !statement.resources.is_empty() && !statement.actions.is_empty() {
            self.statements.push(statement);
        }
    }

    /// The statements.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Whether it allows nothing.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The document as people read it, with a newline at its end.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a policy has nothing but text in it");
        format!("{text}\n")
    }

    /// Its size as AWS counts it: white space is free.
    pub fn characters(&self) -> usize {
        let text = serde_json::to_string(self).expect("a policy has nothing but text in it");
        text.chars().filter(|c| !c.is_whitespace()).count()
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Policy", 2)?;
        document.serialize_field("Version", "2012-10-17")?;
        document.serialize_field("Statement", &self.statements)?;
        document.end()
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Statement { sid, actions, resources, conditions } = self;
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("Sid", sid)?;
        document.serialize_entry("Effect", "Allow")?;
        document.serialize_entry("Action", actions)?;
        document.serialize_entry("Resource", resources)?;
        if !conditions.is_empty() {
            document.serialize_entry("Condition", conditions)?;
        }
        document.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_allows_nothing_is_left_out() {
        let mut policy = Policy::default();
        policy.add(Statement::new("Nothing", &["ssm:GetParameter"], []));
        assert!(policy.is_empty());
    }

    #[test]
    fn white_space_does_not_count_and_order_does_not_matter() {
        let statement =
            |resources: [&str; 2]| Statement::new("Read", &["b:Get", "a:Get"], resources.map(str::to_owned));
        let policy = |statement| Policy { statements: vec![statement] };
        let (one, other) = (policy(statement(["x y", "z"])), policy(statement(["z", "x y"])));
        assert_eq!(one.json(), other.json());
        let compact = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":["a:Get","b:Get"],"Resource":["x y","z"]}]}"#;
        assert_eq!(one.characters(), compact.len() - 1);
    }
}
