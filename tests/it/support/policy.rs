//! The policy that strongroom prints for somebody, and whether it allows a call: for tests that run a command under
//! exactly the policy that is printed for it.

use crate::support::cloud::Cloud;
use crate::support::env::TestEnv;
use serde_json::Value;

/// Whom policies are for.
pub(crate) const BEARERS: [&str; 4] = ["operator", "instance", "rotator", "reader"];

/// The policy that is printed for a bearer; null where it needs none.
pub(crate) fn of(env: &TestEnv, environment: &str, bearer: &str) -> Value {
    let document = env.run(&format!("-e {environment} --json policy --for {bearer}")).success();
    let mut document: Value = serde_json::from_str(&document).unwrap();
    document["policy"].take()
}

/// Makes the runs that follow those of a principal that may do what is printed for a bearer, and nothing else.
pub(crate) fn become_bearer(cloud: &Cloud, env: &mut TestEnv, environment: &str, bearer: &str) {
    let policy = of(env, environment, bearer).to_string();
    // Invented, and of the length that AWS gives them.
    let key = format!("AKIAINVENTED{:0>8}", bearer.to_uppercase());
    let arn = format!("arn:aws:iam::111122223333:user/{bearer}");
    cloud.principal(&key, &arn, &policy).unwrap();
    for (name, value) in cloud.environment_of(&key) {
        env.set(name, value);
    }
}

/// Whether a policy allows an action on a resource; conditions are taken as fulfilled.
pub(crate) fn allows(policy: &Value, action: &str, resource: &str) -> bool {
    let has = |statement: &Value, field: &str, matches: &dyn Fn(&str) -> bool| {
        statement[field].as_array().unwrap().iter().any(|text| matches(text.as_str().unwrap()))
    };
    policy["Statement"].as_array().into_iter().flatten().any(|statement| {
        has(statement, "Action", &|allowed| allowed == action)
            && has(statement, "Resource", &|pattern| matches(pattern.as_bytes(), resource.as_bytes()))
    })
}

/// As IAM matches: `*` is anything, slashes too, and `?` is one character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        ([b'?', pattern @ ..], [_, text @ ..]) => matches(pattern, text),
        ([a, pattern @ ..], [b, text @ ..]) => a == b && matches(pattern, text),
        (pattern, text) => pattern.is_empty() && text.is_empty(),
    }
}
