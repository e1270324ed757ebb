//! The pipe over an environment: what stops midway ends right, with one deployment, whatever call failed.

use super::settling::failure;
use super::stage::{DOCKER, NAME, Stage, address, reference, seed, value};
use crate::support::cloud::Effect;
use std::sync::Arc;
use strongroom::apply::{self, ApplyError, Done};
use strongroom::journal::{Journal, Outside};
use strongroom::plan::{Desired, Want};
use strongroom::seal::Identities;
use strongroom::store::{ErrorKind, OperationId, Store, Stores};
use tempfile::TempDir;

/// A journal beside a stage.
struct Pipe {
    stage: Stage,
    folder: TempDir,
    person: Arc<Identities>,
}

impl Pipe {
    fn on(stage: Stage) -> Pipe {
        Pipe { stage, folder: TempDir::new().unwrap(), person: Arc::new(Identities::generate()) }
    }

    fn journal(&self) -> Journal {
        let names = ("shop".parse().unwrap(), "prod".parse().unwrap());
        let outside = Outside { clock: jiff::Timestamp::now, random: rand::random };
        Journal::new(self.folder.path(), names, self.person.recipients(), Some(self.person.clone()), outside)
    }

    /// As another process opens them.
    fn stores(&self) -> Stores {
        let store: Box<dyn Store> = Box::new(self.stage.elsewhere());
        Stores::from([("web".to_owned(), store)])
    }

    fn change(&self, wants: &[(&str, Want)]) -> Result<Done, ApplyError> {
        let desired: Desired = wants.iter().map(|(at, want)| (address(at), want.clone())).collect();
        let stores = self.stores();
        self.stage.wait(async {
            let plan = apply::plan("web", stores["web"].as_ref(), &desired).await?;
            apply::run(&self.journal(), "change", &plan, &stores, &mut |_| ()).await
        })
    }

    fn resume(&self, id: &OperationId, skip_changed: bool) -> Result<Done, ApplyError> {
        let (journal, stores) = (self.journal(), self.stores());
        self.stage.wait(apply::resume(&journal, id, &stores, skip_changed, &mut |_| ()))
    }

    fn undo(&self, id: &OperationId) -> Result<Done, ApplyError> {
        let (journal, stores) = (self.journal(), self.stores());
        self.stage.wait(async {
            let undo = apply::plan_undo(&journal, id, &stores, false).await?;
            apply::undo(&journal, undo, &stores, &mut |_| ()).await
        })
    }

    /// How often the environment began to update.
    fn deployments(&self) -> usize {
        self.stage.beanstalk(|service| {
            service.events().iter().filter(|event| event.message == "Environment update is starting.").count()
        })
    }
}

/// The operation that stopped midway.
#[track_caller]
fn stopped(result: Result<Done, ApplyError>, kind: ErrorKind) -> OperationId {
    match result.unwrap_err() {
        ApplyError::Stopped { operation, source, .. } if source.kind == kind => operation,
        other => panic!("{other:?}"),
    }
}

/// One fault at every call in turn: the change, or a resume of it, comes to its end, and nothing is deployed twice.
fn every_call_may_meet(effect: &Effect) {
    for call in 1.. {
        let pipe = Pipe::on(Stage::with([("A", "1"), ("B", "2"), ("UNKNOWN", "u")]));
        pipe.stage.beanstalk(|service| service.behaviour.looks = 1);
        pipe.stage.cloud.fault("elasticbeanstalk:*", call..=call, effect.clone());
        let wants = [("app/A", value("new")), ("app/B", Want::Absent)];
        let first = pipe.change(&wants);
        let met =
            pipe.stage.cloud.calls().iter().filter(|call| call.service == "elasticbeanstalk").count() >= call;
        pipe.stage.cloud.heal();
        match first {
            Ok(_) => {}
            Err(ApplyError::Stopped { operation, .. } | ApplyError::NotVerified { operation, .. }) => {
                pipe.resume(&operation, false).unwrap();
            }
            Err(ApplyError::Nothing(_) | ApplyError::Read(_)) => drop(pipe.change(&wants).unwrap()),
            Err(other) => panic!("call {call}: {other:?}"),
        }
        let now = pipe.stage.beanstalk(|service| service.properties(NAME));
        assert_eq!(now, [("A", "new"), ("UNKNOWN", "u")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(pipe.deployments(), 1, "call {call}");
        if !met {
            assert!(call > 8, "only {call} calls were made");
            return;
        }
    }
}

#[test]
fn an_answer_that_is_lost_at_any_call_leads_to_the_right_end() {
    every_call_may_meet(&Effect::LoseReply);
}

#[test]
fn a_refusal_at_any_call_leads_to_the_right_end() {
    every_call_may_meet(&Effect::Deny);
}

#[test]
fn a_failure_of_aws_after_any_call_leads_to_the_right_end() {
    every_call_may_meet(&Effect::InternalAfter);
}

#[test]
fn a_deployment_that_was_rolled_back_changed_nothing_and_is_in_nobodys_way() {
    let pipe = Pipe::on(Stage::with([("A", "1")]));
    pipe.stage.beanstalk(|service| service.behaviour.outcomes.extend([failure()]));
    let Err(ApplyError::Nothing(error)) = pipe.change(&[("app/A", value("2"))]) else { panic!("it failed") };
    assert_eq!(error.kind, ErrorKind::RolledBack);
    assert_eq!((pipe.deployments(), pipe.stage.at("app/A").as_deref()), (1, Some("1")));
    let done = pipe.change(&[("app/A", value("3"))]).unwrap();
    pipe.undo(&done.operation).unwrap();
    assert_eq!((pipe.deployments(), pipe.stage.at("app/A").as_deref()), (3, Some("1")));
}

#[test]
fn a_rollback_behind_a_lost_answer_is_not_begun_again_before_a_person_says_so() {
    let pipe = Pipe::on(Stage::with([("A", "1")]));
    let begin = || {
        pipe.stage.beanstalk(|service| service.behaviour.outcomes.extend([failure()]));
        pipe.stage.cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, Effect::LoseReply);
        stopped(pipe.change(&[("app/A", value("2"))]), ErrorKind::RolledBack)
    };
    let first = begin();
    assert_eq!(pipe.deployments(), 1);
    pipe.undo(&first).unwrap();
    assert_eq!((pipe.deployments(), pipe.stage.at("app/A").as_deref()), (1, Some("1")));
    let second = begin();
    pipe.resume(&second, false).unwrap();
    assert_eq!((pipe.deployments(), pipe.stage.at("app/A").as_deref()), (3, Some("2")));
}

#[test]
fn a_property_of_the_ebextensions_that_came_back_is_accepted_by_a_resume_that_skips_it() {
    let shipped = seed(DOCKER).shipped("MODE", "shipped").property("MODE", "direct").property("A", "1");
    let pipe = Pipe::on(Stage::seeded(shipped));
    let wants = [("app/MODE", Want::Absent), ("app/A", value("2"))];
    let id = stopped(pipe.change(&wants), ErrorKind::Failed);
    assert!(matches!(pipe.resume(&id, false), Err(ApplyError::Conflict { .. })));
    let done = pipe.resume(&id, true).unwrap();
    assert_eq!(done.left, [("web".to_owned(), address("app/MODE"))]);
    assert_eq!(pipe.stage.at("app/A").as_deref(), Some("2"));
}

#[test]
fn a_property_of_the_ebextensions_is_gone_with_a_version_that_does_not_set_it_and_the_operation_resumed() {
    let shipped = seed(DOCKER).shipped("MODE", "shipped").property("MODE", "direct");
    let pipe = Pipe::on(Stage::seeded(shipped));
    let id = stopped(pipe.change(&[("app/MODE", Want::Absent)]), ErrorKind::Failed);
    pipe.stage.deploy_version_without_ebextensions();
    pipe.resume(&id, false).unwrap();
    assert_eq!(pipe.stage.at("app/MODE"), None);
    pipe.undo(&id).unwrap();
    assert_eq!(pipe.stage.at("app/MODE").as_deref(), Some("direct"));
}

#[test]
fn a_secret_of_the_ebextensions_that_became_a_reference_is_undone_to_what_it_was() {
    let parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/TOKEN";
    let shipped = seed(DOCKER).shipped("TOKEN", "shipped").property("TOKEN", "direct");
    let pipe = Pipe::on(Stage::seeded(shipped));
    pipe.stage.parameter("/shop/prod/app/TOKEN", "stored");
    let id = stopped(pipe.change(&[("app/TOKEN", reference(parameter))]), ErrorKind::Failed);
    pipe.undo(&id).unwrap();
    assert_eq!(pipe.stage.at("app/TOKEN").as_deref(), Some("direct"));
    assert!(pipe.stage.beanstalk(|service| service.references(NAME)).is_empty());
}
