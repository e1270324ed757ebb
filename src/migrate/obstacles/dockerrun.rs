//! `Dockerrun.aws.json` on the ECS platform: who fetches what references name, and which containers name a variable
//! themselves.

use super::Deployment;
use crate::doctor::yaml::{self, Node};
use crate::doctor::{File, Finding};

/// A task without a role that may fetch, and containers that have a moving name already.
pub(super) fn without_a_role(deployment: &Deployment<'_>) -> Vec<Finding> {
    if !deployment.platform.ecs {
        return Vec::new();
    }
    let files = deployment.tree.files.iter().filter(|file| file.is_dockerrun());
    // The one nearest to the manifest is the one that is deployed from here.
    match files.min_by_key(|file| file.path.matches('/').count()) {
        Some(file) => of_file(deployment, file),
        None => vec![not_seen()],
    }
}

const ROLE: &str = "`\"executionRoleArn\": \"arn:aws:iam::ACCOUNT:role/ROLE\"`";

fn not_seen() -> Finding {
    Finding::warning("no-dockerrun", "Dockerrun.aws.json is not in this folder, and was not looked at")
        .why("on ECS a task fetches references with its `executionRoleArn`, and does not start without one")
        .fix(format!(
            "see that the deployed Dockerrun.aws.json has {ROLE}, that this role may read what the references name \
             (`strongroom policy --for instance` prints it), and that the instance profile has `iam:PassRole` on it"
        ))
}

fn of_file(deployment: &Deployment<'_>, file: &File) -> Vec<Finding> {
    let root = match yaml::read(&file.text) {
        Ok(root) => root,
        Err(line) => return vec![super::unreadable(file, line)],
    };
    let version = root.get("AWSEBDockerrunVersion").and_then(Node::text);
    let has_role = root.get("executionRoleArn").and_then(Node::text).is_some_and(|arn| !arn.is_empty());
    let mut findings = Vec::new();
    if version == Some("2") && !has_role {
        findings.push(no_role(file, root.line));
    }
    let containers = root.get("containerDefinitions").into_iter().flat_map(Node::items);
    findings.extend(containers.flat_map(|container| of_container(deployment, file, container)));
    findings
}

fn no_role(file: &File, line: usize) -> Finding {
    Finding::problem("no-execution-role", "it has no `executionRoleArn`")
        .why("on ECS a task fetches references with that role: without it no container starts")
        .fix(format!(
            "add {ROLE}, a role that ecs-tasks.amazonaws.com may assume and that may read what the references name \
             (`strongroom policy --for instance` prints it); give the instance profile `iam:PassRole` on it; deploy that \
             version before you migrate"
        ))
        .line(&file.path, line)
}

/// The moving names that a container has of its own.
fn of_container(deployment: &Deployment<'_>, file: &File, container: &Node) -> Vec<Finding> {
    let name = container.get("name").and_then(Node::text).unwrap_or("without a name");
    let of = |member: &'static str| {
        let set = container.get(member).into_iter().flat_map(Node::items);
        set.filter_map(|variable| variable.get("name")).map(move |node| (member, node))
    };
    let named = of("environment").chain(of("secrets"));
    let moving = named.filter_map(|(member, node)| {
        let variable = node.text().filter(|text| deployment.moving.contains(*text))?;
        let what = format!("the container `{name}` has {variable} in its `{member}`");
        let finding = Finding::problem("set-by-container", what)
            .why("Beanstalk gives every container the reference too, and ECS takes no task with one name from both")
            .fix(format!("take {variable} out of `{member}`, and deploy that version before you migrate"));
        Some(finding.line(&file.path, node.line))
    });
    moving.collect()
}
