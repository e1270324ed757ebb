//! What follows from what was found about a login.

use super::*;
use crate::database::{Need, Role, Statement};
use crate::rotate::postgres::facts::Fences;
use crate::rotate::postgres::target::Login;
use crate::secret::Secret;

fn role(name: &str) -> Role {
    Role::parse(name).unwrap()
}

fn fence(epoch: i64, operation: &str) -> Option<Fence> {
    Some(Fence { epoch, operation: operation.to_owned() })
}

fn facts(chosen: Option<Chosen>) -> Facts {
    Facts {
        location: "PostgreSQL at db.example:5432".to_owned(),
        owner: role("app"),
        active: role("app"),
        target: role("app_b"),
        fences: Fences { target: fence(4, "earlier"), active: fence(3, "earlier") },
        unprepared: Vec::new(),
        unfit: None,
        home: Some(Works::Yes),
        idle: Vec::new(),
        urls: Vec::new(),
        chosen,
        tears: false,
        behind: Vec::new(),
        mark: String::new(),
    }
}

fn chosen(proof: Works, published: bool) -> Chosen {
    let password = Secret::new("invented".to_owned()).unwrap();
    Chosen {
        epoch: 5,
        retire: 4,
        operation: "ours".to_owned(),
        login: Login { role: role("app_b"), password },
        proof,
        stranger: false,
        values: crate::rotate::Values::new(),
        published,
        staged: true,
        stage: None,
        altered: 0,
        ended: false,
        cleared: false,
    }
}

/// A copy that holds another login than home may hold the one that would change; and with `--compromised` whoever is in
/// the slot that gets the new password does not stay in it.
#[test]
fn nobody_is_locked_out_of_a_copy_and_nobody_is_kept_in_a_slot_that_is_compromised() {
    let behind = vec![("beanstalk:worker".to_owned(), "database/RDS_PASSWORD".parse().unwrap())];
    assert_eq!(told(&Facts { behind, ..facts(None) }, true), "give up Conflict");
    let inside = Connected { address: None, application: "worker".to_owned(), sessions: 1 };
    let idle = vec![inside];
    assert_ne!(told(&Facts { idle: idle.clone(), ..facts(None) }, false), "choose");
    assert_eq!(told(&Facts { idle: idle.clone(), ..facts(None) }, true), "choose");
    let new = |cleared| Some(Chosen { cleared, ..chosen(Works::Yes, false) });
    assert_eq!(told(&Facts { idle: idle.clone(), ..facts(new(false)) }, true), "clear-slot");
    assert_eq!(told(&Facts { idle: idle.clone(), ..facts(new(true)) }, true), "publish");
    assert_eq!(told(&Facts { idle, ..facts(new(false)) }, false), "publish");
}

fn told(facts: &Facts, compromised: bool) -> String {
    let allowed = Allowed { name: "database".to_owned(), despite_sessions: false, compromised };
    match next(facts, &allowed) {
        Next::Choose => "choose".to_owned(),
        Next::Act(effect) => effect.to_string(),
        Next::Stage => "stage".to_owned(),
        Next::Publish => "publish".to_owned(),
        Next::Done => "done".to_owned(),
        Next::Person(error) => format!("person {:?}", error.kind),
        Next::GiveUp(error) => format!("give up {:?}", error.kind),
    }
}

#[test]
fn a_rotation_goes_from_a_choice_to_its_end() {
    assert_eq!(told(&facts(None), false), "choose");
    let unstaged = Chosen { staged: false, ..chosen(Works::No, false) };
    assert_eq!(told(&facts(Some(unstaged)), false), "stage");
    assert_eq!(told(&facts(Some(chosen(Works::No, false))), false), "alter");
    assert_eq!(told(&facts(Some(chosen(Works::Yes, false))), false), "publish");
    assert_eq!(told(&facts(Some(chosen(Works::Yes, true))), false), "done");
    assert_eq!(told(&facts(Some(chosen(Works::Yes, true))), true), "retire");
    let mut retired = facts(Some(chosen(Works::Yes, true)));
    retired.fences.active = fence(4, "ours");
    assert_eq!(told(&retired, true), "end-sessions");
    for theirs in [fence(4, "theirs"), fence(5, "theirs")] {
        let mut overtaken = facts(Some(chosen(Works::Yes, true)));
        overtaken.fences.active = theirs;
        assert_eq!(told(&overtaken, true), "give up Conflict", "whoever is in there is not ours to end");
        assert_eq!(told(&overtaken, false), "done");
    }
    retired.chosen = Some(Chosen { ended: true, ..chosen(Works::Yes, true) });
    assert_eq!(told(&retired, true), "done");
}

#[test]
fn a_login_that_works_is_never_given_another_password() {
    for published in [false, true] {
        for compromised in [false, true] {
            for overtaken in [fence(5, "ours"), fence(5, "theirs"), fence(9, "theirs")] {
                let mut facts = facts(Some(chosen(Works::Yes, published)));
                facts.fences.target = overtaken;
                assert_ne!(told(&facts, compromised), "alter");
            }
        }
    }
}

#[test]
fn who_was_overtaken_or_finds_a_stranger_in_home_changes_nothing() {
    for theirs in [fence(5, "theirs"), fence(6, "theirs"), fence(6, "ours")] {
        let mut facts = facts(Some(chosen(Works::No, false)));
        facts.fences.target = theirs;
        assert_eq!(told(&facts, false), "give up Conflict");
    }
    let mut again = facts(Some(chosen(Works::No, false)));
    again.fences.target = fence(5, "ours");
    assert_eq!(told(&again, false), "alter", "the same again does no harm");
    for proof in [Works::No, Works::Yes] {
        let stranger = Chosen { stranger: true, ..chosen(proof, false) };
        assert_eq!(told(&facts(Some(stranger)), false), "give up Conflict");
    }
    // One role alone.
    for (proof, is) in [(Works::No, "give up Conflict"), (Works::Yes, "person Person")] {
        let mut alone = facts(Some(Chosen { stranger: true, ..chosen(proof, false) }));
        alone.target = alone.active.clone();
        assert_eq!(told(&alone, false), is, "the password that the server takes is in no ended operation");
    }
    let refused = Chosen { altered: 2, ..chosen(Works::No, false) };
    assert_eq!(told(&facts(Some(refused)), false), "person Person");
}

#[test]
fn what_stands_in_the_way_is_told_before_and_after_a_choice() {
    let statement = || Statement { sql: "X".to_owned(), why: "Y".to_owned(), need: Need::Setup };
    let someone = || Connected { address: None, application: String::new(), sessions: 1 };
    let ways: [fn(&mut Facts); 5] = [
        |facts| facts.home = Some(Works::No),
        |facts| facts.unfit = Some(Unfit::ReadOnly),
        |facts| facts.unfit = Some(Unfit::NotAllowed(facts.target.clone())),
        |facts| facts.urls.push(("app/URL".parse().unwrap(), "why".to_owned())),
        |facts| facts.tears = true,
    ];
    for (at, way) in ways.into_iter().enumerate() {
        for choice in [None, Some(chosen(Works::No, false))] {
            let mut facts = facts(choice);
            way(&mut facts);
            assert_eq!(told(&facts, false), "give up Person", "{at}");
        }
    }
    let mut in_use = facts(None);
    in_use.idle.push(someone());
    assert_eq!(told(&in_use, false), "give up Person");
    let despite = Allowed { despite_sessions: true, ..Allowed::default() };
    assert!(matches!(next(&in_use, &despite), Next::Choose));
    let mut unprepared = facts(None);
    unprepared.unprepared.push(statement());
    assert_eq!(told(&unprepared, false), "give up Person");
}
