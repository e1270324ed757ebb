//! The lease where it is kept: in SSM and Secrets Manager on the local AWS, under faults, and with its holder asleep.

use crate::support::account::settings;
use crate::support::cloud::{Cloud, Effect};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use strongroom::manifest::Quota;
use strongroom::name::Address;
use strongroom::plan::{Change, Want};
use strongroom::secret::Secret;
use strongroom::store::{
    Aws, ErrorKind, Guard, Lease, Leases, Memory, OperationId, ParameterLeases, Receipt, SecretLeases,
    Settings, Store, StoreError, Stores, Terms,
};

const PARAMETER: &str = "/shop/_strongroom/prod/lease";
const SECRET: &str = "shop/_strongroom/prod/lease";
const LENGTH: Duration = Duration::from_secs(90);

/// A clock for each test thread, which the test moves.
fn clock() -> Duration {
    NOW.with(|now| Duration::from_secs(now.load(Ordering::Relaxed)))
}

fn pass(seconds: u64) {
    NOW.with(|now| now.fetch_add(seconds, Ordering::Relaxed));
}

thread_local! {
    static NOW: AtomicU64 = const { AtomicU64::new(1_000) };
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Parameter,
    Secret,
}

const KINDS: [Kind; 2] = [Kind::Parameter, Kind::Secret];

fn leases(cloud: &Cloud, kind: Kind, owner: &str, length: Duration) -> Box<dyn Leases> {
    let settings = Settings { quota: Quota { reads: 5_000, writes: 5_000 }, ..settings(cloud) };
    let aws = Arc::new(Aws::new(settings));
    let tags = vec![("managed-by".to_owned(), "strongroom".to_owned())];
    let terms = Terms { clock, ..Terms::new(owner.to_owned(), length) };
    match kind {
        Kind::Parameter => Box::new(ParameterLeases::new(aws, PARAMETER.to_owned(), tags, terms)),
        Kind::Secret => Box::new(SecretLeases::new(aws, SECRET.to_owned(), tags, terms)),
    }
}

fn take(cloud: &Cloud, kind: Kind, owner: &str) -> Result<Box<dyn Lease>, StoreError> {
    wait(leases(cloud, kind, owner, LENGTH).take("sync"))
}

#[test]
fn one_has_it_the_other_is_told_by_whom_and_gets_it_when_it_is_given_back() {
    for kind in KINDS {
        let cloud = Cloud::start();
        let alice = take(&cloud, kind, "alice@laptop, process 1").unwrap();
        let error = take(&cloud, kind, "bob@laptop, process 2").err().unwrap();
        assert_eq!(error.kind, ErrorKind::Busy);
        let said = error.to_string();
        assert!(said.contains("held by alice@laptop, process 1 for `sync`, since 2"), "{said}");
        wait(alice.release()).unwrap();
        let bob = take(&cloud, kind, "bob@laptop, process 2").unwrap();
        wait(bob.still_ours()).unwrap();
        wait(alice.still_ours()).unwrap_or_else(|error| panic!("time has not passed: {error}"));
    }
}

#[test]
fn a_lease_costs_few_calls_and_is_never_deleted() {
    let cloud = Cloud::start();
    let actions = |cloud: &Cloud| cloud.calls().iter().map(|call| call.action.clone()).collect::<Vec<_>>();
    let lease = take(&cloud, Kind::Parameter, "alice").unwrap();
    assert_eq!(actions(&cloud), ["GetParameterHistory", "PutParameter"]);
    cloud.reset_calls();
    wait(lease.still_ours()).unwrap();
    assert!(cloud.calls().is_empty(), "half of it is left");
    wait(lease.release()).unwrap();
    assert_eq!(actions(&cloud), ["PutParameter", "GetParameter"]);
    cloud.reset_calls();
    drop(take(&cloud, Kind::Parameter, "bob").unwrap());
    assert_eq!(actions(&cloud), ["GetParameterHistory", "PutParameter", "GetParameter"]);
    let held = cloud.world(|world| world.ssm.held(PARAMETER)).unwrap();
    assert_eq!((held.kind.as_str(), held.version), ("String", 3));
    assert_eq!(held.tags["managed-by"], "strongroom");

    let lease = take(&cloud, Kind::Secret, "alice").unwrap();
    cloud.reset_calls();
    wait(lease.release()).unwrap();
    assert_eq!(actions(&cloud), ["UpdateSecretVersionStage"], "giving back makes no version");
    cloud.reset_calls();
    drop(take(&cloud, Kind::Secret, "bob").unwrap());
    assert_eq!(actions(&cloud), ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"]);
}

#[test]
fn it_is_renewed_when_half_of_it_is_gone_and_a_sleeper_whose_lease_nobody_took_goes_on() {
    for kind in KINDS {
        let cloud = Cloud::start();
        let lease = take(&cloud, kind, "alice").unwrap();
        cloud.reset_calls();
        pass(44);
        wait(lease.still_ours()).unwrap();
        assert!(cloud.calls().is_empty());
        for seconds in [2, 3_600] {
            pass(seconds);
            cloud.reset_calls();
            wait(lease.still_ours()).unwrap();
            assert!(!cloud.calls().is_empty(), "{kind:?} is renewed");
        }
        wait(lease.release()).unwrap();
        take(&cloud, kind, "bob").unwrap();
    }
}

#[test]
fn a_lease_that_its_owner_let_lapse_is_taken_over_and_the_owner_learns_it_before_the_next_write() {
    for kind in KINDS {
        let cloud = Cloud::start();
        // Its owner says that it lives no time at all; AWS's own clock has to say so too, with five seconds to spare.
        let alice = wait(leases(&cloud, kind, "alice", Duration::ZERO).take("sync")).unwrap();
        let error = take(&cloud, kind, "bob").err().unwrap();
        assert_eq!(error.kind, ErrorKind::Busy, "not before its time");
        age(&cloud, kind);
        let bob = take(&cloud, kind, "bob").unwrap();
        let error = wait(alice.still_ours()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.to_string().contains("bob has it"), "{error}");
        wait(alice.release()).unwrap();
        pass(60);
        wait(bob.still_ours())
            .unwrap_or_else(|error| panic!("{kind:?}: releasing what was lost takes nothing: {error}"));
    }
}

/// As if what stands there had been written a minute ago.
fn age(cloud: &Cloud, kind: Kind) {
    cloud.world(|world| match kind {
        Kind::Parameter => world.ssm.age(PARAMETER, 60),
        Kind::Secret => world.secrets.age(SECRET, 60),
    });
}

#[test]
fn a_lost_answer_at_any_call_leaves_one_holder_who_knows_it() {
    for kind in KINDS {
        for effect in
            [Effect::LoseReply, Effect::InternalAfter, Effect::Internal, Effect::Reset, Effect::Throttle]
        {
            for call in 1..=4 {
                let cloud = Cloud::start();
                drop(wait(take(&cloud, kind, "before").unwrap().release()));
                cloud.fault("*", call..=call, effect.clone());
                let outcome = take(&cloud, kind, "alice");
                cloud.heal();
                match outcome {
                    Ok(lease) => {
                        let error = take(&cloud, kind, "bob").err().unwrap();
                        assert!(error.to_string().contains("alice"), "{kind:?} {call}: {error}");
                        pass(60);
                        wait(lease.still_ours()).unwrap();
                        wait(lease.release()).unwrap();
                    }
                    Err(error) => panic!("{kind:?}, call {call}: {error}"),
                }
                take(&cloud, kind, "bob").unwrap();
            }
        }
    }
}

#[test]
fn of_two_that_saw_it_free_one_gets_it() {
    for kind in KINDS {
        let cloud = Cloud::start();
        wait(take(&cloud, kind, "before").unwrap().release()).unwrap();
        let (other, won) = (cloud.clone(), Arc::new(std::sync::Mutex::new(None)));
        let slot = won.clone();
        let meanwhile = move || {
            let taken = take(&other, kind, "bob").map(|_| ());
            *slot.lock().unwrap() = Some(taken.is_ok());
        };
        let action = if kind == Kind::Parameter {
            "ssm:PutParameter"
        } else {
            "secretsmanager:UpdateSecretVersionStage"
        };
        cloud.fault(action, 1..=1, Effect::Meanwhile(Arc::new(meanwhile)));
        let error = take(&cloud, kind, "alice").err().unwrap();
        assert_eq!(*won.lock().unwrap(), Some(true));
        assert_eq!(error.kind, ErrorKind::Busy);
        assert!(error.to_string().contains("held by bob"), "{error}");
        let error = take(&cloud, kind, "carol").err().unwrap();
        assert!(error.to_string().contains("held by bob"), "alice's late put does not count: {error}");
    }
}

#[test]
fn what_was_put_too_late_does_not_keep_its_owner_from_renewing() {
    let cloud = Cloud::start();
    let lease = take(&cloud, Kind::Parameter, "alice").unwrap();
    cloud.world(|world| {
        let late = r#"{"strongroom":"lease","state":"held","owner":"late","operation":"x","ttl":90000,"nonce":"n","base":0,"after":null}"#;
        world.ssm.seed(crate::support::cloud::ssm::Seed { name: PARAMETER, value: late, kind: "String" });
        world.ssm.seed(crate::support::cloud::ssm::Seed { name: PARAMETER, value: "by hand", kind: "String" });
    });
    assert!(take(&cloud, Kind::Parameter, "bob").err().unwrap().to_string().contains("held by alice"));
    pass(60);
    wait(lease.still_ours()).unwrap();
    wait(lease.release()).unwrap();
    take(&cloud, Kind::Parameter, "bob").unwrap();
}

#[test]
fn nothing_is_written_through_a_guard_whose_lease_was_lost() {
    let cloud = Cloud::start();
    let guard = Guard::default();
    let memory: Box<dyn Store> = Box::new(Memory::new());
    let stores = guard.before(Stores::from([("memory".to_owned(), memory)]));
    let at: Address = "app/A".parse().unwrap();
    let write = |value: &str| {
        let after = Want::value(Secret::new(value.to_owned()).unwrap());
        let store = stores["memory"].as_ref();
        let before = wait(store.read(std::slice::from_ref(&at))).unwrap().entries.remove(&at);
        let change = Change { address: at.clone(), before, after };
        let id = OperationId::parse("20260102-030405-abcdef").unwrap();
        wait(store.write(&store.unit_of(&at), None, &id, &[change]))
    };
    assert!(matches!(write("without"), Receipt::Applied(_)), "a single set holds none");
    wait(guard.take(leases(&cloud, Kind::Parameter, "alice", Duration::ZERO).as_ref(), "sync")).unwrap();
    age(&cloud, Kind::Parameter);
    take(&cloud, Kind::Parameter, "bob").unwrap();
    let Receipt::NotApplied(error) = write("too late") else { panic!() };
    assert_eq!(error.kind, ErrorKind::Conflict);
    wait(guard.release()).unwrap();
    assert!(matches!(write("without"), Receipt::Applied(_)));
}
